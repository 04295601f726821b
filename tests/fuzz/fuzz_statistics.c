/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as CSV, as a JSON array, and as the body of compute.start: nothing is read or written that is not there, what is taken for a number is
 * one to the C library too, and in two parts the result is the same.
 */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "body.h"
#include "kernels/numbers.h"

static void check_number(struct slice text, bool good, double value)
{
    if (!good)
        return;
    char *copy = malloc(text.len + 1), *end;
    assert(copy && fabs(value) <= NUMBERS_LIMIT);
    memcpy(copy, text.p, text.len);
    copy[text.len] = '\0';
    assert(strtod(copy, &end) == value);
    while (*end == ' ' || *end == '\t')
        end++;
    assert(*end == '\0');
    free(copy);
}

static void read_csv(struct slice text, size_t column, char delimiter, bool header)
{
    struct numbers_csv in = {.text = text, .delimiter = delimiter, .column = column, .line = 1};
    double value;
    size_t rows = 0;
    if (header && !numbers_csv_header(&in, SLICE("x"))) {
        assert(in.why);
        return;
    }
    for (;;) {
        enum numbers_next next = numbers_csv_next(&in, &value);
        assert(in.pos <= text.len && in.line <= text.len + 1);
        if (next == NUMBERS_END || next == NUMBERS_WRONG) {
            assert((next == NUMBERS_WRONG) == (in.why != NULL));
            return;
        }
        assert(++rows <= text.len);
    }
}

static void read_json(struct slice text)
{
    struct numbers_json in = {.text = text};
    double value;
    enum numbers_next next;
    size_t values = 0;
    while ((next = numbers_json_next(&in, &value)) == NUMBERS_VALUE || next == NUMBERS_MISSING)
        assert(++values <= text.len / 2); /* the kind makes room for so many */
}

static enum kernel_end run(const struct body *body, size_t parts, struct buf *ret_result)
{
    struct budget budget;
    struct arena arena;
    budget_init(&budget, body->kind->memory(&body->input), SIZE_MAX / 2);
    assert(arena_open(&arena, &budget, 0));
    struct task task = {.kind = body->kind, .input = &body->input, .arena = &arena};
    enum kernel_end end = task_run(&task, parts, ret_result);
    assert(end == KERNEL_DONE || (end == KERNEL_REFUSED && task.error[0]));
    arena_close(&arena);
    assert(budget.used == 0);
    return end;
}

static void read_body(struct slice text)
{
    struct body body;
    struct buf error = {0}, whole = {0}, halves = {0};
    if (!body_parse(text, &body, &error)) {
        assert(error.len > 0);
    } else {
        if (body.kind == &kind_statistics) { /* the others are bounded by seconds, not by their text */
            enum kernel_end end = run(&body, 1, &whole);
            assert(run(&body, 2, &halves) == end);
            assert(slice_equal(buf_slice(&whole), buf_slice(&halves)));
            struct json_error why;
            assert(end != KERNEL_DONE || json_check_strict(buf_slice(&whole), &why));
        }
        body_done(&body);
    }
    buf_done(&error);
    buf_done(&whole);
    buf_done(&halves);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1); /* exactly as long as the text: reading past its end is seen */
    assert(copy);
    memcpy(copy, data, size);
    struct slice text = slice_make(copy, size);
    double value = 0;
    check_number(text, number_parse(text, &value), value);
    read_csv(text, 1, ',', false);
    read_csv(text, 2, ';', true);
    read_json(text);
    read_body(text);
    free(copy);
    return 0;
}
