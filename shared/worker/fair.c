/* SPDX-License-Identifier: Apache-2.0 */
/* A round of the callers that have tasks; see fair.h. */
#include "worker/fair.h"

#include <stddef.h>

void fair_init(struct fair *fair)
{
    for (size_t i = 0; i < FAIR_CALLERS; i++)
        fair->callers[i] = (struct fair_queue){.tail = &fair->callers[i].first};
    fair->first = NULL;
    fair->last = &fair->first;
    fair->count = 0;
}

static void join_round(struct fair *fair, struct fair_queue *queue)
{
    queue->next = NULL;
    *fair->last = queue;
    fair->last = &queue->next;
}

void fair_push(struct fair *fair, struct pool_task *task)
{
    struct fair_queue *queue = &fair->callers[task->caller % FAIR_CALLERS];
    if (!queue->first)
        join_round(fair, queue);
    task->next = NULL;
    *queue->tail = task;
    queue->tail = &task->next;
    fair->count++;
}

struct pool_task *fair_pop(struct fair *fair)
{
    struct fair_queue *queue = fair->first;
    if (!queue)
        return NULL;
    fair->first = queue->next;
    if (!fair->first)
        fair->last = &fair->first;
    struct pool_task *task = queue->first;
    queue->first = task->next;
    if (queue->first)
        join_round(fair, queue);
    else
        queue->tail = &queue->first;
    fair->count--;
    return task;
}
