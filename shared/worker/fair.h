/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internal to worker/. Tasks in the order in which they are fair: one of each caller in turn, each caller's own in the order they came.
 *
 * Callers are told apart by a hash, in FAIR_CALLERS queues, so no memory is needed and every step is O(1); two that share a queue share a
 * turn. This is round robin (Nagle, RFC 970) over tasks, not over their cost: a turn is one task. Not thread-safe.
 */
#ifndef ROUNDTRIP_WORKER_FAIR_H
#define ROUNDTRIP_WORKER_FAIR_H

#include "worker/pool.h"

#define FAIR_CALLERS 256

struct fair_queue {
    struct pool_task *first, **tail;
    struct fair_queue *next; /* in the round, while it has tasks */
};

struct fair {
    struct fair_queue callers[FAIR_CALLERS];
    struct fair_queue *first, **last; /* the round: whose turn is next */
    int count;
};

void fair_init(struct fair *fair);
/** By task->caller. The task's `next` is in use until it is taken. */
void fair_push(struct fair *fair, struct pool_task *task);
/** NULL: there is none. */
struct pool_task *fair_pop(struct fair *fair);

#endif
