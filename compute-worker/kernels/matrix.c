/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The product of two dense matrices of doubles, n by n, made of a seed; the result is what can be checked of it.
 *
 * Goto and van de Geijn, Anatomy of High-Performance Matrix Multiplication, ACM TOMS 34 (2008): both matrices are packed into
 * strips, and a small tile of the product stays in registers while a piece of them goes by from the caches (product.c).
 *
 * Entries are integers from -8 to 7, so every sum is exact, in any order and on any machine. Entry (i, k) of matrix m (0: A, 1: B)
 * is the nibble k % 32 of Philox counter {k / 32, i, m}, from the lowest on, minus 8. A unit is UNIT_ROWS rows of the product; an
 * outcome is three integers.
 */
#include "kernels/kernels.h"
#include "kernels/pack.h"
#include "kernels/product.h"

#include <inttypes.h>
#include <math.h>

#define N_MAX     4096
#define UNIT_ROWS 64
#define NIBBLES   32 /* of one counter */
_Static_assert(UNIT_ROWS % PRODUCT_ROWS == 0, "a unit is whole strips");

static const struct json_member params[] = {
    {"n", JSON_INT64, true, 1, N_MAX},
    {"seed", JSON_INT64, true, 0, INT64_MAX},
};

struct matrix {
    size_t n;
    size_t columns; /* n, rounded up to whole strips: what is beyond n is zero */
    uint32_t key[2];
    const double *b; /* packed: strip after strip, row after row, PRODUCT_COLUMNS side by side */
};

/* Entries `column` to `column + NIBBLES - 1` of a row. */
static void make_entries(const struct matrix *matrix, uint32_t which, size_t row, size_t column, double ret_entries[NIBBLES])
{
    const uint32_t counter[4] = {(uint32_t)(column / NIBBLES), (uint32_t)row, which, 0};
    uint32_t words[4];
    philox4x32(counter, matrix->key, words);
    for (size_t i = 0; i < NIBBLES; i++)
        ret_entries[i] = (double)(words[i / 8] >> 4 * (i % 8) & 15) - 8;
}

static enum kernel_end make_b(const struct task *task, const struct matrix *matrix, double *b)
{
    double entries[NIBBLES];
    for (size_t k = 0; k < matrix->n; k++) {
        if (task_stopping(task))
            return KERNEL_STOPPED;
        for (size_t j = 0; j < matrix->n; j++) {
            if (j % NIBBLES == 0)
                make_entries(matrix, 1, k, j, entries);
            b[j / PRODUCT_COLUMNS * PRODUCT_COLUMNS * matrix->n + k * PRODUCT_COLUMNS + j % PRODUCT_COLUMNS] = entries[j % NIBBLES];
        }
    }
    return KERNEL_DONE;
}

/* Rows from `first` on as strips of PRODUCT_ROWS; those beyond the matrix are zero. */
static void make_a(const struct matrix *matrix, size_t first, double *a)
{
    double entries[NIBBLES];
    memset(a, 0, UNIT_ROWS * matrix->n * sizeof(*a));
    for (size_t r = 0; r < UNIT_ROWS && first + r < matrix->n; r++) {
        double *strip = a + r / PRODUCT_ROWS * PRODUCT_ROWS * matrix->n + r % PRODUCT_ROWS;
        for (size_t k = 0; k < matrix->n; k++) {
            if (k % NIBBLES == 0)
                make_entries(matrix, 0, first + r, k, entries);
            strip[k * PRODUCT_ROWS] = entries[k % NIBBLES];
        }
    }
}

static enum kernel_end matrix_prepare(struct task *task)
{
    struct matrix *matrix = arena_alloc(task->arena, sizeof(*matrix));
    if (!matrix)
        return KERNEL_NO_MEMORY;
    uint64_t seed = (uint64_t)json_member_int64(task->input->params, "seed", 0);
    *matrix = (struct matrix){.n = (size_t)json_member_int64(task->input->params, "n", 1),
                              .key = {(uint32_t)seed, (uint32_t)(seed >> 32)}};
    matrix->columns = (matrix->n + PRODUCT_COLUMNS - 1) / PRODUCT_COLUMNS * PRODUCT_COLUMNS;
    double *b = arena_array(task->arena, matrix->columns * matrix->n, sizeof(*b));
    if (!b)
        return KERNEL_NO_MEMORY;
    matrix->b = b;
    task->units = (matrix->n - 1) / UNIT_ROWS + 1;
    task->data = matrix;
    return make_b(task, matrix, b);
}

/* What is told of the product. Each is exact: |entry| <= 64 n, so squares sum up to less than 2^61. */
struct sums {
    int64_t trace, sum, squares;
};

