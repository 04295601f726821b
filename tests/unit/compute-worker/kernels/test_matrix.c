/* SPDX-License-Identifier: Apache-2.0 */
/* Products against the plain triple loop, and large ones against what must hold of any product. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "support.h"

/* Entry (row, column) of matrix A (0) or B (1), as the kind is documented. */
static int64_t entry(uint32_t which, uint64_t seed, size_t row, size_t column)
{
    const uint32_t counter[4] = {(uint32_t)(column / 32), (uint32_t)row, which, 0}, key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t words[4];
    philox4x32(counter, key, words);
    return (int64_t)(words[column % 32 / 8] >> 4 * (column % 8) & 15) - 8;
}

static struct run product(size_t n, uint64_t seed, size_t parts)
{
    char params[96];
    snprintf(params, sizeof(params), "{\"n\":%zu,\"seed\":%llu}", n, (unsigned long long)seed);
    struct run run = run_kind("matrix", params, parts, NULL);
    assert_int_equal(run.end, KERNEL_DONE);
    return run;
}

static void expect_naive(size_t n, uint64_t seed)
{
    int64_t trace = 0, sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            int64_t c = 0;
            for (size_t k = 0; k < n; k++)
                c += entry(0, seed, i, k) * entry(1, seed, k, j);
            trace += i == j ? c : 0;
            sum += c;
            squares += c * c;
        }
    }
    struct run run = product(n, seed, 2);
    assert_true(member(&run, "trace") == (double)trace);
    assert_true(member(&run, "sum") == (double)sum);
    assert_true(member(&run, "squared_norm") == (double)squares);
    assert_true(member(&run, "frobenius_norm") == sqrt((double)squares));
    run_done(&run);
}

/* All sizes around those of tiles, units and pieces. */
static void small_ones(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 63, 64, 65, 67, 129};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        expect_naive(sizes[i], 1);
    expect_naive(20, UINT64_C(0x7fffffffffffffff));
}

/* The sum of all entries is the sum over k of column k of A times row k of B; the trace needs no product either. */
static void a_large_one(void **state)
{
    const size_t n = 515;
    int64_t trace = 0, sum = 0;
    for (size_t k = 0; k < n; k++) {
        int64_t column = 0, row = 0;
        for (size_t i = 0; i < n; i++) {
            column += entry(0, 5, i, k);
            row += entry(1, 5, k, i);
            trace += entry(0, 5, i, k) * entry(1, 5, k, i);
        }
        sum += column * row;
    }
    struct run run = product(n, 5, 1);
    assert_true(member(&run, "trace") == (double)trace);
    assert_true(member(&run, "sum") == (double)sum);
    run_done(&run);
}

/* Computed with numpy 2.4, int64, from the documented entries. */
static void as_another_program_has_it(void **state)
{
    expect_result("matrix", "{\"n\":300,\"seed\":42}", 3,
                  "{\"trace\":23161,\"sum\":6553466,\"squared_norm\":12988199060,\"frobenius_norm\":113965.78021493996}");
}

static void any_split_gives_the_same(void **state)
{
    expect_any_split("matrix", "{\"n\":1,\"seed\":0}");
    expect_any_split("matrix", "{\"n\":300,\"seed\":3}");
}

static void bounds(void **state)
{
    expect_refusal("matrix", "{\"n\":4097,\"seed\":0}", "\"n\" must be an integer from 1 to 4096");
    expect_refusal("matrix", "{\"n\":0,\"seed\":0}", "\"n\"");
}

static void stops(void **state)
{
    expect_stop("matrix", "{\"n\":4096,\"seed\":1}", 10);  /* while the entries are made */
    expect_stop("matrix", "{\"n\":4096,\"seed\":1}", 600); /* while they are multiplied */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_ones), cmocka_unit_test(a_large_one), cmocka_unit_test(as_another_program_has_it),
        cmocka_unit_test(any_split_gives_the_same), cmocka_unit_test(bounds), cmocka_unit_test(stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
