/* SPDX-License-Identifier: Apache-2.0 */
/* Outage or poison: when the breaker opens, probes and closes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/breaker.h"

#define S INT64_C(1000000000)

static const struct breaker_settings settings = {.keys = 3, .window_ns = 10 * S, .pause_ns = S, .pause_max_ns = 4 * S};

static struct breaker opened_at(int64_t now)
{
    struct breaker b = {.phase = BREAKER_CLOSED};
    assert_false(breaker_failed(&b, &settings, 1, now));
    assert_false(breaker_failed(&b, &settings, 2, now));
    assert_true(breaker_failed(&b, &settings, 3, now));
    return b;
}

static void one_key_is_poison_however_often(void **state)
{
    struct breaker b = {0};
    for (int i = 0; i < 1000; i++)
        assert_false(breaker_failed(&b, &settings, 42, S + i));
    assert_int_equal(b.phase, BREAKER_CLOSED);
}

static void several_keys_are_an_outage(void **state)
{
    struct breaker b = opened_at(20 * S);
    int64_t at = 0;
    assert_int_equal(b.phase, BREAKER_OPEN);
    assert_false(breaker_admits(&b, &settings, 0, 20 * S + 1, &at));
    assert_int_equal(at, 21 * S);
}

static void keys_that_failed_long_ago_do_not_count(void **state)
{
    struct breaker b = {0};
    assert_false(breaker_failed(&b, &settings, 1, 20 * S));
    assert_false(breaker_failed(&b, &settings, 2, 21 * S));
    assert_false(breaker_failed(&b, &settings, 3, 40 * S));
    assert_false(breaker_failed(&b, &settings, 4, 41 * S));
    assert_true(breaker_failed(&b, &settings, 5, 42 * S));
}

/* Some keys are poison and come again and again; others go well, so there is no outage, however the times fall. */
static void a_few_failures_among_many_successes_are_poison(void **state)
{
    struct breaker b = {.phase = BREAKER_CLOSED};
    for (int i = 0; i < 10000; i++) {
        assert_false(breaker_failed(&b, &settings, (uint64_t)i % 6, S + i * (S / 100)));
        assert_false(breaker_succeeded(&b));
        assert_false(breaker_succeeded(&b));
    }
}

static void what_succeeded_before_does_not_hide_an_outage(void **state)
{
    struct breaker b = {.phase = BREAKER_CLOSED};
    assert_false(breaker_failed(&b, &settings, 1, 20 * S));
    for (int i = 0; i < 100000; i++)
        assert_false(breaker_succeeded(&b));
    assert_false(breaker_failed(&b, &settings, 1, 21 * S));
    assert_false(breaker_failed(&b, &settings, 2, 21 * S + 1));
    assert_true(breaker_failed(&b, &settings, 3, 21 * S + 2));
}

/* The one that failed as a probe waits for those that were not one yet; when all were, it is its turn again. */
static void probes_go_round(void **state)
{
    struct breaker b = opened_at(20 * S);
    int tried[3] = {0};
    int64_t now = 20 * S, at;
    for (int i = 0; i < 300; i++) {
        int next = -1;
        while (next < 0) { /* all ask, always in the same order */
            now += S / 100;
            for (int k = 0; k < 3 && next < 0; k++)
                next = breaker_admits(&b, &settings, tried[k], now, &at) ? k : -1;
        }
        tried[next]++;
        assert_true(breaker_failed(&b, &settings, (uint64_t)next, now));
    }
    for (int k = 0; k < 3; k++)
        assert_true(tried[k] > 90);
    int64_t until = b.until_ns;
    assert_true(breaker_admits(&b, &settings, 0, until, &at)); /* one that is new does not wait for its turn */
}

static void one_probe_at_a_time(void **state)
{
    struct breaker b = opened_at(20 * S);
    int64_t at = 0;
    assert_true(breaker_admits(&b, &settings, 0, 21 * S, &at));
    assert_int_equal(b.phase, BREAKER_PROBING);
    assert_false(breaker_admits(&b, &settings, 0, 21 * S + 1, &at));
    assert_true(at > 21 * S && at < 22 * S);
    assert_true(breaker_succeeded(&b));
    assert_int_equal(b.phase, BREAKER_CLOSED);
    assert_true(breaker_admits(&b, &settings, 0, 21 * S + 3, &at));
}

static void a_failed_probe_doubles_the_pause_up_to_its_bound(void **state)
{
    struct breaker b = opened_at(20 * S);
    int64_t at, now = 21 * S;
    static const int64_t pauses[] = {2 * S, 4 * S, 4 * S};
    for (int i = 0; i < 3; i++) {
        assert_true(breaker_admits(&b, &settings, 0, now, &at));
        assert_true(breaker_failed(&b, &settings, 1, now));
        assert_false(breaker_admits(&b, &settings, 0, now + pauses[i] - 1, &at));
        now += pauses[i];
    }
}

static void a_probe_that_never_ran_is_replaced_at_once(void **state)
{
    struct breaker b = opened_at(20 * S);
    int64_t at;
    assert_true(breaker_admits(&b, &settings, 0, 21 * S, &at));
    breaker_abandoned(&b, 21 * S + 5);
    assert_true(breaker_admits(&b, &settings, 0, 21 * S + 5, &at));
}

static void a_probe_that_says_nothing_is_replaced_in_time(void **state)
{
    struct breaker b = opened_at(20 * S);
    int64_t at;
    assert_true(breaker_admits(&b, &settings, 0, 21 * S, &at));
    assert_false(breaker_admits(&b, &settings, 0, 50 * S, &at));
    assert_true(breaker_admits(&b, &settings, 0, 52 * S, &at));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_key_is_poison_however_often),
        cmocka_unit_test(several_keys_are_an_outage),
        cmocka_unit_test(keys_that_failed_long_ago_do_not_count),
        cmocka_unit_test(a_few_failures_among_many_successes_are_poison),
        cmocka_unit_test(what_succeeded_before_does_not_hide_an_outage),
        cmocka_unit_test(probes_go_round),
        cmocka_unit_test(one_probe_at_a_time),
        cmocka_unit_test(a_failed_probe_doubles_the_pause_up_to_its_bound),
        cmocka_unit_test(a_probe_that_never_ran_is_replaced_at_once),
        cmocka_unit_test(a_probe_that_says_nothing_is_replaced_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
