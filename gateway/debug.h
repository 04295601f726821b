/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway's /debug/state: the process, its memory, what waits, what is known of each service's partitions. */
#ifndef ROUNDTRIP_GATEWAY_DEBUG_H
#define ROUNDTRIP_GATEWAY_DEBUG_H

#include "buf.h"
#include "metrics_page.h"

/** So many waiting requests are shown. */
#define DEBUG_REQUESTS 100

/** A JSON object. No bodies, no headers, no names of clients. Any thread; holds up the pending table for some 50 us. */
void debug_page_write(struct metrics_sources *from, struct buf *out);

#endif
