/* SPDX-License-Identifier: Apache-2.0 */
/* Internal to worker/. Clients, partitions, pool. */
#ifndef ROUNDTRIP_WORKER_OPEN_H
#define ROUNDTRIP_WORKER_OPEN_H

#include "lifecycle.h"
#include "worker/runtime.h"

/** Opens all; waits for Kafka and the topics until a signal comes (-EINTR). 0 or -errno and `error`. worker_close() in any case. */
int worker_open(struct worker *worker, struct lifecycle *life, struct bus_error *error);
void worker_close(struct worker *worker);

#endif
