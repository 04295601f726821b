/* SPDX-License-Identifier: Apache-2.0 */
/* What each decide_* call leaves in a decision, and that the last one wins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>

#include "clock.h"
#include "problem.h"
#include "worker/service.h"

static void expect(const struct decision *d, int status, enum effect effect, const char *body, const char *state)
{
    assert_int_equal(d->status, status);
    assert_int_equal(d->effect, effect);
    assert_true(slice_is(buf_slice(&d->body), body));
    assert_true(slice_is(buf_slice(&d->state), state));
}

static void done(struct decision *d)
{
    buf_done(&d->state);
    buf_done(&d->body);
}

static void a_read_copies_the_state(void **state)
{
    char text[] = "{\"a\":1}";
    struct call call = {.before = {true, 1, slice_of(text)}};
    struct decision d = {0};
    decide_state(&d, &call);
    text[2] = 'b'; /* the call's memory is borrowed */
    expect(&d, 200, EFFECT_NONE, "{\"a\":1}", "");
    assert_null(d.content_type);
    done(&d);
}

static void a_problem_has_no_effect(void **state)
{
    struct decision d = {0};
    buf_append_text(&d.state, "half");
    decide_problem(&d, 422, "member \"%s\" is \xc3\xa9", "x");
    expect(&d, 422, EFFECT_NONE,
           "{\"type\":\"about:blank\",\"title\":\"Unprocessable Content\",\"status\":422,"
           "\"detail\":\"member \\\"x\\\" is \xc3\xa9\"}",
           "");
    assert_string_equal(d.content_type, PROBLEM_CONTENT_TYPE);
    done(&d);
}

static void the_last_decision_wins(void **state)
{
    struct decision d = {0};
    decide_problem(&d, 404, "Not here");
    buf_append_text(&d.state, "{}");
    decide_put(&d, 201);
    expect(&d, 201, EFFECT_PUT, "", "{}");
    assert_null(d.content_type);
    decide_delete(&d, 204);
    expect(&d, 204, EFFECT_DELETE, "", "");
    decide_status(&d, 304);
    expect(&d, 304, EFFECT_NONE, "", "");
    done(&d);
}

static void a_half_written_state_is_not_put(void **state)
{
    struct decision d = {0};
    buf_append_text(&d.state, "{\"a\":");
    d.state.failed = true; /* memory ran out */
    decide_put(&d, 200);
    assert_int_equal(d.status, 503);
    assert_int_equal(d.effect, EFFECT_NONE);
    assert_int_equal(d.state.len, 0);
    done(&d);
}

static void a_job_stops_by_flag_or_deadline(void **state)
{
    int64_t now_ns = clock_mono_ns();
    struct job free_job = {.deadline_ns = INT64_MAX}, told = {.stop = true, .deadline_ns = INT64_MAX},
               late = {.deadline_ns = now_ns};
    assert_false(job_stopping(NULL));
    assert_false(job_stopping(&free_job));
    assert_true(job_stopping(&told));
    assert_true(job_stopping(&late));
}

static unsigned said(const struct job *job)
{
    return atomic_load(&job->done);
}

static void progress_only_grows(void **state)
{
    struct job job = {.deadline_ns = INT64_MAX};
    job_progress(NULL, 1, 2);
    job_progress(&job, 1, 0);
    assert_int_equal(said(&job), 0);
    job_progress(&job, 0, 3);
    assert_int_equal(said(&job), 1);
    job_progress(&job, 1, 3);
    assert_int_equal(said(&job), 1 + 3333);
    job_progress(&job, 1, 4);
    assert_int_equal(said(&job), 1 + 3333);
    job_progress(&job, UINT64_MAX / 2, UINT64_MAX);
    assert_int_equal(said(&job), 1 + 5000);
    job_progress(&job, 9999999, 10000000);
    assert_int_equal(said(&job), 1 + 9999); /* all of it only when it is */
    job_progress(&job, 5, 4);
    assert_int_equal(said(&job), 1 + JOB_PARTS);
}

#define REPORTS 1000000

static void *report(void *arg)
{
    for (uint64_t i = 1; i <= REPORTS; i++)
        job_progress(arg, i, REPORTS);
    return NULL;
}

/* Two threads of one job: whoever looks never sees it go back. */
static void progress_of_several_threads(void **state)
{
    struct job job = {.deadline_ns = INT64_MAX};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, report, &job), 0);
    for (unsigned before = 0, now; before < 1 + JOB_PARTS; before = now) {
        now = said(&job);
        assert_true(now >= before);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_copies_the_state),      cmocka_unit_test(a_problem_has_no_effect),
        cmocka_unit_test(the_last_decision_wins),       cmocka_unit_test(a_half_written_state_is_not_put),
        cmocka_unit_test(a_job_stops_by_flag_or_deadline), cmocka_unit_test(progress_only_grows),
        cmocka_unit_test(progress_of_several_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
