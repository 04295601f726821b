/* SPDX-License-Identifier: Apache-2.0 */
/* Philox against the known answers of Random123, and counts that do not depend on how they are split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "clock.h"
#include "kernels/kernels.h"

/* Random123's kat_vectors, philox4x32 with 10 rounds. */
static void philox_known_answers(void **state)
{
    static const struct {
        uint32_t counter[4], key[2], words[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        uint32_t words[4];
        philox4x32(known[i].counter, known[i].key, words);
        assert_memory_equal(words, known[i].words, sizeof(words));
    }
}

static uint64_t inside(uint64_t seed, uint64_t first, uint64_t count)
{
    struct job job = {.deadline_ns = INT64_MAX};
    uint64_t result = 0;
    assert_int_equal(pi_inside(seed, first, count, &job, &result), KERNEL_DONE);
    return result;
}

static void any_split_counts_the_same(void **state)
{
    uint64_t whole = inside(7, 0, 1000001);
    static const uint64_t cuts[] = {1, 2, 3, 262144, 262145, 500001, 999999};
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++)
        assert_int_equal(inside(7, 0, cuts[i]) + inside(7, cuts[i], 1000001 - cuts[i]), whole);
    assert_int_not_equal(inside(8, 0, 1000001), whole);
}

/* Six standard errors of 4 million samples: 4 * sqrt(p (1 - p) / n) is 0.00082. */
static void near_pi(void **state)
{
    for (uint64_t seed = 0; seed < 5; seed++) {
        double pi = 4.0 * (double)inside(seed, 0, 4000000) / 4000000.0;
        assert_true(pi > 3.14159265 - 0.005 && pi < 3.14159265 + 0.005);
    }
}

static void stops(void **state)
{
    struct job stopped = {.stop = true, .deadline_ns = INT64_MAX};
    uint64_t result = 99;
    assert_int_equal(pi_inside(1, 0, 1000000, &stopped, &result), KERNEL_STOPPED);
    assert_int_equal(result, 99);
}

static void says_how_far_it_is(void **state)
{
    struct job job = {.deadline_ns = INT64_MAX};
    uint64_t result;
    assert_int_equal(pi_inside(7, 1000, 3, &job, &result), KERNEL_DONE);
    assert_int_equal(atomic_load(&job.done), 1 + JOB_PARTS);
    job = (struct job){.deadline_ns = clock_mono_ns() + 50 * CLOCK_NS_PER_MS};
    assert_int_equal(pi_inside(7, 0, 200000000, &job, &result), KERNEL_STOPPED);
    assert_true(atomic_load(&job.done) > 1 && atomic_load(&job.done) < 1 + JOB_PARTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_known_answers),
        cmocka_unit_test(any_split_counts_the_same),
        cmocka_unit_test(near_pi),
        cmocka_unit_test(stops),
        cmocka_unit_test(says_how_far_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
