/* SPDX-License-Identifier: Apache-2.0 */
/* When a wait ends, and what it says. */
#include "loop.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"

/** A wait that does not end is ended by a signal nobody catches. */
#define STUCK_SECONDS 10

static void wait_on(unsigned readable, int64_t until_ns, uint32_t expected)
{
    struct loop loop;
    int first = eventfd(readable & 1U, EFD_CLOEXEC), second = eventfd(readable >> 1 & 1U, EFD_CLOEXEC);
    assert_int_equal(loop_open(&loop), 0);
    assert_int_equal(loop_add(&loop, first, 0), 0);
    assert_int_equal(loop_add(&loop, second, 31), 0);
    alarm(STUCK_SECONDS);
    assert_int_equal(loop_wait(&loop, until_ns), expected);
    alarm(0);
    loop_close(&loop);
    close(first);
    close(second);
}

static void a_time_that_is_over_ends_it_at_once(void **state)
{
    const int64_t over[] = {INT64_MIN, INT64_MIN + 1, -1, 0, clock_mono_ns()};
    for (size_t i = 0; i < sizeof(over) / sizeof(over[0]); i++)
        wait_on(0, over[i], 0);
}

static void a_time_to_come_ends_it_then(void **state)
{
    int64_t until_ns = clock_mono_ns() + CLOCK_NS_PER_MS;
    wait_on(0, until_ns, 0);
    assert_true(clock_mono_ns() >= until_ns);
}

static void what_is_readable_ends_it_and_is_said(void **state)
{
    wait_on(1, INT64_MAX, UINT32_C(1));
    wait_on(2, INT64_MAX, UINT32_C(1) << 31);
    wait_on(3, INT64_MAX, UINT32_C(1) | UINT32_C(1) << 31);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_that_is_over_ends_it_at_once),
        cmocka_unit_test(a_time_to_come_ends_it_then),
        cmocka_unit_test(what_is_readable_ends_it_and_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
