/* SPDX-License-Identifier: Apache-2.0 */
/* When too many wait behind one key, and when few do again. */
#include "worker/crowd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LIMIT 4

static void a_limit_and_half_of_it(void **unused)
{
    struct crowd crowd = {.crowds = 0};
    for (int i = 1; i < LIMIT; i++)
        assert_false(crowd_enter(&crowd, 7, LIMIT));
    assert_int_equal(crowd.crowds, 0);
    assert_true(crowd_enter(&crowd, 7, LIMIT));
    assert_int_equal(crowd.crowds, 1);
    assert_false(crowd_enter(&crowd, 7, LIMIT)); /* said once */
    for (int i = LIMIT + 1; i > LIMIT / 2 + 1; i--) {
        crowd_leave(&crowd, 7, LIMIT);
        assert_int_equal(crowd.crowds, 1);
    }
    crowd_leave(&crowd, 7, LIMIT);
    assert_int_equal(crowd.crowds, 0);
    assert_false(crowd_enter(&crowd, 7, LIMIT));
    assert_true(crowd_enter(&crowd, 7, LIMIT));
}

static void keys_count_by_themselves(void **unused)
{
    struct crowd crowd = {.crowds = 0};
    for (uint64_t hash = 0; hash < 2 * LIMIT; hash++)
        assert_false(crowd_enter(&crowd, hash, LIMIT));
    for (int i = 1; i < LIMIT; i++) {
        (void)crowd_enter(&crowd, 1, LIMIT);
        (void)crowd_enter(&crowd, 2, LIMIT);
    }
    assert_int_equal(crowd.crowds, 2);
    while (crowd.waiting[1] > 0)
        crowd_leave(&crowd, 1, LIMIT);
    assert_int_equal(crowd.crowds, 1);
}

static void a_limit_of_one(void **unused)
{
    struct crowd crowd = {.crowds = 0};
    assert_true(crowd_enter(&crowd, 7, 1));
    crowd_leave(&crowd, 7, 1);
    assert_int_equal(crowd.crowds, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_and_half_of_it),
        cmocka_unit_test(keys_count_by_themselves),
        cmocka_unit_test(a_limit_of_one),
    };
    return cmocka_run_group_tests_name("crowd", tests, NULL, NULL);
}
