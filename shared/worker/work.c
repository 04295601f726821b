/* SPDX-License-Identifier: Apache-2.0 */
/* One command's memory and stage; the queues it waits in. */
#include "worker/work.h"

#include <assert.h>
#include <stdlib.h>

#include "clock.h"
#include "log.h"
#include "trace/trace.h"
#include "worker/faults.h"
#include "worker/spans.h"

static const char *const stage_names[] = {"new",     "queued",   "running",  "retrying", "appending", "reading",  "forwarding",
                                          "burying", "replying", "claiming", "repairing", "removing", "noting", "finished"};

const char *work_stage_name(enum work_stage stage)
{
    return stage_names[stage];
}

struct work *work_new(struct partition *p, struct message *msg)
{
    struct work *work = calloc(1, sizeof(*work));
    if (!work) {
        message_free(msg);
        return NULL;
    }
    work->partition = p;
    work->msg = msg;
    if (trace_on())
        work->moved_ns[WORK_NEW] = clock_mono_ns();
    work->next = p->works;
    if (p->works)
        p->works->prev = work;
    p->works = work;
    p->work_count++;
    return work;
}

struct work *work_new_own(struct partition *p, struct slice key)
{
    struct work *work = work_new(p, NULL);
    if (!work)
        return NULL;
    assert(key.len <= sizeof(work->id));
    memcpy(work->id, key.p, key.len);
    work->key = slice_make(work->id, key.len);
    return work;
}

void work_move(struct work *work, enum work_stage stage)
{
    assert(work->stage != WORK_FINISHED);
    work->stage = stage;
    if (trace_on())
        spans_moved(work);
    if (work->msg)
        log_debug("hop", "id=%.*s type=%.*s partition=%d offset=%lld stage=%s", SLICE_ARG(work->cmd.id),
                  SLICE_ARG(work->cmd.type), work->msg->rec.partition, (long long)work->msg->rec.offset,
                  stage_names[stage]);
}

static void unlink_work(struct work *work)
{
    struct partition *p = work->partition;
    if (work->prev)
        work->prev->next = work->next;
    else
        p->works = work->next;
    if (work->next)
        work->next->prev = work->prev;
    p->work_count--;
}

static void free_work(struct work *work)
{
    message_free(work->msg);
    buf_done(&work->decision.state);
    buf_done(&work->decision.body);
    buf_done(&work->decision.result);
    buf_done(&work->before);
    buf_done(&work->answer_body);
    buf_done(&work->reason);
    free(work);
}

void work_release(struct work *work)
{
    if (work->awaited)
        return;
    if (work->orphan) {
        free_work(work);
        return;
    }
    if (work->stage != WORK_FINISHED || work->tabled)
        return;
    unlink_work(work);
    free_work(work);
}

void work_orphan_all(struct partition *p)
{
    while (p->works) {
        struct work *work = p->works;
        unlink_work(work);
        faults_abandon(work);
        work->orphan = true;
        work->tabled = false;
        atomic_store(&work->job.stop, true);
        work_release(work);
    }
}

void work_queue_init(struct work_queue *queue)
{
    queue->first = NULL;
    queue->last = &queue->first;
}

void work_queue_add(struct work_queue *queue, struct work *work)
{
    work->queue_next = NULL;
    *queue->last = work;
    queue->last = &work->queue_next;
}

struct work *work_queue_take(struct work_queue *queue)
{
    struct work *work = queue->first;
    if (!work)
        return NULL;
    queue->first = work->queue_next;
    if (!queue->first)
        queue->last = &queue->first;
    work->queue_next = NULL;
    return work;
}
