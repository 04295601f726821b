/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting primes: the sieve of Eratosthenes, odd numbers only, in segments that fit the cache.
 *
 * Bays and Hudson, The segmented sieve of Eratosthenes and primes in arithmetic progressions to 10^12, BIT 17 (1977).
 * Byte i of a segment that starts at the odd number `low` stands for low + 2 i. A unit is a segment; an outcome is a count.
 */
#include "kernels/kernels.h"
#include "kernels/pack.h"

#include <inttypes.h>

#define N_MAX INT64_C(10000000000)
/** Numbers of one segment are 2 * SEGMENT: half a usual L2, a millisecond of work between two looks at the clock. */
#define SEGMENT 131072
/** Odd numbers up to the root of N_MAX, and more than there are primes among them. */
#define BASE_MAX   50001
#define PRIMES_MAX 9600

static const struct json_member params[] = {{"n", JSON_INT64, true, 0, N_MAX}};

struct primes {
    int64_t n;
    const uint32_t *base; /* odd primes up to sqrt(n) */
    size_t count;
};

static int64_t square_root(int64_t n)
{
    int64_t root = 0;
    for (int64_t bit = INT64_C(1) << 30; bit; bit >>= 1) {
        if ((root + bit) * (root + bit) <= n)
            root += bit;
    }
    return root;
}

/* The odd primes up to `limit` (at most 10^5), by the plain sieve. */
static bool find_base_primes(struct arena *arena, int64_t limit, struct primes *primes)
{
    size_t size = (size_t)limit / 2 + 1; /* byte i: 2 i + 1 */
    uint32_t *base = arena_array(arena, PRIMES_MAX, sizeof(*base));
    struct arena_mark mark = arena_mark(arena);
    uint8_t *composite = arena_alloc(arena, size);
    if (!base || !composite)
        return false;
    for (size_t i = 1; 2 * i + 1 <= (size_t)limit; i++) {
        if (composite[i])
            continue;
        size_t p = 2 * i + 1;
        for (size_t j = (p * p - 1) / 2; j < size; j += p)
            composite[j] = 1;
        base[primes->count++] = (uint32_t)p;
    }
    primes->base = base;
    arena_release(arena, mark);
    return true;
}

static enum kernel_end primes_prepare(struct task *task)
{
    struct primes *primes = arena_alloc(task->arena, sizeof(*primes));
    if (!primes)
        return KERNEL_NO_MEMORY;
    primes->n = json_member_int64(task->input->params, "n", 0);
    if (!find_base_primes(task->arena, primes->n > 9 ? square_root(primes->n - 1) : 1, primes))
        return KERNEL_NO_MEMORY;
    task->units = primes->n > 3 ? (uint64_t)(primes->n - 4) / (2 * SEGMENT) + 1 : 0;
    task->data = primes;
    return KERNEL_DONE;
}

/* Strikes out every multiple of `p` from byte `j` on; returns the next one's byte, at or behind `len`. */
KERNEL_HOT static uint64_t strike_out(uint8_t *segment, size_t len, uint32_t p, uint64_t j)
{
    for (; j < len; j += p)
        segment[j] = 0;
    return j;
}

KERNEL_HOT static uint64_t count_left(const uint8_t *segment, size_t len)
{
    uint64_t count = 0;
    for (size_t i = 0; i < len; i++)
        count += segment[i];
    return count;
}

/* Where each prime's first odd multiple from its square on stands, counted from the odd number `low`. */
static void find_first_multiples(const struct primes *primes, uint64_t low, uint64_t *next)
{
    for (size_t k = 0; k < primes->count; k++) {
        uint64_t p = primes->base[k], multiple = p * p;
        if (multiple < low) {
            multiple = (low + p - 1) / p * p;
            multiple += multiple % 2 ? 0 : p;
        }
        next[k] = (multiple - low) / 2;
    }
}

/* Primes among the `len` odd numbers of the next segment. */
static uint64_t count_segment(const struct primes *primes, uint64_t *next, uint8_t *segment, size_t len)
{
    memset(segment, 1, len);
    for (size_t k = 0; k < primes->count; k++)
        next[k] = strike_out(segment, len, primes->base[k], next[k]) - len;
    return count_left(segment, len);
}

static enum kernel_end primes_compute(struct task *task, struct part part, struct slice *ret_outcome)
{
    const struct primes *primes = task->data;
    struct packer out = {.p = arena_alloc(task->arena, PACK_WORD), .cap = PACK_WORD};
    struct arena_mark mark = arena_mark(task->arena);
    uint8_t *segment = arena_alloc(task->arena, SEGMENT);
    uint64_t *next = arena_array(task->arena, primes->count, sizeof(*next)), count = 0;
    if (!out.p || !segment || !next)
        return KERNEL_NO_MEMORY;
    uint64_t low = 3 + part.first * 2 * SEGMENT;
    find_first_multiples(primes, low, next);
    for (uint64_t i = 0; i < part.count; i++, low += 2 * SEGMENT) {
        if (task_stopping(task))
            return KERNEL_STOPPED;
        uint64_t odds = ((uint64_t)primes->n - low + 1) / 2;
        count += count_segment(primes, next, segment, odds < SEGMENT ? odds : SEGMENT);
        task_advance(task, 1);
    }
    arena_release(task->arena, mark);
    pack_u64(&out, count);
    *ret_outcome = slice_make(out.p, out.len);
    return KERNEL_DONE;
}

static enum kernel_end primes_merge(struct task *task, const struct slice *outcomes, size_t count, struct buf *ret_result)
{
    const struct primes *primes = task->data;
    uint64_t sum = primes->n > 2; /* 2 itself */
    for (size_t i = 0; i < count; i++) {
        struct unpacker in = {.rest = outcomes[i]};
        sum += unpack_u64(&in);
        if (!unpack_ended(&in))
            return task_refuse(task, "the outcome of part %zu cannot be read", i);
    }
    buf_printf(ret_result, "{\"count\":%" PRIu64 "}", sum);
    return KERNEL_DONE;
}

/* n log log n, with a memory in which all is near: hardly more than n. */
static uint64_t primes_cost(const struct input *input)
{
    return 100000 + (uint64_t)json_member_int64(input->params, "n", 0) * 11 / 10;
}

static size_t primes_memory(const struct input *input)
{
    return arena_room(PRIMES_MAX * sizeof(uint64_t) + BASE_MAX, 1) + arena_room(SEGMENT, 1) + arena_room(PRIMES_MAX * sizeof(uint64_t), 1) +
           arena_room(TASK_PARTS_MAX * (sizeof(struct slice) + 2 * 64), 1);
}

const struct kind kind_primes = {
    .name = "primes",
    .params = params,
    .param_count = sizeof(params) / sizeof(params[0]),
    .cost = primes_cost,
    .memory = primes_memory,
    .prepare = primes_prepare,
    .compute = primes_compute,
    .merge = primes_merge,
};
