/* SPDX-License-Identifier: Apache-2.0 */
/* Philox against the known answers of Random123, and counts that do not depend on how they are split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "support.h"

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

/* One sample after the other, as the kind is documented. */
static unsigned naive(uint32_t seed, unsigned samples)
{
    unsigned inside = 0;
    for (unsigned i = 0; i < samples; i++) {
        const uint32_t counter[4] = {i / 2}, key[2] = {seed};
        uint32_t words[4];
        philox4x32(counter, key, words);
        uint64_t x = words[i % 2 * 2] >> 1, y = words[i % 2 * 2 + 1] >> 1, radius = 0x7fffffff;
        inside += x * x + y * y <= radius * radius;
    }
    return inside;
}

static void counts_what_it_says(void **state)
{
    static const unsigned samples[] = {1, 2, 3, 262143, 262144, 262145};
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        char params[64];
        snprintf(params, sizeof(params), "{\"samples\":%u,\"seed\":9}", samples[i]);
        struct run run = run_kind("pi", params, 1, NULL);
        assert_int_equal((unsigned)member(&run, "inside"), naive(9, samples[i]));
        run_done(&run);
    }
}

static void any_split_counts_the_same(void **state)
{
    expect_any_split("pi", "{\"samples\":1,\"seed\":7}");
    expect_any_split("pi", "{\"samples\":1000001,\"seed\":7}");
}

/* As it was before there were parts: answers that are kept somewhere stay right. */
static void stays_as_it_was(void **state)
{
    expect_result("pi", "{\"samples\":1000000,\"seed\":42}", 3,
                  "{\"pi\":3.143424,\"standard_error\":0.0016409087592623788,\"inside\":785856}");
}

/* Within six of its own error bars. */
static void near_pi(void **state)
{
    for (unsigned seed = 0; seed < 5; seed++) {
        char params[64];
        snprintf(params, sizeof(params), "{\"samples\":4000000,\"seed\":%u}", seed);
        struct run run = run_kind("pi", params, 4, NULL);
        double pi = member(&run, "pi"), error = member(&run, "standard_error");
        assert_true(fabs(error - 0.00082) < 0.00001); /* 4 sqrt(p (1 - p) / n) */
        assert_true(fabs(pi - 3.14159265358979) < 6 * error);
        run_done(&run);
    }
}

static void bounds(void **state)
{
    expect_refusal("pi", "{\"samples\":0,\"seed\":0}", "\"samples\" must be an integer from 1 to 100000000000");
    expect_refusal("pi", "{\"samples\":1,\"seed\":-1}", "\"seed\"");
    expect_refusal("pi", "{\"samples\":1}", "\"seed\" is missing");
}

static void stops(void **state)
{
    expect_stop("pi", "{\"samples\":100000000000,\"seed\":1}", 20);
}

static void says_how_far_it_is(void **state)
{
    struct job job = {.deadline_ns = -50};
    struct run run = run_kind("pi", "{\"samples\":200000000,\"seed\":7}", 1, &job);
    assert_int_equal(run.end, KERNEL_STOPPED);
    assert_true(atomic_load(&job.done) > 1 && atomic_load(&job.done) < 1 + JOB_PARTS);
    run_done(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_known_answers),
        cmocka_unit_test(counts_what_it_says),
        cmocka_unit_test(any_split_counts_the_same),
        cmocka_unit_test(stays_as_it_was),
        cmocka_unit_test(near_pi),
        cmocka_unit_test(bounds),
        cmocka_unit_test(stops),
        cmocka_unit_test(says_how_far_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
