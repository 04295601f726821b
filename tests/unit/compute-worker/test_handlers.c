/* SPDX-License-Identifier: Apache-2.0 */
/* The computation service's decisions: what is admitted, what a start writes, what a read answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "handlers.h"

static const struct operation *operation(const char *type)
{
    const struct operation *op = compute_service.operations;
    while (op->type && strcmp(op->type, type) != 0)
        op++;
    assert_non_null(op->type);
    return op;
}

static void done(struct decision *d)
{
    buf_done(&d->state);
    buf_done(&d->body);
}

static void expect_admission(const char *body, bool exists, int status, const char *words)
{
    struct command cmd = {.key = SLICE("job-1"), .body = slice_of(body)};
    struct call call = {.cmd = &cmd, .before = {.exists = exists, .version = exists}};
    struct decision d = {0};
    operation("compute.start")->admit(&call, &d);
    assert_int_equal(d.status, status);
    buf_append(&d.body, "", 1);
    if (words && !strstr(d.body.data, words))
        fail_msg("\"%s\" is not in %s", words, d.body.data);
    done(&d);
}

static void admits_and_refuses(void **state)
{
    expect_admission("{\"kind\":\"primes\",\"params\":{\"n\":10}}", false, 0, NULL);
    expect_admission("{\"kind\":\"pi\",\"params\":{\"samples\":10,\"seed\":0}}", false, 0, NULL);
    expect_admission("{\"kind\":\"primes\",\"params\":{\"n\":10}}", true, 409, "id");
    expect_admission("{\"kind\":\"soup\",\"params\":{}}", false, 422, "primes, pi");
    expect_admission("{\"kind\":\"primes\",\"params\":{}}", false, 422, "n");
    expect_admission("{\"kind\":\"primes\",\"params\":{\"n\":10000000001}}", false, 422, "n");
    expect_admission("{\"kind\":\"primes\",\"params\":{\"n\":-1}}", false, 422, "n");
    expect_admission("{\"kind\":\"pi\",\"params\":{\"samples\":0,\"seed\":0}}", false, 422, "samples");
    expect_admission("{\"kind\":\"pi\"}", false, 422, "params");
    expect_admission("nonsense", false, 422, "JSON");
}

/* The id is written into JSON. */
static void an_id_is_text(void **state)
{
    struct command cmd = {.key = SLICE("job\xff"), .body = SLICE("{\"kind\":\"primes\",\"params\":{\"n\":10}}")};
    struct call call = {.cmd = &cmd};
    struct decision d = {0};
    operation("compute.start")->admit(&call, &d);
    assert_int_equal(d.status, 422);
    done(&d);
}

static struct decision start(struct job *job)
{
    struct command cmd = {.key = SLICE("job \"1\""), .body = SLICE("{\"kind\":\"primes\",\"params\":{\"n\":100}}")};
    struct call call = {.cmd = &cmd, .job = job};
    struct decision d = {0};
    operation("compute.start")->handler(&call, &d);
    return d;
}

static void start_writes_the_whole_state(void **state)
{
    struct job job = {.deadline_ns = INT64_MAX};
    struct decision d = start(&job);
    assert_int_equal(d.status, 200);
    assert_int_equal(d.effect, EFFECT_PUT);
    static const char begin[] = "{\"id\":\"job \\\"1\\\"\",\"kind\":\"primes\",\"params\":{\"n\":100},\"state\":\"succeeded\","
                                "\"result\":{\"count\":25},\"elapsed_ms\":";
    assert_true(d.state.len > sizeof(begin));
    assert_memory_equal(d.state.data, begin, sizeof(begin) - 1);
    done(&d);
}

static void a_late_start_is_stopped(void **state)
{
    struct job job = {.deadline_ns = 0};
    struct decision d = start(&job);
    assert_int_equal(d.status, 504);
    assert_int_equal(d.effect, EFFECT_NONE);
    done(&d);
}

static void expect_get(struct entity before, bool running, int status, const char *words)
{
    struct command cmd = {.key = SLICE("job-1")};
    struct call call = {.cmd = &cmd, .before = before, .running = running};
    struct decision d = {0};
    operation("compute.get")->handler(&call, &d);
    assert_int_equal(d.status, status);
    buf_append(&d.body, "", 1);
    assert_non_null(strstr(d.body.data, words));
    done(&d);
}

static void gets(void **state)
{
    expect_get((struct entity){true, 1, SLICE("{\"id\":\"job-1\"}")}, false, 200, "{\"id\":\"job-1\"}");
    expect_get((struct entity){0}, true, 200, "{\"id\":\"job-1\",\"state\":\"running\"}");
    expect_get((struct entity){0}, false, 404, "Computation not found");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(admits_and_refuses),
        cmocka_unit_test(an_id_is_text),
        cmocka_unit_test(start_writes_the_whole_state),
        cmocka_unit_test(a_late_start_is_stopped),
        cmocka_unit_test(gets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
