/* SPDX-License-Identifier: Apache-2.0 */
/* Quantiles of the digest against exact ones, for numbers of many shapes, merged from many pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/digest.h"
#include "kernels/kernels.h"

#define COUNT 200000
#define PIECE 16384

/* 0 < u < 1, the same in every run. */
static double uniform(uint32_t i)
{
    const uint32_t counter[4] = {i}, key[2] = {2024};
    uint32_t words[4];
    philox4x32(counter, key, words);
    return (words[0] + 0.5) / 4294967296.0;
}

static double normal(uint32_t i)
{
    return sqrt(-2 * log(uniform(2 * i))) * cos(6.283185307179586 * uniform(2 * i + 1));
}

static double shape_uniform(uint32_t i) { return uniform(i); }
static double shape_normal(uint32_t i) { return normal(i); }
static double shape_exponential(uint32_t i) { return -log(uniform(i)); }
static double shape_pareto(uint32_t i) { return pow(uniform(i), -2); } /* no mean: a few enormous ones */
static double shape_two_humps(uint32_t i) { return i % 10 ? 1e6 + normal(i) : -1e6 + normal(i); }
static double shape_rising(uint32_t i) { return i; }
static double shape_falling(uint32_t i) { return COUNT - (double)i; }
static double shape_dice(uint32_t i) { return floor(6 * uniform(i)) + 1; }
static double shape_equal(uint32_t i) { return 42; }

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static size_t rank_of(const double *sorted, double value, bool equal_too)
{
    size_t low = 0, high = COUNT;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (sorted[middle] < value || (equal_too && sorted[middle] == value))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* How far the found value's ranks are from the wanted one, as a share of all. */
static double rank_error(const double *sorted, double q, double found)
{
    double wanted = q * (COUNT - 1), first = (double)rank_of(sorted, found, false) - 1, last = (double)rank_of(sorted, found, true);
    return wanted < first ? (first - wanted) / COUNT : wanted > last ? (wanted - last) / COUNT : 0;
}

static size_t digest_of(const double *values, struct centroid *list, struct centroid *scratch)
{
    size_t merged = 0;
    for (size_t first = 0; first < COUNT; first += PIECE) {
        size_t count = COUNT - first < PIECE ? COUNT - first : PIECE;
        for (size_t i = 0; i < count; i++)
            list[merged + i] = (struct centroid){values[first + i], 1};
        digest_sort(list + merged, count, scratch);
        size_t left = digest_compress(list + merged, count);
        assert_true(left <= DIGEST_MAX);
        merged += left;
    }
    digest_sort(list, merged, scratch);
    size_t left = digest_compress(list, merged);
    assert_true(left <= DIGEST_MAX);
    return left;
}

static void expect_accurate(double shape(uint32_t))
{
    static const double quantiles[] = {0, 0.0001, 0.001, 0.01, 0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1};
    double *values = malloc(COUNT * sizeof(*values));
    struct centroid *list = malloc(2 * COUNT * sizeof(*list)), *scratch = list + COUNT;
    for (uint32_t i = 0; i < COUNT; i++)
        values[i] = shape(i);
    size_t count = digest_of(values, list, scratch);
    qsort(values, COUNT, sizeof(*values), compare);
    for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
        double q = quantiles[i], found = digest_quantile(list, count, values[0], values[COUNT - 1], q);
        double most = 0.01 * sqrt(q * (1 - q)) + 1.0 / COUNT; /* two thirds of the widest centroid there */
        if (rank_error(values, q, found) > most)
            fail_msg("quantile %g is %g: %g of the ranks off, more than %g", q, found, rank_error(values, q, found), most);
    }
    free(values);
    free(list);
}

static void accurate(void **state)
{
    expect_accurate(shape_uniform);
    expect_accurate(shape_normal);
    expect_accurate(shape_exponential);
    expect_accurate(shape_pareto);
    expect_accurate(shape_two_humps);
    expect_accurate(shape_rising);
    expect_accurate(shape_falling);
    expect_accurate(shape_dice);
    expect_accurate(shape_equal);
}

/* As numpy.quantile has it. */
static void few_are_exact(void **state)
{
    struct centroid list[] = {{1, 1}, {2, 1}, {4, 1}, {8, 1}};
    assert_int_equal(digest_compress(list, 4), 4);
    assert_true(digest_quantile(list, 4, 1, 8, 0) == 1);
    assert_true(digest_quantile(list, 4, 1, 8, 0.5) == 3);
    assert_true(digest_quantile(list, 4, 1, 8, 0.75) == 5);
    assert_true(fabs(digest_quantile(list, 4, 1, 8, 0.9) - 6.8) < 1e-12);
    assert_true(digest_quantile(list, 4, 1, 8, 1) == 8);
    assert_true(digest_quantile(list, 1, 1, 1, 0.3) == 1);
}

static void sorts(void **state)
{
    struct centroid list[100], scratch[100];
    for (size_t count = 0; count <= 100; count++) {
        for (size_t i = 0; i < count; i++)
            list[i] = (struct centroid){floor(20 * uniform((uint32_t)i)), (double)i};
        digest_sort(list, count, scratch);
        for (size_t i = 1; i < count; i++) {
            assert_true(list[i - 1].mean <= list[i].mean);
            assert_true(list[i - 1].mean < list[i].mean || list[i - 1].weight < list[i].weight); /* stable */
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accurate),
        cmocka_unit_test(few_are_exact),
        cmocka_unit_test(sorts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
