/* SPDX-License-Identifier: Apache-2.0 */
/* A log-linear histogram: the bucket is the value's highest bit and the HISTOGRAM_SUB_BITS bits after it. */
#include "histogram.h"

#include <stddef.h>

static size_t bucket_of(uint64_t ns)
{
    if (ns < (UINT64_C(1) << HISTOGRAM_SUB_BITS))
        return (size_t)ns;
    int shift = 63 - __builtin_clzll(ns) - HISTOGRAM_SUB_BITS;
    return ((size_t)(shift + 1) << HISTOGRAM_SUB_BITS) +
           (size_t)((ns >> shift) - (UINT64_C(1) << HISTOGRAM_SUB_BITS));
}

static int64_t middle_of(size_t bucket)
{
    size_t exponent = bucket >> HISTOGRAM_SUB_BITS;
    if (exponent == 0)
        return (int64_t)bucket;
    uint64_t low =
        ((bucket & ((UINT64_C(1) << HISTOGRAM_SUB_BITS) - 1)) + (UINT64_C(1) << HISTOGRAM_SUB_BITS))
        << (exponent - 1);
    return (int64_t)(low + (UINT64_C(1) << (exponent - 1)) / 2);
}

void histogram_add(struct histogram *histogram, int64_t ns)
{
    histogram->buckets[bucket_of(ns > 0 ? (uint64_t)ns : 0)]++;
    histogram->total++;
}

int64_t histogram_quantile(const struct histogram *histogram, double fraction)
{
    uint64_t wanted = (uint64_t)((double)histogram->total * fraction), seen = 0;
    if (wanted >= histogram->total)
        wanted = histogram->total ? histogram->total - 1 : 0;
    for (size_t i = 0; histogram->total && i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen > wanted)
            return middle_of(i);
    }
    return 0;
}

void histogram_correct(struct histogram *histogram, int64_t expected_ns)
{
    /* Upwards: what is added lies below what is being read. */
    for (size_t i = 0; expected_ns > 0 && i < HISTOGRAM_BUCKETS; i++) {
        uint64_t count = histogram->buckets[i];
        if (count == 0 || middle_of(i) < 2 * expected_ns)
            continue;
        for (int64_t ns = middle_of(i) - expected_ns; ns > expected_ns; ns -= expected_ns) {
            histogram->buckets[bucket_of((uint64_t)ns)] += count;
            histogram->total += count;
        }
    }
}
