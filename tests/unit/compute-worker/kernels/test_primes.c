/* SPDX-License-Identifier: Apache-2.0 */
/* Counting primes against known values of pi(x) and a naive count, in any number of parts, and stopping when told to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>

#include "support.h"

static int64_t count(int64_t n)
{
    char params[64];
    struct job job = {.deadline_ns = INT64_MAX};
    snprintf(params, sizeof(params), "{\"n\":%lld}", (long long)n);
    struct run run = run_kind("primes", params, 1, &job);
    assert_int_equal(run.end, KERNEL_DONE);
    int64_t result = (int64_t)member(&run, "count");
    run_done(&run);
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

static void any_split_counts_the_same(void **state)
{
    expect_any_split("primes", "{\"n\":0}");
    expect_any_split("primes", "{\"n\":4}");
    expect_any_split("primes", "{\"n\":10000000}");
    expect_result("primes", "{\"n\":10000000}", 5, "{\"count\":664579}");
}

static void bounds(void **state)
{
    expect_refusal("primes", "{\"n\":10000000001}", "\"n\" must be an integer from 0 to 10000000000");
    expect_refusal("primes", "{\"n\":-1}", "\"n\"");
}

/* The largest count takes many seconds. */
static void stops(void **state)
{
    expect_stop("primes", "{\"n\":10000000000}", 20);
}

static void *count_many(void *arg)
{
    struct run run = run_kind("primes", "{\"n\":200000000}", 1, arg);
    run_done(&run);
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
        cmocka_unit_test(any_split_counts_the_same),
        cmocka_unit_test(bounds),
        cmocka_unit_test(stops),
        cmocka_unit_test(says_how_far_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
