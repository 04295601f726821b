/* SPDX-License-Identifier: Apache-2.0 */
/* The computation service's decisions: what is admitted, what a start writes, what a read answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "compute.h"
#include "handlers.h"

static struct compute compute = {.short_cost = 100000000, .part_cost = 1000000000};
#define budget compute.budget /* 64 MiB for one, 100 for all: see main() */

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
    buf_done(&d->result);
}

static void expect_admission(const char *body, bool exists, int status, const char *words)
{
    struct command cmd = {.key = SLICE("job-1"), .body = slice_of(body)};
    struct call call = {.cmd = &cmd, .before = {.exists = exists, .version = exists}, .context = &compute};
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
    struct call call = {.cmd = &cmd, .context = &compute};
    struct decision d = {0};
    operation("compute.start")->admit(&call, &d);
    assert_int_equal(d.status, 422);
    done(&d);
}

static struct decision start(struct job *job)
{
    struct command cmd = {.key = SLICE("job \"1\""), .body = SLICE("{\"kind\":\"primes\",\"params\":{\"n\":100}}")};
    struct call call = {.cmd = &cmd, .job = job, .context = &compute};
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
    const char *memory = memmem(d.state.data, d.state.len, ",\"memory\":{\"peak_bytes\":", 24);
    assert_non_null(memory);
    assert_true(strtol(memory + 24, NULL, 10) >= 131072); /* its segment, at least */
    assert_int_equal(budget.used, 0);
    done(&d);
}

static struct decision start_body(const char *body)
{
    struct command cmd = {.key = SLICE("job-1"), .body = slice_of(body)};
    struct call call = {.cmd = &cmd, .context = &compute};
    struct decision d = {0};
    operation("compute.start")->handler(&call, &d);
    buf_append(d.effect == EFFECT_PUT ? &d.state : &d.body, "", 1);
    return d;
}

static void a_long_text_is_not_kept(void **state)
{
    struct decision d = start_body("{\"kind\":\"statistics\",\"params\":{\"quantiles\":[],\"csv\":\"5\\n6\"}}");
    assert_int_equal(d.status, 200);
    assert_non_null(strstr(d.state.data, "\"params\":{\"quantiles\":[]},\"state\""));
    assert_non_null(strstr(d.state.data, "\"count\":2"));
    done(&d);
}

static void the_result_is_a_piece_of_the_state(void **state)
{
    struct decision d = start_body("{\"kind\":\"primes\",\"params\":{\"n\":100}}");
    assert_string_equal(d.result_type, "application/json");
    assert_int_equal(d.result.len, 0);
    assert_int_equal(d.result_len, strlen("{\"count\":25}"));
    assert_memory_equal(d.state.data + d.result_at, "{\"count\":25}", d.result_len);
    done(&d);
}

static void a_picture_is_kept_beside_it(void **state)
{
    struct command cmd = {.key = SLICE("k"), .id = SLICE("c"), .body = SLICE("{\"kind\":\"mandelbrot\",\"params\":{\"width\":8,\"height\":4,"
                          "\"center_x\":0,\"center_y\":0,\"scale\":4,\"max_iterations\":10}}")};
    struct call call = {.cmd = &cmd, .context = &budget};
    struct decision d = {0};
    char words[100];
    operation("compute.start")->handler(&call, &d);
    assert_int_equal(d.status, 200);
    assert_string_equal(d.result_type, "image/png");
    assert_true(d.result.len > 8);
    assert_memory_equal(d.result.data, "\x89PNG", 4);
    snprintf(words, sizeof(words), ",\"media_type\":\"image/png\",\"bytes\":%zu,\"href\":\"/operations/Y29tcHV0ZQpjCms/result\"},\"elapsed_ms\":",
             d.result.len); /* printf 'compute\nc\nk' | basenc --base64url */
    buf_append(&d.state, "", 1);
    assert_non_null(strstr(d.state.data, words));
    assert_int_equal(budget.used, 0);
    done(&d);
}

static void wrong_numbers_are_the_callers(void **state)
{
    struct decision d = start_body("{\"kind\":\"statistics\",\"params\":{\"csv\":\"5\\nx\"}}");
    assert_int_equal(d.status, 422);
    assert_int_equal(d.fault, FAULT_NONE);
    assert_non_null(strstr(d.body.data, "line 2"));
    done(&d);
}

/* One that will never fit is refused before it begins, and if it should begin all the same. */
static void a_job_beyond_its_budget(void **state)
{
    static const char large[] = "{\"kind\":\"matrix\",\"params\":{\"n\":4000,\"seed\":1}}";
    expect_admission(large, false, 422, "67108864 bytes of memory (job-memory)");
    expect_admission("{\"kind\":\"matrix\",\"params\":{\"n\":2000,\"seed\":1}}", false, 0, NULL);
    struct decision d = start_body(large);
    assert_int_equal(d.status, 422);
    assert_int_equal(d.fault, FAULT_NONE);
    done(&d);
    assert_int_equal(budget.used, 0);
}

/* One for which there is no room now waits, and is no fault of anything. */
static void a_job_beyond_what_is_left(void **state)
{
    struct arena others[2];
    assert_true(arena_open(&others[0], &budget, 50 << 20) && arena_open(&others[1], &budget, 30 << 20));
    struct decision d = start_body("{\"kind\":\"matrix\",\"params\":{\"n\":1900,\"seed\":1}}");
    assert_int_equal(d.fault, FAULT_BUSY);
    assert_non_null(strstr(d.body.data, "104857600 bytes of memory for computations (memory) are in use"));
    done(&d);
    d = start_body("{\"kind\":\"primes\",\"params\":{\"n\":100}}"); /* a small one has room */
    assert_int_equal(d.status, 200);
    done(&d);
    arena_close(&others[0]);
    arena_close(&others[1]);
    assert_int_equal(budget.used, 0);
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
    budget_init(&budget, 64 << 20, 100 << 20);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(admits_and_refuses),
        cmocka_unit_test(an_id_is_text),
        cmocka_unit_test(start_writes_the_whole_state),
        cmocka_unit_test(a_late_start_is_stopped),
        cmocka_unit_test(a_long_text_is_not_kept),
        cmocka_unit_test(the_result_is_a_piece_of_the_state),
        cmocka_unit_test(a_picture_is_kept_beside_it),
        cmocka_unit_test(wrong_numbers_are_the_callers),
        cmocka_unit_test(a_job_beyond_its_budget),
        cmocka_unit_test(a_job_beyond_what_is_left),
        cmocka_unit_test(gets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
