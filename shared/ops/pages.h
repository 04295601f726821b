/* SPDX-License-Identifier: Apache-2.0 */
/* What the operators' listeners of all processes answer alike, apart from HTTP: log levels, and a metrics page's frame. */
#ifndef ROUNDTRIP_OPS_PAGES_H
#define ROUNDTRIP_OPS_PAGES_H

#include "buf.h"
#include "ops/process.h"

/** Writes what the process has, between pages_metrics()'s own families. */
typedef void pages_metrics_fn(void *arg, struct metrics_page *page);

/** A whole page into `out`, in the format that `accept` (absent: none) prefers: its media type. */
const char *pages_metrics(struct slice accept, const struct process_identity *identity, pages_metrics_fn *write, void *arg,
                          struct buf *out);

/** {"level":"info","modules":{"worker/faults":"debug"}} */
void pages_show_levels(struct buf *out);
/**
 * Takes the same: the level, if it is there, and the modules' levels, which replace those that were set; `"modules":{}` sets none.
 * False, and `ret_wrong` is a sentence that says what is wrong: nothing was changed.
 */
#define PAGES_WRONG_SIZE 256
bool pages_set_levels(struct slice json, char ret_wrong[PAGES_WRONG_SIZE]) __attribute__((warn_unused_result));

#endif
