/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which offset may be committed when work finishes out of order: everything before the lowest unfinished one.
 *
 * Pure. A ring of one bit per offset between the floor and the highest offset begun; gaps in the log (compaction,
 * transaction markers) count as finished.
 */
#ifndef ROUNDTRIP_OFFSETS_H
#define ROUNDTRIP_OFFSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct offsets {
    int64_t floor; /* the offset to commit: all before it are finished */
    int64_t next;  /* one after the highest offset begun */
    uint8_t *open; /* ring: open[offset & (capacity - 1)] is 1 while unfinished */
    size_t capacity;
    size_t count; /* unfinished */
};

/** Starts at `floor`, the first offset that will be begun. */
void offsets_init(struct offsets *offsets, int64_t floor);
void offsets_done(struct offsets *offsets);
/** Begins an offset: true; false when it was begun before (a redelivery) or memory is out. Ascending order only. */
bool offsets_begin(struct offsets *offsets, int64_t offset) __attribute__((warn_unused_result));
/** Finishes an offset that was begun; true when the floor moved. */
bool offsets_finish(struct offsets *offsets, int64_t offset);

#endif
