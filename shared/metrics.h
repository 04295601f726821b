/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process counts and measures, and how Prometheus reads it: text format 0.0.4 and OpenMetrics 1.0.
 *
 * Counting is a relaxed atomic add, from any thread: no lock, no memory. A page is written by who asks for it, from what the
 * atomics say at that moment; the numbers of one page are not of one instant.
 *
 * Sources: https://prometheus.io/docs/instrumenting/exposition_formats/ and the OpenMetrics specification 1.0.
 */
#ifndef ROUNDTRIP_METRICS_H
#define ROUNDTRIP_METRICS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "slice.h"

/* ---- counting ---- */

static inline void metrics_add(_Atomic uint64_t *counter, uint64_t by)
{
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

/** Upper bounds of the buckets, in ns, ascending: from what a loopback hop takes to what a long computation does. */
#define METRICS_BOUNDS 19
extern const int64_t metrics_bounds_ns[METRICS_BOUNDS];

/** Durations. Zero-initialised is empty. */
struct metrics_histogram {
    _Atomic uint64_t counts[METRICS_BOUNDS + 1]; /* each bucket alone; the last: above all bounds */
    _Atomic uint64_t sum_ns;
};

/** One more that took so long; less than 0 counts as 0. */
static inline void metrics_observe(struct metrics_histogram *histogram, int64_t ns)
{
    unsigned low = 0, high = METRICS_BOUNDS;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (ns <= metrics_bounds_ns[middle])
            high = middle;
        else
            low = middle + 1;
    }
    metrics_add(&histogram->counts[low], 1);
    metrics_add(&histogram->sum_ns, ns > 0 ? (uint64_t)ns : 0);
}

static inline uint64_t metrics_count(const struct metrics_histogram *histogram)
{
    uint64_t count = 0;
    for (unsigned i = 0; i <= METRICS_BOUNDS; i++)
        count += atomic_load_explicit(&histogram->counts[i], memory_order_relaxed);
    return count;
}

/** Histograms by key, made as keys are met: at most METRICS_SERIES of them, the rest is counted together. */
#define METRICS_SERIES 256
struct metrics_series {
    _Atomic uint32_t key; /* 0: free */
    struct metrics_histogram histogram;
};
/** Zero-initialised is empty. */
struct metrics_table {
    struct metrics_series series[METRICS_SERIES];
    struct metrics_histogram other;
};
/** The histogram of `key` (not 0). Any thread, no lock. */
struct metrics_histogram *metrics_of(struct metrics_table *table, uint32_t key);

/* ---- a page ---- */

#define METRICS_LABELS_MAX 6

enum metrics_type { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

/** Static. A name that ends in _seconds or _bytes says its unit. */
struct metrics_family {
    const char *name; /* of a counter without "_total" */
    enum metrics_type type;
    const char *help;
    const char *labels[METRICS_LABELS_MAX + 1]; /* ended by NULL */
};

struct metrics_page {
    struct buf *out; /* borrowed; ask buf_ok() at the end */
    bool openmetrics;
    const struct metrics_family *family;
};

/** As many values as the family has labels; one that is NULL or "" is left out. */
#define METRICS_VALUES(...) ((const char *const[]){__VA_ARGS__})

/** Begins a family; its samples follow. A page has each family once. */
void metrics_family(struct metrics_page *page, const struct metrics_family *family);
/** `values` NULL: the family has no labels. */
void metrics_sample(struct metrics_page *page, double value, const char *const *values);
void metrics_sample_histogram(struct metrics_page *page, const struct metrics_histogram *histogram, const char *const *values);
/** A family with one sample and no labels. */
void metrics_single(struct metrics_page *page, const struct metrics_family *family, double value);
/** Nothing follows. */
void metrics_end(struct metrics_page *page);

/** Does an Accept header (absent: none) prefer OpenMetrics 1.0 to the text format? RFC 9110 section 12.5.1. Pure. */
bool metrics_wants_openmetrics(struct slice accept);
/** The media type of a page. Static. */
const char *metrics_content_type(bool openmetrics);

#endif
