/* SPDX-License-Identifier: Apache-2.0 */
/* Waits estimated from backlogs. */
#include "backlog.h"

#include "support.h"

#define S INT64_C(1000000000)

static void nothing_known_or_nothing_there(void **unused)
{
    struct backlog backlog = {0};
    assert_int_equal(backlog_wait_ms(&backlog, 0), 0);
    backlog_note(&backlog, 0, 0, 1000000, false, S); /* one look does not tell how fast it goes */
    assert_int_equal(backlog_wait_ms(&backlog, 0), 0);
    backlog_note(&backlog, 1, 50, 50, true, S);
    backlog_note(&backlog, 1, 50, 50 + BACKLOG_MIN - 1, false, 2 * S);
    assert_int_equal(backlog_wait_ms(&backlog, 1), 0);
    assert_int_equal(backlog_wait_ms(&backlog, -1), 0);
    assert_int_equal(backlog_wait_ms(&backlog, BACKLOG_PARTITIONS_MAX), 0);
}

static void by_how_fast_it_gets_less(void **unused)
{
    struct backlog backlog = {0};
    for (int i = 0; i < 20; i++) /* 100 done a second, while 10,000 wait */
        backlog_note(&backlog, 2, 100 * i, 100 * i + 10000, true, (i + 1) * S);
    assert_in_range(backlog_wait_ms(&backlog, 2), 99000, 101000);
    for (int i = 20; i < 60; i++) /* then 1000 */
        backlog_note(&backlog, 2, 2000 + 1000 * (i - 19), 2000 + 1000 * (i - 19) + 500, true, (i + 1) * S);
    assert_in_range(backlog_wait_ms(&backlog, 2), 490, 510);
    assert_int_equal(backlog_wait_ms(&backlog, 3), 0);
    backlog_forget(&backlog, 2);
    assert_int_equal(backlog_wait_ms(&backlog, 2), 0);
}

static void time_without_work_does_not_count(void **unused)
{
    struct backlog backlog = {0};
    backlog_note(&backlog, 0, 0, 1000, true, S);
    backlog_note(&backlog, 0, 1000, 1000, true, 2 * S);
    for (int i = 3; i < 100; i++)
        backlog_note(&backlog, 0, 1000, 1000, true, i * S);
    backlog_note(&backlog, 0, 1000, 3000, true, 100 * S);
    assert_int_equal(backlog_wait_ms(&backlog, 0), 0);
    backlog_note(&backlog, 0, 2000, 4000, true, 101 * S);
    assert_int_equal(backlog_wait_ms(&backlog, 0), 2000);
}

/* It does as much as comes, which says nothing of how much it could: a burst must not be measured by that. */
static void a_burst_after_little(void **unused)
{
    struct backlog backlog = {0};
    backlog_note(&backlog, 0, 0, 0, false, S);
    backlog_note(&backlog, 0, 0, 3000, true, 2 * S); /* the first there ever was */
    assert_int_equal(backlog_wait_ms(&backlog, 0), 0);
    for (int i = 3; i < 60; i++) { /* then ten a second, of which one is under way */
        backlog_note(&backlog, 0, 3000 + 10 * i, 3001 + 10 * i, true, i * S);
        assert_int_equal(backlog_wait_ms(&backlog, 0), 0);
    }
    backlog_note(&backlog, 0, 3600, 6600, true, 60 * S);
    assert_int_equal(backlog_wait_ms(&backlog, 0), 0);
    backlog_note(&backlog, 0, 3610, 6610, true, 61 * S); /* now it has shown it */
    assert_int_equal(backlog_wait_ms(&backlog, 0), 300000);
}

