/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internal to worker/. A look at what the loop is doing, for /debug/state: its partitions and the commands in them.
 *
 * All of that is the loop's own and has no locks. So the loop draws a picture when somebody asks, between two turns, and the
 * listener's thread waits for it.
 */
#ifndef ROUNDTRIP_WORKER_LOOK_H
#define ROUNDTRIP_WORKER_LOOK_H

#include "buf.h"
#include "worker/runtime.h"

/** Of each partition so many commands are shown, the oldest. */
#define LOOK_COMMANDS 50

struct look;

/** NULL: out of memory. */
struct look *look_new(void);
void look_free(struct look *look); /* NULL is allowed; nobody may wait */

/** The loop, once a turn: draws when somebody waits for it. */
void look_serve(struct look *look, const struct worker *worker, int64_t now_ns);
/**
 * Any other thread, one at a time: waits for a picture, at most `timeout_ms`, and appends it to `out`: members of a JSON object,
 * `"partitions":[...]`. False: the loop has not turned; nothing was appended.
 */
bool look_ask(struct look *look, int64_t timeout_ms, struct buf *out) __attribute__((warn_unused_result));

/** The picture itself. The loop's thread. */
void look_draw(const struct worker *worker, int64_t now_ns, struct buf *out);

#endif
