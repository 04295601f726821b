/* SPDX-License-Identifier: Apache-2.0 */
/* When a handler has taken too long. The times are parameters. */
#include "worker/watchdog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LIMIT 100

static void the_same_handler_for_too_long(void **unused)
{
    struct watchdog_sight sight = {.count = 0};
    assert_false(watchdog_is_late(&sight, 1, LIMIT, 1000));
    assert_false(watchdog_is_late(&sight, 1, LIMIT, 1000 + LIMIT));
    assert_true(watchdog_is_late(&sight, 1, LIMIT, 1001 + LIMIT));
}

static void another_handler_each_time(void **unused)
{
    struct watchdog_sight sight = {.count = 0};
    for (uint64_t count = 1; count < 100; count += 2)
        assert_false(watchdog_is_late(&sight, count, LIMIT, (int64_t)count * LIMIT));
}

static void no_handler_for_long(void **unused)
{
    struct watchdog_sight sight = {.count = 0};
    assert_false(watchdog_is_late(&sight, 2, LIMIT, 1000));
    assert_false(watchdog_is_late(&sight, 2, LIMIT, 1000000));
    assert_false(watchdog_is_late(&sight, 3, LIMIT, 1000000)); /* it has only begun */
}

static void a_pooled_one_after_its_deadline(void **unused)
{
    assert_false(watchdog_is_overdue(0, 500, LIMIT, 10000));          /* has not begun */
    assert_false(watchdog_is_overdue(100, INT64_MAX, LIMIT, 10000)); /* may take as long as it likes */
    assert_false(watchdog_is_overdue(100, 500, LIMIT, 600));
    assert_true(watchdog_is_overdue(100, 500, LIMIT, 601));
    assert_false(watchdog_is_overdue(900, 500, LIMIT, 1000)); /* began late */
    assert_true(watchdog_is_overdue(900, 500, LIMIT, 1001));
}

static void starts_and_stops(void **unused)
{
    struct watchdog watchdog = {.limit_ns = 0};
    watchdog_stop(&watchdog); /* was not started */
    assert_int_equal(watchdog_start(&watchdog, INT64_C(3600000000000)), 0);
    watchdog_enter(&watchdog, NULL);
    watchdog_leave(&watchdog);
    watchdog_stop(&watchdog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_handler_for_too_long), cmocka_unit_test(another_handler_each_time),
        cmocka_unit_test(no_handler_for_long),           cmocka_unit_test(a_pooled_one_after_its_deadline),
        cmocka_unit_test(starts_and_stops),
    };
    return cmocka_run_group_tests_name("watchdog", tests, NULL, NULL);
}
