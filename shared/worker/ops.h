/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internal to worker/. The worker's listener for operators: /metrics, /health/live, /health/ready and /log-levels.
 *
 * It serves from before the worker knows Kafka until it has ended, on a thread of its own that looks at nothing but meters.h and
 * the counters.
 */
#ifndef ROUNDTRIP_WORKER_OPS_H
#define ROUNDTRIP_WORKER_OPS_H

#include "worker/meters.h"

/** Makes worker->meters and listens, or neither where admin-port is -1. 0, or -errno with a line in the log. */
int worker_ops_open(struct worker *worker) __attribute__((warn_unused_result));
/** One that was not opened is allowed. worker->meters stays, for worker_close() to free. */
void worker_ops_close(struct worker *worker);
/** What the ready file says: "ready", and how to reach the listener if there is one. */
void worker_ops_describe(const struct worker *worker, char *ret_text, size_t size);

/** Is the loop alive? `turned_ns`: when it last turned, 0: not yet; `limit_ns`: how long a handler may take. Pure. */
bool worker_ops_is_live(int64_t turned_ns, int64_t limit_ns, int64_t now_ns);

#endif
