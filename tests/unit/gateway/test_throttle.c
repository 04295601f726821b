/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets: what a client may do, that it is only that client's, and what it is told. */
#include "throttle.h"

#include <stdio.h>

#include "support.h"

#define MS INT64_C(1000000)
#define S  (1000 * MS)

static struct throttle *throttle;

static int open_one(void **unused)
{
    const struct throttle_options options = {.rate = 10, .burst = 20, .clients_max = 64, .seed = 7};
    return throttle_new(&options, &throttle);
}

static int close_one(void **unused)
{
    throttle_free(throttle);
    return 0;
}

static void a_burst_then_the_rate(void **unused)
{
    int64_t now = 5 * S;
    for (int i = 0; i < 20; i++) {
        struct throttle_verdict verdict = throttle_take(throttle, SLICE("a"), now);
        assert_true(verdict.allowed);
        assert_int_equal(verdict.remaining, 19 - i);
        assert_int_equal(verdict.reset_ns, (i + 1) * 100 * MS);
    }
    struct throttle_verdict verdict = throttle_take(throttle, SLICE("a"), now);
    assert_false(verdict.allowed);
    assert_int_equal(verdict.remaining, 0);
    assert_int_equal(verdict.wait_ns, 100 * MS);
    assert_false(throttle_take(throttle, SLICE("a"), now + 99 * MS).allowed);
    assert_true(throttle_take(throttle, SLICE("a"), now + 100 * MS).allowed);
    assert_false(throttle_take(throttle, SLICE("a"), now + 100 * MS).allowed);
    int allowed = 0;
    for (int i = 1; i <= 1000; i++) /* ten seconds of asking a hundred times a second */
        allowed += throttle_take(throttle, SLICE("a"), now + 100 * MS + i * 10 * MS).allowed;
    assert_int_equal(allowed, 100);
    for (int i = 0; i < 20; i++) /* and full again after a pause, not fuller */
        assert_true(throttle_take(throttle, SLICE("a"), now + 60 * S).allowed);
    assert_false(throttle_take(throttle, SLICE("a"), now + 60 * S).allowed);
}

static void each_has_its_own(void **unused)
{
    for (int i = 0; i < 25; i++)
        (void)throttle_take(throttle, SLICE("a"), S);
    assert_false(throttle_take(throttle, SLICE("a"), S).allowed);
    assert_true(throttle_take(throttle, SLICE("b"), S).allowed);
    assert_true(throttle_take(throttle, SLICE_NONE, S).allowed);
}

static void the_table_is_bounded_and_forgets_the_full_ones_first(void **unused)
{
    for (int i = 0; i < 20; i++)
        (void)throttle_take(throttle, SLICE("spent"), S);
    for (int i = 0; i < 2000; i++) { /* each a moment later, so that those before are full again */
        char name[16];
        int n = snprintf(name, sizeof(name), "c%d", i);
        assert_true(throttle_take(throttle, slice_make(name, (size_t)n), S + i * MS / 10).allowed);
    }
    assert_false(throttle_take(throttle, SLICE("spent"), S + 99 * MS).allowed);
}

static void what_a_client_is_told(void **unused)
{
    struct answer answer = {0};
    struct throttle_verdict verdict = throttle_take(throttle, SLICE("a"), S);
    answer_json(&answer, 200, SLICE("{}"));
    throttle_describe(throttle, &verdict, &answer);
    assert_string_equal(answer_find(&answer, "RateLimit-Policy"), "\"client\";q=20;w=2");
    assert_string_equal(answer_find(&answer, "RateLimit"), "\"client\";r=19;t=1");
    for (int i = 0; i < 20; i++)
        verdict = throttle_take(throttle, SLICE("a"), S);
    throttle_refuse(throttle, &verdict, &answer);
    assert_int_equal(answer.status, 429);
    assert_string_equal(answer_find(&answer, "Retry-After"), "1");
    assert_string_equal(answer_find(&answer, "RateLimit"), "\"client\";r=0;t=2");
    assert_true(body_has(&answer, "10 requests a second"));
    answer_done(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_burst_then_the_rate, open_one, close_one),
        cmocka_unit_test_setup_teardown(each_has_its_own, open_one, close_one),
        cmocka_unit_test_setup_teardown(the_table_is_bounded_and_forgets_the_full_ones_first, open_one, close_one),
        cmocka_unit_test_setup_teardown(what_a_client_is_told, open_one, close_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
