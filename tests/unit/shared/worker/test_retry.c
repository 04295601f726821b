/* SPDX-License-Identifier: Apache-2.0 */
/* Backoff: its bounds, its spread, its ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/retry.h"

static const struct retry_policy policy = {.attempts = 6, .base_ms = 100, .cap_ms = 500, .deadline_ms = 10000};

static void the_bound_doubles_up_to_the_cap(void **state)
{
    static const int64_t bounds[] = {100, 200, 400, 500, 500};
    for (int failures = 1; failures <= 5; failures++) {
        int64_t largest = 0;
        for (uint64_t chance = 0; chance < 5000; chance++) {
            int64_t delay = retry_delay_ms(&policy, failures, 0, chance);
            assert_true(delay >= 0 && delay <= bounds[failures - 1]);
            largest = delay > largest ? delay : largest;
        }
        assert_int_equal(largest, bounds[failures - 1]);
        assert_int_equal(retry_delay_ms(&policy, failures, 0, 0), 0);
    }
}

static void attempts_end(void **state)
{
    assert_true(retry_delay_ms(&policy, 5, 0, 7) >= 0);
    assert_int_equal(retry_delay_ms(&policy, 6, 0, 7), RETRY_NEVER);
    assert_int_equal(retry_delay_ms(&policy, 1000000, 0, 7), RETRY_NEVER);
}

static void the_deadline_counts_the_delay(void **state)
{
    assert_int_equal(retry_delay_ms(&policy, 1, 9950, 49), 49);
    assert_int_equal(retry_delay_ms(&policy, 1, 9950, 50), RETRY_NEVER);
    struct retry_policy endless = policy;
    endless.deadline_ms = 0;
    assert_int_equal(retry_delay_ms(&endless, 1, INT64_C(1) << 50, 50), 50);
}

static void huge_numbers_do_not_overflow(void **state)
{
    const struct retry_policy many = {.attempts = INT32_MAX, .base_ms = INT32_MAX, .cap_ms = INT32_MAX};
    int64_t delay = retry_delay_ms(&many, INT32_MAX - 1, 0, UINT64_MAX);
    assert_true(delay >= 0 && delay <= INT32_MAX);
}

static void an_operation_without_a_policy_has_the_default(void **state)
{
    const struct operation plain = {.type = "x"}, own = {.type = "y", .retry = {.attempts = 2}};
    assert_int_equal(retry_policy_of(&plain).attempts, RETRY_DEFAULT.attempts);
    assert_int_equal(retry_policy_of(&own).attempts, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bound_doubles_up_to_the_cap), cmocka_unit_test(attempts_end),
        cmocka_unit_test(the_deadline_counts_the_delay),   cmocka_unit_test(huge_numbers_do_not_overflow),
        cmocka_unit_test(an_operation_without_a_policy_has_the_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