static void nobody_works_at_it(void **unused)
{
    struct backlog backlog = {0};
    for (int i = 1; i <= 10; i++) { /* it may be taken over */
        backlog_note(&backlog, 0, 10, 10 + 100 * i, false, i * S);
        assert_int_equal(backlog_wait_ms(&backlog, 0), 0);
        assert_int_equal(backlog_still(&backlog, 0), i > 1);
    }
    backlog_note(&backlog, 0, 10, 1100, false, 11 * S);
    assert_int_equal(backlog_wait_ms(&backlog, 0), BACKLOG_FOREVER);
    backlog_note(&backlog, 0, 1010, 1100, true, 12 * S); /* and again somebody does */
    assert_false(backlog_still(&backlog, 0));
    assert_int_equal(backlog_wait_ms(&backlog, 0), 0);
}

/* The committed offset waits for the oldest, others pass it. */
static void it_stands_still_beside_a_long_one(void **unused)
{
    struct backlog backlog = {0};
    for (int i = 1; i < 100; i++) {
        backlog_note(&backlog, 0, 10, 10 + 100 * i, true, i * S);
        assert_int_equal(backlog_wait_ms(&backlog, 0), 0);
    }
}

/* Idle behind it: nothing is heard because nobody asks. */
static void it_stands_still_and_nobody_asks(void **unused)
{
    struct backlog backlog = {0};
    for (int i = 1; i < 10; i++)
        backlog_note(&backlog, 0, 10, 10 + 100 * i, true, i * S);
    for (int i = 10; i < 100; i++) {
        backlog_note(&backlog, 0, 10, 910 + i - 10, false, i * S);
        assert_int_equal(backlog_wait_ms(&backlog, 0), 0);
    }
    backlog_note(&backlog, 0, 10, 1100, false, 100 * S); /* many more have come, and nothing is heard */
    assert_int_equal(backlog_wait_ms(&backlog, 0), BACKLOG_FOREVER);
}

/* Its worker was getting on with much, and has gone. */
static void it_goes_away(void **unused)
{
    struct backlog backlog = {0};
    for (int i = 1; i < 10; i++)
        backlog_note(&backlog, 0, 1000 * i, 20000, true, i * S);
    assert_in_range(backlog_wait_ms(&backlog, 0), 10000, 12000);
    for (int i = 10; i < 60; i++)
        backlog_note(&backlog, 0, 9000, 20000, false, i * S);
    assert_int_equal(backlog_wait_ms(&backlog, 0), BACKLOG_FOREVER);
}

static void a_log_made_anew(void **unused)
{
    struct backlog backlog = {0};
    backlog_note(&backlog, 0, 100000, 200000, true, S);
    backlog_note(&backlog, 0, 100100, 200000, true, 2 * S);
    assert_true(backlog_wait_ms(&backlog, 0) > 900000);
    backlog_note(&backlog, 0, 0, 50, true, 3 * S);
    assert_int_equal(backlog_wait_ms(&backlog, 0), 0);
}

static void what_is_behind(void **unused)
{
    struct backlog backlog = {0};
    assert_int_equal(backlog_behind(&backlog, 0), -1);
    backlog_note(&backlog, 0, 5, 5, true, S);
    assert_int_equal(backlog_behind(&backlog, 0), 0);
    backlog_note(&backlog, 0, 5, 7, true, 2 * S);
    assert_int_equal(backlog_behind(&backlog, 0), 2);
    backlog_note(&backlog, 0, 9, 7, true, 3 * S); /* committed after the end was asked for */
    assert_int_equal(backlog_behind(&backlog, 0), 0);
    backlog_forget(&backlog, 0);
    assert_int_equal(backlog_behind(&backlog, 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_known_or_nothing_there), cmocka_unit_test(by_how_fast_it_gets_less),
        cmocka_unit_test(time_without_work_does_not_count), cmocka_unit_test(a_burst_after_little),
        cmocka_unit_test(nobody_works_at_it),
        cmocka_unit_test(it_stands_still_beside_a_long_one), cmocka_unit_test(it_stands_still_and_nobody_asks),
        cmocka_unit_test(it_goes_away), cmocka_unit_test(a_log_made_anew), cmocka_unit_test(what_is_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
