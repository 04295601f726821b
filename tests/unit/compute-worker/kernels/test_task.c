/* SPDX-License-Identifier: Apache-2.0 */
/* Parts cover every unit once; what a foreign outcome may do; every kind is in the table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernels/pack.h"
#include "support.h"

static void parts_cover_all(void **state)
{
    static const uint64_t units[] = {0, 1, 2, 7, 1000, 1023, 1024, 1025, UINT64_C(1) << 40};
    static const size_t parts[] = {1, 2, 3, 7, 1023, TASK_PARTS_MAX};
    for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
        for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++) {
            uint64_t next = 0;
            for (size_t i = 0; i < parts[p]; i++) {
                struct part part = task_part(units[u], parts[p], i);
                assert_true(part.first == next);
                assert_true(part.count == units[u] / parts[p] || part.count == units[u] / parts[p] + 1);
                next += part.count;
            }
            assert_true(next == units[u]);
        }
    }
}

static void packs(void **state)
{
    char bytes[27];
    struct packer out = {.p = bytes, .cap = sizeof(bytes)};
    pack_u64(&out, UINT64_C(0x0102030405060708));
    pack_f64(&out, -0.1);
    pack_bytes(&out, "abc", 3);
    pack_u64(&out, 7);
    assert_memory_equal(bytes, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
    struct unpacker in = {.rest = slice_make(bytes, sizeof(bytes))};
    assert_true(unpack_u64(&in) == UINT64_C(0x0102030405060708));
    assert_true(unpack_f64(&in) == -0.1);
    assert_memory_equal(unpack_bytes(&in, 3), "abc", 3);
    assert_false(unpack_ended(&in));
    assert_true(unpack_u64(&in) == 7);
    assert_true(unpack_ended(&in));
    assert_true(unpack_u64(&in) == 0);
    assert_null(unpack_bytes(&in, 0));
    assert_false(unpack_ended(&in));
}

static const struct {
    const char *name, *params;
} examples[] = {
    {"primes", "{\"n\":1000000}"},
    {"pi", "{\"samples\":1000000,\"seed\":1}"},
    {"matrix", "{\"n\":100,\"seed\":1}"},
    {"mandelbrot", "{\"width\":20,\"height\":20,\"center_x\":0,\"center_y\":0,\"scale\":4,\"max_iterations\":50}"},
    {"statistics", "{\"numbers\":[1,2,3]}"},
};
#define EXAMPLES (sizeof(examples) / sizeof(examples[0]))

/* Cut short, with a tail, empty, and of noise: refused, or taken for what it says, but nothing is read that is not there. */
static void try_outcomes(struct task *task, struct slice good)
{
    struct buf result = {0};
    char *bytes = malloc(good.len + 8);
    for (size_t len = 0; len < good.len + 8; len += 1 + good.len / 50) {
        memcpy(bytes, good.p, len < good.len ? len : good.len);
        memset(bytes + (len < good.len ? len : good.len), 0x41, len < good.len ? 0 : len - good.len);
        char *copy = malloc(len ? len : 1);
        memcpy(copy, bytes, len);
        struct slice outcomes[2] = {slice_make(copy, len), good};
        if (len != good.len)
            assert_int_equal(task->kind->merge(task, outcomes, 1, &result), KERNEL_REFUSED);
        (void)task->kind->merge(task, outcomes, 2, &result);
        memset(copy, 0xff, len);
        (void)task->kind->merge(task, outcomes, 1, &result);
        free(copy);
    }
    free(bytes);
    buf_done(&result);
}

static void foreign_outcomes(void **state)
{
    for (size_t i = 0; i < EXAMPLES; i++) {
        struct buf text = {0}, error = {0};
        struct body body;
        struct budget budget;
        struct arena arena;
        buf_printf(&text, "{\"kind\":\"%s\",\"params\":%s}", examples[i].name, examples[i].params);
        assert_true(body_parse(buf_slice(&text), &body, &error));
        budget_init(&budget, SIZE_MAX / 2, SIZE_MAX / 2);
        assert_true(arena_open(&arena, &budget, 0));
        struct task task = {.kind = body.kind, .input = &body.input, .arena = &arena};
        struct slice outcome;
        assert_int_equal(task.kind->prepare(&task), KERNEL_DONE);
        assert_int_equal(task.kind->compute(&task, task_part(task.units, 1, 0), &outcome), KERNEL_DONE);
        try_outcomes(&task, outcome);
        arena_close(&arena);
        body_done(&body);
        buf_done(&text);
    }
}

/* Each kind under ever smaller budgets: it says so, and leaves nothing behind. */
static void too_little_memory(void **state)
{
    for (size_t i = 0; i < EXAMPLES; i++) {
        struct buf text = {0}, error = {0};
        struct body body;
        int refused = 0;
        buf_printf(&text, "{\"kind\":\"%s\",\"params\":%s}", examples[i].name, examples[i].params);
        assert_true(body_parse(buf_slice(&text), &body, &error));
        for (size_t max = body.kind->memory(&body.input); max > 0; max = max * 9 / 10) {
            struct budget budget;
            struct arena arena;
            struct buf result = {0};
            budget_init(&budget, max, SIZE_MAX / 2);
            assert_true(arena_open(&arena, &budget, 0));
            struct task task = {.kind = body.kind, .input = &body.input, .arena = &arena};
            enum kernel_end end = task_run(&task, 2, &result);
            assert_true(end == KERNEL_DONE || (end == KERNEL_NO_MEMORY && arena.refusal == ARENA_JOB_FULL && result.len == 0));
            refused += end == KERNEL_NO_MEMORY;
            arena_close(&arena);
            assert_int_equal(budget.used, 0);
            buf_done(&result);
        }
        assert_true(refused > 0);
        body_done(&body);
        buf_done(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_cover_all),
        cmocka_unit_test(packs),
        cmocka_unit_test(foreign_outcomes),
        cmocka_unit_test(too_little_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
