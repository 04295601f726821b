/* SPDX-License-Identifier: Apache-2.0 */
/* Arenas: what they count, what they refuse, that they give everything back, and that many at once stay within their budget. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arena.h"

#define MIB ((size_t)1 << 20)

static void gives_zeroed_aligned_memory(void **state)
{
    struct budget budget;
    struct arena arena;
    budget_init(&budget, 8 * MIB, 8 * MIB);
    assert_true(arena_open(&arena, &budget, 0));
    char *last = NULL;
    for (size_t size = 0; size < 3000; size += 7) {
        char *p = arena_alloc(&arena, size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 64, 0);
        assert_ptr_not_equal(p, last);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(p[i], 0);
            p[i] = 'x';
        }
        last = p;
    }
    assert_true(arena.current >= 3000 * 3000 / 14);
    assert_int_equal(arena.current, arena.peak);
    assert_int_equal(arena.current, budget.used);
    arena_close(&arena);
    arena_close(&arena);
    assert_int_equal(budget.used, 0);
    assert_true(arena.peak > 0 && arena.current == 0);
}

static void goes_back_to_a_mark(void **state)
{
    struct budget budget;
    struct arena arena;
    budget_init(&budget, 8 * MIB, 8 * MIB);
    assert_true(arena_open(&arena, &budget, 0));
    struct arena_mark start = arena_mark(&arena);
    char *kept = arena_alloc(&arena, 100);
    strcpy(kept, "kept");
    size_t before = arena.current;
    for (int i = 0; i < 100; i++) { /* as often as one likes */
        struct arena_mark mark = arena_mark(&arena);
        char *small = arena_alloc(&arena, 1000), *large = arena_alloc(&arena, 3 * MIB);
        assert_true(small && large);
        assert_int_equal(small[999], 0);
        memset(small, 'x', 1000);
        large[3 * MIB - 1] = 'x';
        arena_release(&arena, mark);
        assert_int_equal(arena.current, before);
        assert_int_equal(budget.used, before);
    }
    assert_true(arena.peak > 3 * MIB && arena.peak < 4 * MIB);
    assert_string_equal(kept, "kept");
    arena_release(&arena, start);
    assert_int_equal(arena.current, 0);
    arena_close(&arena);
}

static void refuses_beyond_the_jobs_budget(void **state)
{
    struct budget budget;
    struct arena arena;
    budget_init(&budget, 1 * MIB, 8 * MIB);
    assert_false(arena_open(&arena, &budget, 2 * MIB));
    assert_int_equal(arena.refusal, ARENA_JOB_FULL);
    arena_close(&arena);
    assert_true(arena_open(&arena, &budget, 0));
    assert_non_null(arena_alloc(&arena, MIB / 2));
    assert_null(arena_alloc(&arena, MIB / 2));
    assert_int_equal(arena.refusal, ARENA_JOB_FULL);
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX / 2));
    assert_null(arena_array(&arena, SIZE_MAX / 4, 8));
    assert_non_null(arena_alloc(&arena, MIB / 4)); /* what fits still fits */
    arena_close(&arena);
    assert_int_equal(budget.used, 0);
    budget_init(&budget, 9 * MIB, 8 * MIB);
    assert_int_equal(budget.job_max, 8 * MIB);
}

/* What is reserved is there, whoever else comes. */
static void refuses_beyond_the_total(void **state)
{
    struct budget budget;
    struct arena one, two;
    budget_init(&budget, 7 * MIB, 7 * MIB);
    assert_true(arena_open(&one, &budget, 5 * MIB));
    assert_int_equal(budget.used, 5 * MIB);
    assert_false(arena_open(&two, &budget, 4 * MIB));
    assert_int_equal(two.refusal, ARENA_TOTAL_FULL);
    arena_close(&two);
    assert_true(arena_open(&two, &budget, 0));
    assert_non_null(arena_alloc(&two, 1 * MIB));
    assert_null(arena_alloc(&two, 2 * MIB));
    assert_int_equal(two.refusal, ARENA_TOTAL_FULL);
    assert_non_null(arena_alloc(&one, 4 * MIB));
    assert_int_equal(one.refusal, ARENA_GRANTED);
    assert_null(arena_alloc(&one, 2 * MIB)); /* beyond its reservation as anybody */
    assert_int_equal(one.refusal, ARENA_TOTAL_FULL);
    arena_close(&one);
    assert_non_null(arena_alloc(&two, 3 * MIB)); /* now there is */
    arena_close(&two);
    assert_int_equal(budget.used, 0);
    assert_true(budget.peak <= 7 * MIB);
}

