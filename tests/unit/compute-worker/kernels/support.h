/* SPDX-License-Identifier: Apache-2.0 */
/* Running a kind from the text of its parameters, in any number of parts; included behind cmocka.h. */
#ifndef ROUNDTRIP_TEST_KERNELS_SUPPORT_H
#define ROUNDTRIP_TEST_KERNELS_SUPPORT_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "body.h"
#include "clock.h"

struct run {
    enum kernel_end end;
    struct buf result; /* with a NUL at its end */
    struct buf content;
    char error[JSON_ERROR_SIZE];
    int64_t worked_ms; /* of this thread, which a busy machine does not lengthen; without reading the body */
};

static inline int64_t cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static inline void run_done(struct run *run)
{
    buf_done(&run->result);
    buf_done(&run->content);
}

/*
 * Its memory is within its own estimate, which is the job's budget here; nothing is left of it. A negative deadline is so many ms
 * after its begin.
 */
static inline struct run run_kind(const char *kind, const char *params, size_t parts, struct job *job)
{
    struct buf text = {0}, error = {0};
    struct body body;
    struct budget budget;
    struct arena arena;
    struct run run = {0};
    buf_printf(&text, "{\"kind\":\"%s\",\"params\":%s}", kind, params);
    if (!body_parse(buf_slice(&text), &body, &error))
        fail_msg("%s: %.*s", params, SLICE_ARG(buf_slice(&error)));
    budget_init(&budget, body.kind->memory(&body.input), SIZE_MAX / 2);
    assert_true(arena_open(&arena, &budget, 0));
    struct task task = {.kind = body.kind, .input = &body.input, .arena = &arena, .job = job};
    if (job && job->deadline_ns < 0)
        job->deadline_ns = clock_mono_ns() - job->deadline_ns * CLOCK_NS_PER_MS;
    run.worked_ms = cpu_ms();
    run.end = task_run(&task, parts, &run.result);
    run.worked_ms = cpu_ms() - run.worked_ms;
    if (run.end == KERNEL_NO_MEMORY)
        fail_msg("%s: its estimate of %zu bytes was too small", params, budget.job_max);
    memcpy(run.error, task.error, sizeof(run.error));
    assert_true(body.kind->cost(&body.input) > 0);
    buf_append_slice(&run.content, task.content);
    arena_close(&arena);
    assert_int_equal(budget.used, 0);
    buf_append(&run.result, "", 1);
    assert_true(buf_ok(&run.result));
    body_done(&body);
    buf_done(&text);
    buf_done(&error);
    return run;
}

static inline void expect_result(const char *kind, const char *params, size_t parts, const char *result)
{
    struct job job = {.deadline_ns = INT64_MAX};
    struct run run = run_kind(kind, params, parts, &job);
    assert_int_equal(run.end, KERNEL_DONE);
    assert_string_equal(run.result.data, result);
    assert_int_equal(atomic_load(&job.done), 1 + JOB_PARTS);
    assert_int_equal(atomic_load(&job.memory_peak) > 0, 1);
    run_done(&run);
}

/* The same bytes, however many parts. */
static inline void expect_any_split(const char *kind, const char *params)
{
    static const size_t parts[] = {2, 3, 7, 64, TASK_PARTS_MAX};
    struct run whole = run_kind(kind, params, 1, NULL);
    assert_int_equal(whole.end, KERNEL_DONE);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        struct run run = run_kind(kind, params, parts[i], NULL);
        assert_int_equal(run.end, KERNEL_DONE);
        assert_string_equal(run.result.data, whole.result.data);
        assert_true(slice_equal(buf_slice(&run.content), buf_slice(&whole.content)));
        run_done(&run);
    }
    run_done(&whole);
}

static inline void expect_refusal(const char *kind, const char *params, const char *words)
{
    struct buf text = {0}, error = {0};
    struct body body;
    buf_printf(&text, "{\"kind\":\"%s\",\"params\":%s}", kind, params);
    if (body_parse(buf_slice(&text), &body, &error))
        fail_msg("%s was not refused", params);
    buf_append(&error, "", 1);
    if (!strstr(error.data, words))
        fail_msg("\"%s\" is not in \"%s\"", words, error.data);
    buf_done(&text);
    buf_done(&error);
}

/* Its deadline comes after `after_ms`: it stops within 100 ms. Until the deadline it cannot have worked for longer than that. */
static inline void expect_stop(const char *kind, const char *params, int after_ms)
{
    struct job job = {.deadline_ns = -after_ms};
    struct run run = run_kind(kind, params, 1, &job);
    assert_int_equal(run.end, KERNEL_STOPPED);
    assert_string_equal(run.result.data, "");
    if (run.worked_ms > after_ms + 100)
        fail_msg("%s worked for %d ms, its deadline was after %d", kind, (int)run.worked_ms, after_ms);
    run_done(&run);
    job = (struct job){.stop = true, .deadline_ns = INT64_MAX};
    run = run_kind(kind, params, 1, &job);
    assert_int_equal(run.end, KERNEL_STOPPED);
    run_done(&run);
}

/* What stands behind "name": in the result, as a number. */
static inline double member(const struct run *run, const char *name)
{
    char wanted[64];
    snprintf(wanted, sizeof(wanted), "\"%s\":", name);
    const char *at = strstr(run->result.data, wanted);
    if (!at)
        fail_msg("%s is not in %s", wanted, run->result.data);
    return strtod(at + strlen(wanted), NULL);
}

#endif
