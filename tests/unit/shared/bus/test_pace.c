/* SPDX-License-Identifier: Apache-2.0 */
/* At once when idle, in beats under load, and no flutter between the two. */
#include "bus/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOW INT64_C(1000000000)

static const struct pace_limits limits = {.enter = 24, .leave = 8, .interval_ns = 500000};

static void idle_sends_at_once(void **unused)
{
    struct pace pace = {.limits = limits};
    for (int64_t in_flight = 0; in_flight < limits.enter; in_flight++)
        assert_true(pace_may_send(&pace, in_flight, 0, NOW));
    assert_false(pace.gathering);
}

/* What waits goes first: a record that went out at once now would overtake it. */
static void nothing_overtakes_what_is_gathered(void **unused)
{
    struct pace pace = {.limits = limits};
    assert_false(pace_may_send(&pace, 0, 1, NOW));
    assert_false(pace.gathering);
    assert_int_equal(pace_due_ns(&pace, 1), 0); /* so it is due at once */
}

static void gathering_starts_at_the_threshold(void **unused)
{
    struct pace pace = {.limits = limits};
    assert_true(pace_may_send(&pace, limits.enter - 1, 0, NOW));
    assert_false(pace_may_send(&pace, limits.enter, 0, NOW + 5));
    assert_true(pace.gathering);
    assert_int_equal(pace_due_ns(&pace, 1), NOW + 5 + limits.interval_ns);
}

static void gathering_ends_with_hysteresis(void **unused)
{
    struct pace pace = {.limits = limits};
    assert_false(pace_may_send(&pace, limits.enter, 0, NOW));
    for (int64_t in_flight = limits.enter; in_flight > limits.leave; in_flight--)
        assert_false(pace_may_send(&pace, in_flight, 0, NOW));
    assert_false(pace_may_send(&pace, limits.leave, 1, NOW)); /* something waits */
    assert_true(pace.gathering);
    assert_true(pace_may_send(&pace, limits.leave, 0, NOW));
    assert_false(pace.gathering);
    assert_true(pace_may_send(&pace, limits.enter - 1, 0, NOW)); /* and it takes a full burst to start again */
}

static void a_beat_moves_the_next_one(void **unused)
{
    struct pace pace = {.limits = limits};
    assert_false(pace_may_send(&pace, limits.enter, 0, NOW));
    pace_beat(&pace, limits.leave + 1, NOW + limits.interval_ns);
    assert_true(pace.gathering);
    assert_int_equal(pace_due_ns(&pace, 3), NOW + 2 * limits.interval_ns);
}

static void a_beat_with_little_on_its_way_ends_gathering(void **unused)
{
    struct pace pace = {.limits = limits};
    assert_false(pace_may_send(&pace, limits.enter, 0, NOW));
    pace_beat(&pace, limits.leave, NOW);
    assert_false(pace.gathering);
    assert_true(pace_may_send(&pace, limits.leave, 0, NOW));
}

/* A corked producer never asks pace_may_send(): only its beats see the load. */
static void a_large_beat_starts_gathering(void **unused)
{
    struct pace pace = {.limits = limits};
    pace_beat(&pace, limits.enter - 1, NOW);
    assert_false(pace.gathering);
    assert_int_equal(pace_due_ns(&pace, 1), 0);
    pace_beat(&pace, limits.enter, NOW);
    assert_true(pace.gathering);
    assert_int_equal(pace_due_ns(&pace, 1), NOW + limits.interval_ns);
}

static int64_t interval_after(struct pace *pace, int64_t took_ns, int answers)
{
    for (int i = 0; i < answers; i++)
        pace_answered(pace, took_ns);
    pace_beat(pace, limits.enter, NOW);
    return pace_due_ns(pace, 1) - NOW;
}

static void beats_are_a_part_of_what_answers_take(void **unused)
{
    struct pace pace = {.limits = limits};
    pace.limits.interval_most_ns = 10000000;
    assert_int_equal(interval_after(&pace, 900000, 2000), limits.interval_ns); /* a third would be less than the least */
    assert_int_equal(interval_after(&pace, 12000000, 2000), 4000000);
    assert_int_equal(interval_after(&pace, 6000000, 200), 2000000); /* at once quick again */
    assert_int_equal(interval_after(&pace, 900000000, 2000), 10000000); /* the most */
    struct pace fixed = {.limits = limits};
    assert_int_equal(interval_after(&fixed, 12000000, 2000), limits.interval_ns); /* no most given */
}

/* Work of a second beside answers of 3 ms, two of one for one of the other: the 3 ms count. */
static void quick_answers_are_not_kept_for_slow_ones(void **unused)
{
    struct pace pace = {.limits = limits};
    pace.limits.interval_most_ns = 1000000000;
    for (int i = 0; i < 2000; i++) {
        pace_answered(&pace, 1000000000);
        pace_answered(&pace, 1000000000);
        pace_answered(&pace, 3000000);
        if (i > 200)
            assert_in_range(pace.quick_ns, 2900000, 3200000);
    }
}

static void nothing_gathered_is_never_due(void **unused)
{
    struct pace pace = {.limits = limits};
    assert_int_equal(pace_due_ns(&pace, 0), INT64_MAX);
    pace_beat(&pace, limits.enter, NOW);
    assert_int_equal(pace_due_ns(&pace, 0), INT64_MAX);
}

static void silence_is_doubted_while_something_is_on_its_way(void **unused)
{
    assert_false(pace_is_silent(0, 0, NOW));
    assert_false(pace_is_silent(1, NOW, NOW + PACE_SILENCE_NS - 1));
    assert_true(pace_is_silent(1, NOW, NOW + PACE_SILENCE_NS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_sends_at_once),
        cmocka_unit_test(nothing_overtakes_what_is_gathered),
        cmocka_unit_test(gathering_starts_at_the_threshold),
        cmocka_unit_test(gathering_ends_with_hysteresis),
        cmocka_unit_test(a_beat_moves_the_next_one),
        cmocka_unit_test(a_beat_with_little_on_its_way_ends_gathering),
        cmocka_unit_test(a_large_beat_starts_gathering),
        cmocka_unit_test(beats_are_a_part_of_what_answers_take),
        cmocka_unit_test(quick_answers_are_not_kept_for_slow_ones),
        cmocka_unit_test(nothing_gathered_is_never_due),
        cmocka_unit_test(silence_is_doubted_while_something_is_on_its_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
