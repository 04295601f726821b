/* SPDX-License-Identifier: Apache-2.0 */
/* Internal to worker/. Memory, queues, stages. */
#ifndef ROUNDTRIP_WORKER_WORK_H
#define ROUNDTRIP_WORKER_WORK_H

#include "worker/runtime.h"

struct work *work_new(struct partition *p, struct message *msg); /* NULL: out of memory, `msg` freed */
/** A work that is no command: a record of ours with that key, which is copied. NULL: out of memory. */
struct work *work_new_own(struct partition *p, struct slice key);
void work_move(struct work *work, enum work_stage stage);
/** In lower case. Static. */
const char *work_stage_name(enum work_stage stage);
/** Frees it unless a delivery, the pool, or the tables still need it. */
void work_release(struct work *work);
/** Is it not known yet what it does: it runs on the pool, or waits for another attempt? */
static inline bool work_undecided(const struct work *work)
{
    return work->stage == WORK_RUNNING || work->stage == WORK_RETRYING;
}
void work_orphan_all(struct partition *p);
void work_queue_init(struct work_queue *queue);
void work_queue_add(struct work_queue *queue, struct work *work);
struct work *work_queue_take(struct work_queue *queue);
/** As before any handler ran; keeps the memory. */
void decision_reset(struct decision *d);

#endif
