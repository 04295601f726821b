/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kinds of computation. To add one: a file here with its parameters' table and its run function, and a row in
 * kinds.c.
 */
#ifndef ROUNDTRIP_COMPUTE_KERNELS_H
#define ROUNDTRIP_COMPUTE_KERNELS_H

#include "buf.h"
#include "json.h"
#include "worker/service.h"

/**
 * For a kernel's innermost function on memory of its own: no sanitizer looks at each of its billions of accesses (TSan
 * makes them 40 times slower). Keep it so short that its bounds are plain to see.
 */
#define KERNEL_HOT __attribute__((noinline, no_sanitize("thread"), no_sanitize("address")))

enum kernel_end {
    KERNEL_DONE,
    KERNEL_STOPPED,   /* job_stopping() said so; nothing was written */
    KERNEL_NO_MEMORY,
};

struct kind {
    const char *name;
    const struct json_member *params; /* all that it takes, with their bounds; they bound time and memory */
    size_t param_count;
    /** Computes; appends the result, a JSON object, to `ret_result`. `params` were checked. On a pool thread. */
    enum kernel_end (*run)(struct json_object *params, struct job *job, struct buf *ret_result);
};

/** NULL when there is none of that name. */
const struct kind *kind_find(struct slice name);
/** Appends the names, comma-separated. */
void kind_list(struct buf *out);

/* ---- primes.c ---- */

extern const struct json_member primes_params[1];
enum kernel_end primes_run(struct json_object *params, struct job *job, struct buf *ret_result);
/** How many primes are below `n` (0 <= n <= 10^10). Memory: O(sqrt(n)) and one segment. */
enum kernel_end primes_count(int64_t n, struct job *job, int64_t *ret_count);

/* ---- pi.c ---- */

extern const struct json_member pi_params[2];
enum kernel_end pi_run(struct json_object *params, struct job *job, struct buf *ret_result);
/** How many of the samples `first` .. `first + count - 1` of this seed's sequence lie in the quarter circle. */
enum kernel_end pi_inside(uint64_t seed, uint64_t first, uint64_t count, struct job *job, uint64_t *ret_inside);

/* ---- philox.c ---- */

/**
 * Philox4x32-10, a counter-based generator: the same counter and key always give the same four words.
 * Salmon, Moraes, Dror, Shaw: Parallel Random Numbers: As Easy as 1, 2, 3. SC'11.
 */
void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t ret_words[4]);

#endif
