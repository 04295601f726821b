/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pi by Monte Carlo: the share of random points of the unit square that lie in the quarter circle.
 *
 * Sample i is made of words of Philox counter i / 2 alone, and inside is decided in integers: the count is the same on any
 * machine, in any order, however it is split. A unit is CHUNK samples; an outcome is a count.
 */
#include "kernels/kernels.h"
#include "kernels/pack.h"

#include <inttypes.h>
#include <math.h>

#define SAMPLES_MAX INT64_C(100000000000)
/** Samples between two looks at the clock: well under 10 ms. */
#define CHUNK 262144

static const struct json_member params[] = {
    {"samples", JSON_INT64, true, 1, SAMPLES_MAX},
    {"seed", JSON_INT64, true, 0, INT64_MAX},
};

struct pi {
    uint64_t samples, seed;
};

static enum kernel_end pi_prepare(struct task *task)
{
    struct pi *pi = arena_alloc(task->arena, sizeof(*pi));
    if (!pi)
        return KERNEL_NO_MEMORY;
    pi->samples = (uint64_t)json_member_int64(task->input->params, "samples", 1);
    pi->seed = (uint64_t)json_member_int64(task->input->params, "seed", 0);
    task->units = (pi->samples - 1) / CHUNK + 1;
    task->data = pi;
    return KERNEL_DONE;
}

/* 31 bits a coordinate, so that the squares' sum fits 64. */
static bool is_inside(uint32_t x_word, uint32_t y_word)
{
    uint64_t x = x_word >> 1, y = y_word >> 1, radius = (UINT64_C(1) << 31) - 1;
    return x * x + y * y <= radius * radius;
}

/* `first` is even: a chunk begins with a counter's first sample. */
static uint64_t count_chunk(uint64_t seed, uint64_t first, uint64_t count)
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint64_t inside = 0;
    for (uint64_t i = 0; i < count; i += 2) {
        uint64_t at = (first + i) / 2;
        const uint32_t counter[4] = {(uint32_t)at, (uint32_t)(at >> 32), 0, 0};
        uint32_t words[4];
        philox4x32(counter, key, words);
        inside += is_inside(words[0], words[1]);
        if (i + 1 < count)
            inside += is_inside(words[2], words[3]);
    }
    return inside;
}

static enum kernel_end pi_compute(struct task *task, struct part part, struct slice *ret_outcome)
{
    const struct pi *pi = task->data;
    struct packer out = {.p = arena_alloc(task->arena, PACK_WORD), .cap = PACK_WORD};
    uint64_t inside = 0;
    if (!out.p)
        return KERNEL_NO_MEMORY;
    for (uint64_t unit = part.first; unit < part.first + part.count; unit++) {
        if (task_stopping(task))
            return KERNEL_STOPPED;
        uint64_t left = pi->samples - unit * CHUNK;
        inside += count_chunk(pi->seed, unit * CHUNK, left < CHUNK ? left : CHUNK);
        task_advance(task, 1);
    }
    pack_u64(&out, inside);
    *ret_outcome = slice_make(out.p, out.len);
    return KERNEL_DONE;
}

static enum kernel_end pi_merge(struct task *task, const struct slice *outcomes, size_t count, struct buf *ret_result)
{
    const struct pi *pi = task->data;
    uint64_t inside = 0;
    for (size_t i = 0; i < count; i++) {
        struct unpacker in = {.rest = outcomes[i]};
        inside += unpack_u64(&in);
        if (!unpack_ended(&in) || inside > pi->samples)
            return task_refuse(task, "the outcome of part %zu cannot be read", i);
    }
    double samples = (double)pi->samples, share = (double)inside / samples;
    double error = 4 * sqrt(share * (1 - share) / samples); /* of a binomial share */
    buf_printf(ret_result, "{\"pi\":%.17g,\"standard_error\":%.17g,\"inside\":%" PRIu64 "}", 4 * share, error, inside);
    return KERNEL_DONE;
}

static uint64_t pi_cost(const struct input *input)
{
    return 100000 + (uint64_t)json_member_int64(input->params, "samples", 1) * 12;
}

static size_t pi_memory(const struct input *input)
{
    return arena_room(TASK_PARTS_MAX * (sizeof(struct slice) + 2 * 64), 2);
}

const struct kind kind_pi = {
    .name = "pi",
    .params = params,
    .param_count = sizeof(params) / sizeof(params[0]),
    .cost = pi_cost,
    .memory = pi_memory,
    .prepare = pi_prepare,
    .compute = pi_compute,
    .merge = pi_merge,
};
