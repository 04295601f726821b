/* SPDX-License-Identifier: Apache-2.0 */
/* A command's way through the worker, as spans of its trace. The loop's. */
#ifndef ROUNDTRIP_WORKER_SPANS_H
#define ROUNDTRIP_WORKER_SPANS_H

struct work;

/** It has come to another stage. When that is the last one its spans are given to the exporter. */
void spans_moved(struct work *work);

#endif
