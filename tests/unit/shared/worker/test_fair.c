/* SPDX-License-Identifier: Apache-2.0 */
/* Whose turn it is: callers one after the other, each one's tasks in their order, none lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "worker/fair.h"

static struct fair fair;

static void push(struct pool_task *tasks, const char *callers)
{
    for (size_t i = 0; callers[i]; i++) {
        tasks[i].caller = (uint64_t)callers[i];
        fair_push(&fair, &tasks[i]);
    }
}

static void expect(const char *callers)
{
    for (size_t i = 0; callers[i]; i++) {
        const struct pool_task *task = fair_pop(&fair);
        assert_non_null(task);
        assert_int_equal(task->caller, callers[i]);
    }
}

static void callers_take_turns(void **state)
{
    struct pool_task tasks[16] = {{0}};
    fair_init(&fair);
    push(tasks, "aaaaaabbc");
    expect("abcab");
    push(tasks + 9, "d"); /* after a, whose turn it is, and before a's next */
    expect("adaaa");
    assert_null(fair_pop(&fair));
    assert_int_equal(fair.count, 0);
}

static void one_caller_is_first_come_first_served(void **state)
{
    struct pool_task tasks[100] = {{0}};
    fair_init(&fair);
    for (int i = 0; i < 100; i++)
        fair_push(&fair, &tasks[i]);
    for (int i = 0; i < 100; i++)
        assert_ptr_equal(fair_pop(&fair), &tasks[i]);
}

/* A newcomer waits for at most one task of each other caller, however many those have. */
static void nobody_waits_for_more_than_a_round(void **state)
{
    enum { CROWD = 1000, OTHERS = 20 };
    static struct pool_task crowd[CROWD], late;
    fair_init(&fair);
    for (int i = 0; i < CROWD; i++) {
        crowd[i].caller = (uint64_t)(i % OTHERS);
        fair_push(&fair, &crowd[i]);
    }
    late.caller = OTHERS;
    fair_push(&fair, &late);
    int before = 0;
    while (fair_pop(&fair) != &late)
        before++;
    assert_int_equal(before, OTHERS);
}

static void none_is_lost(void **state)
{
    enum { COUNT = 5000 };
    static struct pool_task tasks[COUNT];
    uint64_t last[3 * FAIR_CALLERS] = {0};
    int in = 0, out = 0;
    fair_init(&fair);
    srand(1);
    while (out < COUNT) {
        if (in < COUNT && rand() % 3) {
            tasks[in].caller = (uint64_t)(rand() % (3 * FAIR_CALLERS));
            fair_push(&fair, &tasks[in++]);
            continue;
        }
        const struct pool_task *task = fair_pop(&fair);
        assert_int_equal(task != NULL, in > out);
        if (!task)
            continue;
        uint64_t number = (uint64_t)(task - tasks) + 1;
        assert_true(number > last[task->caller]); /* its caller's own order */
        last[task->caller] = number;
        assert_int_equal(fair.count, in - ++out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(callers_take_turns),
        cmocka_unit_test(one_caller_is_first_come_first_served),
        cmocka_unit_test(nobody_waits_for_more_than_a_round),
        cmocka_unit_test(none_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
