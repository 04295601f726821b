/* SPDX-License-Identifier: Apache-2.0 */
/* Internal to worker/. How far the partitions that are being replayed have come, told once a second. Pure. */
#ifndef ROUNDTRIP_WORKER_PROGRESS_H
#define ROUNDTRIP_WORKER_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#define PROGRESS_NS INT64_C(1000000000)

/** Offsets to read and read, of all partitions since none was replayed. Zero-initialised: none is. */
struct progress {
    int64_t total, done, told_ns;
    int partitions;
};

void progress_begin(struct progress *progress, int64_t offsets, int64_t now_ns);
void progress_add(struct progress *progress, int64_t offsets);
/** A partition's replay is over; `left` offsets of it will not be read. */
void progress_end(struct progress *progress, int64_t left);
/** Is it time to tell? Then how many percent are done. */
bool progress_due(struct progress *progress, int64_t now_ns, int *ret_percent);

#endif
