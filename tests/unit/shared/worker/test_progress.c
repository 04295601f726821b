/* SPDX-License-Identifier: Apache-2.0 */
/* Progress over all partitions, once a second, from nought again when none was replayed. */
#include "worker/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOW INT64_C(5000000000)

static void a_short_replay_tells_nothing(void **unused)
{
    struct progress progress = {0};
    int percent;
    assert_false(progress_due(&progress, NOW, &percent));
    progress_begin(&progress, 100, NOW);
    progress_add(&progress, 100);
    assert_false(progress_due(&progress, NOW + PROGRESS_NS - 1, &percent));
    progress_end(&progress, 0);
    assert_false(progress_due(&progress, NOW + 2 * PROGRESS_NS, &percent));
}

static void a_long_one_tells_once_a_second(void **unused)
{
    struct progress progress = {0};
    int percent;
    progress_begin(&progress, 300, NOW);
    progress_begin(&progress, 100, NOW + 1);
    progress_add(&progress, 100);
    assert_true(progress_due(&progress, NOW + PROGRESS_NS, &percent));
    assert_int_equal(percent, 25);
    assert_false(progress_due(&progress, NOW + PROGRESS_NS + 1, &percent));
    progress_add(&progress, 200);
    progress_end(&progress, 0); /* the first is done: it goes on counting */
    assert_true(progress_due(&progress, NOW + 2 * PROGRESS_NS, &percent));
    assert_int_equal(percent, 75);
}

static void one_that_is_given_up_does_not_count(void **unused)
{
    struct progress progress = {0};
    int percent;
    progress_begin(&progress, 1000, NOW);
    progress_begin(&progress, 100, NOW);
    progress_add(&progress, 50);
    progress_end(&progress, 1000);
    assert_true(progress_due(&progress, NOW + PROGRESS_NS, &percent));
    assert_int_equal(percent, 50);
}

static void the_next_replay_begins_at_nought(void **unused)
{
    struct progress progress = {0};
    int percent;
    progress_begin(&progress, 100, NOW);
    progress_add(&progress, 100);
    progress_end(&progress, 0);
    progress_begin(&progress, 200, NOW + 9 * PROGRESS_NS);
    progress_add(&progress, 20);
    assert_false(progress_due(&progress, NOW + 9 * PROGRESS_NS, &percent));
    assert_true(progress_due(&progress, NOW + 10 * PROGRESS_NS, &percent));
    assert_int_equal(percent, 10);
}

/* Nothing to read and yet no end: the claim itself is missing. */
static void nothing_to_read_is_all_of_it(void **unused)
{
    struct progress progress = {0};
    int percent;
    progress_begin(&progress, 0, NOW);
    assert_true(progress_due(&progress, NOW + PROGRESS_NS, &percent));
    assert_int_equal(percent, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_replay_tells_nothing),        cmocka_unit_test(a_long_one_tells_once_a_second),
        cmocka_unit_test(one_that_is_given_up_does_not_count), cmocka_unit_test(the_next_replay_begins_at_nought),
        cmocka_unit_test(nothing_to_read_is_all_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
