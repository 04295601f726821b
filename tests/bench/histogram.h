/* SPDX-License-Identifier: Apache-2.0 */
/* A log-linear histogram of nanoseconds: 128 buckets in every power of two, so at most 0.8 % beside the true
 * value. */
#ifndef ROUNDTRIP_BENCH_HISTOGRAM_H
#define ROUNDTRIP_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 7
#define HISTOGRAM_BUCKETS  ((64 - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

/** Zero-initialised: empty. One thread only. */
struct histogram {
    uint64_t total;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, int64_t ns);
/** The value in ns that `fraction` (0 to 1) of all are at or below; the middle of its bucket. 0 when empty.
 */
int64_t histogram_quantile(const struct histogram *histogram, double fraction);
/**
 * Adds the requests that a closed loop did not send while it waited for a slow one, had it sent one every
 * `expected_ns`: the way wrk does it (stats_correct() in its stats.c), because the figures stand beside
 * wrk's.
 */
void histogram_correct(struct histogram *histogram, int64_t expected_ns);

#endif
