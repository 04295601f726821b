/* SPDX-License-Identifier: Apache-2.0 */
/* What every process says of itself on its metrics page: what it is built of, what it takes of the machine, what it logs. */
#ifndef ROUNDTRIP_OPS_PROCESS_H
#define ROUNDTRIP_OPS_PROCESS_H

#include "metrics.h"

struct process_identity {
    const char *service, *instance; /* the program's name; the setting instance-id, or what stands for it */
};

/** Names as every Prometheus client library has them, from /proc. Any thread. */
void process_metrics_write(struct metrics_page *page, const struct process_identity *identity);

/** Reads a small file of /proc as text, of at most `size` - 1 bytes; "" when it cannot. Any thread. */
void process_read(const char *path, char *ret_text, size_t size);

#endif
