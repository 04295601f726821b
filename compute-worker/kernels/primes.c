/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting primes: the sieve of Eratosthenes, odd numbers only, in segments that fit the cache.
 *
 * Bays and Hudson, The segmented sieve of Eratosthenes and primes in arithmetic progressions to 10^12, BIT 17 (1977).
 * Byte i of a segment that starts at the odd number `low` stands for low + 2 i.
 */
#include "kernels/kernels.h"

#include <inttypes.h>
#include <stdlib.h>

#define N_MAX INT64_C(10000000000)
/** Numbers of one segment are 2 * SEGMENT: half a usual L2, a millisecond of work between two looks at the clock. */
#define SEGMENT 131072

const struct json_member primes_params[1] = {{"n", JSON_INT64, true, 0, N_MAX}};

struct sieve {
    uint32_t *primes;  /* odd primes up to sqrt(n) */
    uint64_t *next;    /* of each: its next multiple's byte, counted from the segment's start */
    size_t count;
    uint8_t *segment;
};

static void sieve_done(struct sieve *sieve)
{
    free(sieve->primes);
    free(sieve->next);
    free(sieve->segment);
}

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
static bool find_base_primes(struct sieve *sieve, int64_t limit)
{
    size_t size = (size_t)limit / 2 + 1; /* byte i: 2 i + 1 */
    uint8_t *composite = calloc(size, 1);
    sieve->primes = malloc(size * sizeof(*sieve->primes));
    sieve->next = malloc(size * sizeof(*sieve->next));
    sieve->segment = malloc(SEGMENT);
    if (!composite || !sieve->primes || !sieve->next || !sieve->segment) {
        free(composite);
        return false;
    }
    for (size_t i = 1; 2 * i + 1 <= (size_t)limit; i++) {
        if (composite[i])
            continue;
        size_t p = 2 * i + 1;
        for (size_t j = (p * p - 1) / 2; j < size; j += p)
            composite[j] = 1;
        sieve->primes[sieve->count] = (uint32_t)p;
        /* segments start at 3: byte of p * p */
        sieve->next[sieve->count++] = ((uint64_t)p * p - 3) / 2;
    }
    free(composite);
    return true;
}

/* Strikes out every multiple of `p` from byte `j` on; returns the next one's byte, at or behind `len`. */
KERNEL_HOT static uint64_t strike_out(uint8_t *segment, size_t len, uint32_t p, uint64_t j)
{
    for (; j < len; j += p)
        segment[j] = 0;
    return j;
}

KERNEL_HOT static int64_t count_left(const uint8_t *segment, size_t len)
{
    int64_t count = 0;
    for (size_t i = 0; i < len; i++)
        count += segment[i];
    return count;
}

/* Primes among the `len` odd numbers of the next segment. */
static int64_t count_segment(struct sieve *sieve, size_t len)
{
    memset(sieve->segment, 1, len);
    for (size_t k = 0; k < sieve->count; k++)
        sieve->next[k] = strike_out(sieve->segment, len, sieve->primes[k], sieve->next[k]) - len;
    return count_left(sieve->segment, len);
}

enum kernel_end primes_count(int64_t n, struct job *job, int64_t *ret_count)
{
    struct sieve sieve = {0};
    enum kernel_end end = KERNEL_NO_MEMORY;
    int64_t count = n > 2 ? 1 : 0; /* 2 itself */
    if (!find_base_primes(&sieve, n > 9 ? square_root(n - 1) : 1))
        goto out;
    for (int64_t low = 3; low < n; low += 2 * (int64_t)SEGMENT) {
        if (job_stopping(job)) {
            end = KERNEL_STOPPED;
            goto out;
        }
        int64_t odds = (n - low + 1) / 2;
        count += count_segment(&sieve, odds < SEGMENT ? (size_t)odds : SEGMENT);
        job_progress(job, (uint64_t)(low - 3) + 2 * (uint64_t)SEGMENT, (uint64_t)(n - 3)); /* a segment costs what any other does */
    }
    *ret_count = count;
    end = KERNEL_DONE;
out:
    sieve_done(&sieve);
    return end;
}

enum kernel_end primes_run(struct json_object *params, struct job *job, struct buf *ret_result)
{
    int64_t count = 0;
    enum kernel_end end = primes_count(json_member_int64(params, "n", 0), job, &count);
    if (end == KERNEL_DONE)
        buf_printf(ret_result, "{\"count\":%" PRId64 "}", count);
    return end;
}
