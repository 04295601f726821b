/* SPDX-License-Identifier: Apache-2.0 */
/* Counting primes against known values of pi(x) and a naive count, and stopping when told to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>

#include "clock.h"
#include "kernels/kernels.h"

static int64_t count(int64_t n)
{
    struct job job = {.deadline_ns = INT64_MAX};
    int64_t result = -1;
    assert_int_equal(primes_count(n, &job, &result), KERNEL_DONE);
    return result;
}

static bool is_prime(int64_t n)
{
    for (int64_t d = 2; d * d <= n; d++) {
        if (n % d == 0)
            return false;
    }
    return n > 1;
}

static void every_small_n(void **state)
{
    int64_t primes = 0;
    for (int64_t n = 0; n < 2000; n++) {
        assert_int_equal(count(n), primes); /* below n */
        primes += is_prime(n);
    }
}

/* OEIS A006880. */
static void powers_of_ten(void **state)
{
    static const int64_t known[] = {4, 25, 168, 1229, 9592, 78498, 664579, 5761455, 50847534};
    int64_t n = 10;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++, n *= 10)
        assert_int_equal(count(n), known[i]);
}

/* Segments hold 262144 numbers from 3 on: counts must not jump where they meet. */
static void borders_of_segments(void **state)
{
    for (int64_t border = 262144 - 2; border < 262144 + 8; border++)
        assert_int_equal(count(border + 1) - count(border), is_prime(border));
    int64_t square = 1009 * 1009;
    assert_int_equal(count(square + 1) - count(square), 0);
}

static void stops(void **state)
{
    struct job stopped = {.stop = true, .deadline_ns = INT64_MAX}, late = {.deadline_ns = 0};
    int64_t result = -1;
    assert_int_equal(primes_count(1000000, &stopped, &result), KERNEL_STOPPED);
    assert_int_equal(primes_count(1000000, &late, &result), KERNEL_STOPPED);
    assert_int_equal(result, -1);
}

static void *set_stop(void *arg)
{
    struct job *job = arg;
    atomic_store(&job->stop, true);
    return NULL;
}

/* The largest count takes many seconds: it ends as soon as it is told to while it runs, or its deadline comes. */
static void stops_in_the_middle(void **state)
{
    struct job job = {.deadline_ns = INT64_MAX}, late = {.deadline_ns = clock_mono_ns() + 20 * CLOCK_NS_PER_MS};
    int64_t result = -1;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, set_stop, &job), 0);
    assert_int_equal(primes_count(INT64_C(10000000000), &job, &result), KERNEL_STOPPED);
    pthread_join(thread, NULL);
    assert_int_equal(primes_count(INT64_C(10000000000), &late, &result), KERNEL_STOPPED);
    assert_int_equal(result, -1);
}

static void *count_many(void *arg)
{
    int64_t result = 0;
    (void)primes_count(200000000, arg, &result);
    return NULL;
}

/* Seen from outside while it counts: never back, by small steps, and all of it at the end. */
static void says_how_far_it_is(void **state)
{
    struct job job = {.deadline_ns = INT64_MAX};
    pthread_t thread;
    int steps = 0;
    assert_int_equal(pthread_create(&thread, NULL, count_many, &job), 0);
    for (unsigned before = 0, now; before < 1 + JOB_PARTS; before = now) {
        now = atomic_load(&job.done);
        assert_true(now >= before);
        steps += now > before;
    }
    pthread_join(thread, NULL);
    assert_true(steps > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_small_n),
        cmocka_unit_test(powers_of_ten),
        cmocka_unit_test(borders_of_segments),
        cmocka_unit_test(stops),
        cmocka_unit_test(stops_in_the_middle),
        cmocka_unit_test(says_how_far_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
