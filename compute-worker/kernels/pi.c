/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pi by Monte Carlo: the share of random points of the unit square that lie in the quarter circle.
 *
 * Sample i is made of words of Philox counter i / 2 alone, and inside is decided in integers: the count is the same on any
 * machine, in any order, however it is split.
 */
#include "kernels/kernels.h"

#include <inttypes.h>
#include <math.h>

#define SAMPLES_MAX INT64_C(100000000000)
/** Samples between two looks at the clock: well under 10 ms. */
#define CHUNK 262144

const struct json_member pi_params[2] = {
    {"samples", JSON_INT64, true, 1, SAMPLES_MAX},
    {"seed", JSON_INT64, true, 0, INT64_MAX},
};

/* 31 bits a coordinate, so that the squares' sum fits 64. */
static bool is_inside(uint32_t x_word, uint32_t y_word)
{
    uint64_t x = x_word >> 1, y = y_word >> 1, radius = (UINT64_C(1) << 31) - 1;
    return x * x + y * y <= radius * radius;
}

static uint64_t count_chunk(uint64_t seed, uint64_t first, uint64_t count)
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint64_t inside = 0;
    for (uint64_t i = first; i < first + count;) {
        const uint32_t counter[4] = {(uint32_t)(i / 2), (uint32_t)(i / 2 >> 32), 0, 0};
        uint32_t words[4];
        philox4x32(counter, key, words);
        if (i % 2 == 0) {
            inside += is_inside(words[0], words[1]);
            if (++i == first + count)
                break;
        }
        inside += is_inside(words[2], words[3]);
        i++;
    }
    return inside;
}

enum kernel_end pi_inside(uint64_t seed, uint64_t first, uint64_t count, struct job *job, uint64_t *ret_inside)
{
    uint64_t inside = 0;
    for (uint64_t done = 0; done < count;) {
        if (job_stopping(job))
            return KERNEL_STOPPED;
        uint64_t chunk = count - done < CHUNK ? count - done : CHUNK;
        inside += count_chunk(seed, first + done, chunk);
        done += chunk;
        job_progress(job, done, count);
    }
    *ret_inside = inside;
    return KERNEL_DONE;
}

enum kernel_end pi_run(struct json_object *params, struct job *job, struct buf *ret_result)
{
    int64_t samples = json_member_int64(params, "samples", 0), seed = json_member_int64(params, "seed", 0);
    uint64_t inside;
    enum kernel_end end = pi_inside((uint64_t)seed, 0, (uint64_t)samples, job, &inside);
    if (end != KERNEL_DONE)
        return end;
    double share = (double)inside / (double)samples;
    double error = 4 * sqrt(share * (1 - share) / (double)samples); /* of a binomial share */
    buf_printf(ret_result, "{\"pi\":%.17g,\"standard_error\":%.17g,\"inside\":%" PRIu64 "}", 4 * share, error, inside);
    return KERNEL_DONE;
}
