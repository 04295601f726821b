/* SPDX-License-Identifier: Apache-2.0 */
/* Internal to worker/. Taking out what the dedupe window has passed: outcomes, deleted entities, spent claims. */
#ifndef ROUNDTRIP_WORKER_SWEEP_H
#define ROUNDTRIP_WORKER_SWEEP_H

#include "worker/runtime.h"

/** Sweeps one partition when it is time, a bounded amount. `wall_ms`: now, as events have it. */
void sweep_tick(struct worker *worker, int64_t now_ns, int64_t wall_ms);
/** Appends tombstones for what `p` holds and the window has passed, SWEEP_TOMBSTONES at most; how many. */
int sweep_tombstones(struct partition *p, int64_t wall_ms);

#endif
