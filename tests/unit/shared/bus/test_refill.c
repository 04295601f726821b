/* SPDX-License-Identifier: Apache-2.0 */
/* A queue that was high and has drained is refilled, once; one that never was high is left alone. */
#include "bus/refill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct refill_level level(void)
{
    return (struct refill_level){.max_count = 1000, .max_bytes = 100000};
}

static void a_queue_that_never_was_high_is_left_alone(void **unused)
{
    struct refill_level l = level();
    for (size_t count = 499; count > 0; count--)
        assert_false(refill_due(&l, count, count));
}

static void a_drained_queue_is_refilled_once(void **unused)
{
    struct refill_level l = level();
    assert_false(refill_due(&l, 500, 0));
    assert_false(refill_due(&l, 250, 0));
    assert_true(refill_due(&l, 249, 0));
    assert_false(refill_due(&l, 100, 0));
    assert_false(refill_due(&l, 1000, 0));
    assert_true(refill_due(&l, 0, 0));
}

/* A few large messages fill a queue too. */
static void bytes_count_as_well(void **unused)
{
    struct refill_level l = level();
    assert_false(refill_due(&l, 5, 50000));
    assert_false(refill_due(&l, 3, 25000));
    assert_true(refill_due(&l, 2, 24999));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_that_never_was_high_is_left_alone),
        cmocka_unit_test(a_drained_queue_is_refilled_once),
        cmocka_unit_test(bytes_count_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
