/* SPDX-License-Identifier: Apache-2.0 */
/* The computation service's own families of its worker's metrics page. */
#ifndef ROUNDTRIP_COMPUTE_MEMORY_METRICS_H
#define ROUNDTRIP_COMPUTE_MEMORY_METRICS_H

struct metrics_page;

/** `context` begins with the process's struct budget (arena.h). Any thread. */
void memory_metrics(void *context, struct metrics_page *page);

#endif
