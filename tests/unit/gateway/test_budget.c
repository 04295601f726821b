/* SPDX-License-Identifier: Apache-2.0 */
/* How much may be repeated. */
#include "budget.h"

#include "support.h"

#define S INT64_C(1000000000)

static int take_all(struct budget *budget, int64_t now_ns)
{
    int taken = 0;
    while (budget_take(budget, now_ns))
        taken++;
    return taken;
}

static void a_share_of_what_is_sent(void **unused)
{
    struct budget budget;
    budget_init(&budget, 10, S);
    (void)take_all(&budget, S);
    for (int i = 0; i < 500; i++)
        budget_pay(&budget);
    assert_int_equal(take_all(&budget, S), 50);
    budget_done(&budget);
}

static void a_little_with_time_and_no_more_than_is_kept(void **unused)
{
    struct budget budget;
    budget_init(&budget, 10, S);
    assert_int_equal(take_all(&budget, S), 10);
    assert_int_equal(take_all(&budget, S + S / 2), 5);
    assert_int_equal(take_all(&budget, 10000 * S), 100);
    for (int i = 0; i < 100000; i++)
        budget_pay(&budget);
    assert_int_equal(take_all(&budget, 10000 * S), 100);
    budget_done(&budget);
}

static void none(void **unused)
{
    struct budget budget;
    budget_init(&budget, 0, S);
    for (int i = 0; i < 1000; i++)
        budget_pay(&budget);
    assert_int_equal(take_all(&budget, 1000 * S), 0);
    budget_done(&budget);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_share_of_what_is_sent),
        cmocka_unit_test(a_little_with_time_and_no_more_than_is_kept),
        cmocka_unit_test(none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