static void add_rows(const struct matrix *matrix, size_t first, const double *c, struct sums *sums)
{
    for (size_t r = 0; r < UNIT_ROWS && first + r < matrix->n; r++) {
        const double *row = c + r * matrix->columns;
        sums->trace += (int64_t)row[first + r];
        for (size_t j = 0; j < matrix->n; j++) {
            int64_t entry = (int64_t)row[j];
            sums->sum += entry;
            sums->squares += entry * entry;
        }
    }
}

/* One unit's rows of A, times B, into `c`. */
static enum kernel_end multiply(const struct task *task, const struct matrix *matrix, const double *a, double *c)
{
    memset(c, 0, UNIT_ROWS * matrix->columns * sizeof(*c));
    for (size_t k = 0; k < matrix->n; k += PRODUCT_DEPTH) {
        size_t depth = matrix->n - k < PRODUCT_DEPTH ? matrix->n - k : PRODUCT_DEPTH;
        if (task_stopping(task)) /* at most 2^27 operations since the last look */
            return KERNEL_STOPPED;
        for (size_t j = 0; j < matrix->columns; j += PRODUCT_COLUMNS) {
            for (size_t r = 0; r < UNIT_ROWS; r += PRODUCT_ROWS)
                product_tile(a + r * matrix->n + k * PRODUCT_ROWS, matrix->b + j * matrix->n + k * PRODUCT_COLUMNS, depth,
                             c + r * matrix->columns + j, matrix->columns);
        }
    }
    return KERNEL_DONE;
}

static enum kernel_end matrix_compute(struct task *task, struct part part, struct slice *ret_outcome)
{
    const struct matrix *matrix = task->data;
    struct packer out = {.p = arena_alloc(task->arena, 3 * PACK_WORD), .cap = 3 * PACK_WORD};
    struct arena_mark mark = arena_mark(task->arena);
    double *a = arena_array(task->arena, UNIT_ROWS * matrix->n, sizeof(*a));
    double *c = arena_array(task->arena, UNIT_ROWS * matrix->columns, sizeof(*c));
    struct sums sums = {0};
    if (!out.p || !a || !c)
        return KERNEL_NO_MEMORY;
    for (uint64_t unit = part.first; unit < part.first + part.count; unit++) {
        make_a(matrix, unit * UNIT_ROWS, a);
        if (multiply(task, matrix, a, c) != KERNEL_DONE)
            return KERNEL_STOPPED;
        add_rows(matrix, unit * UNIT_ROWS, c, &sums);
        task_advance(task, 1);
    }
    arena_release(task->arena, mark);
    pack_u64(&out, (uint64_t)sums.trace);
    pack_u64(&out, (uint64_t)sums.sum);
    pack_u64(&out, (uint64_t)sums.squares);
    *ret_outcome = slice_make(out.p, out.len);
    return KERNEL_DONE;
}

static enum kernel_end matrix_merge(struct task *task, const struct slice *outcomes, size_t count, struct buf *ret_result)
{
    uint64_t trace = 0, sum = 0, squares = 0; /* two's complement: foreign bytes must not overflow */
    for (size_t i = 0; i < count; i++) {
        struct unpacker in = {.rest = outcomes[i]};
        trace += unpack_u64(&in);
        sum += unpack_u64(&in);
        squares += unpack_u64(&in);
        if (!unpack_ended(&in))
            return task_refuse(task, "the outcome of part %zu cannot be read", i);
    }
    buf_printf(ret_result,
               "{\"trace\":%" PRId64 ",\"sum\":%" PRId64 ",\"squared_norm\":%" PRIu64 ",\"frobenius_norm\":%.17g}",
               (int64_t)trace, (int64_t)sum, squares, sqrt((double)squares));
    return KERNEL_DONE;
}

/* 2 n^3 operations at twenty a nanosecond, and making the entries. */
static uint64_t matrix_cost(const struct input *input)
{
    uint64_t n = (uint64_t)json_member_int64(input->params, "n", 1);
    return 100000 + n * n * n / 10 + n * n * 4;
}

static size_t matrix_memory(const struct input *input)
{
    size_t n = (size_t)json_member_int64(input->params, "n", 1), columns = n + PRODUCT_COLUMNS;
    return arena_room(columns * n * sizeof(double), 1) + arena_room(UNIT_ROWS * columns * sizeof(double), 2) +
           arena_room(TASK_PARTS_MAX * (sizeof(struct slice) + 2 * 64), 2);
}

const struct kind kind_matrix = {
    .name = "matrix",
    .params = params,
    .param_count = sizeof(params) / sizeof(params[0]),
    .cost = matrix_cost,
    .memory = matrix_memory,
    .prepare = matrix_prepare,
    .compute = matrix_compute,
    .merge = matrix_merge,
};