static void room_is_enough(void **state)
{
    static const size_t sizes[] = {1, 64, 65000, 65408, 65409, 65536, 100000, 1000000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct budget budget;
        struct arena arena;
        budget_init(&budget, arena_room(sizes[i], 5), SIZE_MAX / 2);
        assert_true(arena_open(&arena, &budget, 0));
        for (int n = 0; n < 5; n++)
            assert_non_null(arena_alloc(&arena, sizes[i]));
        arena_close(&arena);
    }
}

static size_t resident_bytes(void)
{
    unsigned long total, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu", &total, &resident), 2);
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

__attribute__((noinline, no_sanitize("thread"), no_sanitize("address"))) static void touch(char *p, size_t size)
{
    for (size_t i = 0; i < size; i += 4096)
        p[i] = 1;
}

/* The system has it back at once: the process is as large as before. */
static void memory_returns(void **state)
{
    struct budget budget;
    struct arena arena;
    budget_init(&budget, 512 * MIB, 512 * MIB);
    size_t before = resident_bytes(), during;
    assert_true(arena_open(&arena, &budget, 0));
    for (int i = 0; i < 8; i++) {
        char *p = arena_alloc(&arena, 8 * MIB);
        assert_non_null(p);
        touch(p, 8 * MIB);
    }
    during = resident_bytes();
    arena_close(&arena);
    size_t after = resident_bytes();
    assert_true(during >= before + 60 * MIB);
    if (after > before + 12 * MIB) /* sanitizers keep notes of it */
        fail_msg("%zu bytes before, %zu with 64 MiB in use, %zu after", before, during, after);
}

#define THREADS 16

static void *take_and_give(void *arg)
{
    struct budget *budget = arg;
    size_t opened = 0, refused = 0;
    for (unsigned i = 0; i < 2000; i++) {
        struct arena arena;
        if (arena_open(&arena, budget, (i * 7919 + (unsigned)(uintptr_t)&arena / 64) % (3 * MIB))) {
            opened++;
            for (size_t n = 0; n < 5; n++) {
                char *p = arena_alloc(&arena, 1 + (i + n) % 7 * 100000);
                if (p)
                    *p = 1;
                else
                    refused++;
            }
        } else {
            refused++;
        }
        if (atomic_load(&budget->used) > budget->total_max)
            fail_msg("beyond the total");
        arena_close(&arena);
    }
    return (void *)(uintptr_t)(opened && refused);
}

/* Far more than there is room for: some are refused, the total is never exceeded, and in the end nothing is in use. */
static void many_at_once(void **state)
{
    struct budget budget;
    pthread_t threads[THREADS];
    budget_init(&budget, 4 * MIB, 6 * MIB);
    size_t both = 0;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &budget), 0);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        both += (size_t)(uintptr_t)result;
    }
    assert_true(both > 0);
    assert_int_equal(budget.used, 0);
    assert_true(budget.peak > 3 * MIB && budget.peak <= 6 * MIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_zeroed_aligned_memory), cmocka_unit_test(goes_back_to_a_mark),
        cmocka_unit_test(refuses_beyond_the_jobs_budget), cmocka_unit_test(refuses_beyond_the_total),
        cmocka_unit_test(room_is_enough), cmocka_unit_test(memory_returns), cmocka_unit_test(many_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
