/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One partition while it serves: command in, event appended, acknowledged, answered, offset finished.
 *
 * Order that matters: an event is final only when the journal says so; an answer leaves only after every event appended
 * before it is final; an offset is finished only after the answer was acknowledged.
 */
#include "worker/partition.h"

#include <errno.h>
#include <stdio.h>

#include "broken.h"
#include "clock.h"
#include "log.h"
#include "worker/bury.h"
#include "worker/etag.h"
#include "worker/counts.h"
#include "worker/faults.h"
#include "worker/letters.h"
#include "worker/dispatch.h"
#include "worker/meters.h"
#include "worker/recover.h"
#include "worker/suspects.h"
#include "worker/work.h"

#define RESTART_NS    (INT64_C(200) * CLOCK_NS_PER_MS)

/* ---- commands in ---- */

/* The committed offset lies beyond the log's end: it is another log, and all of it is to be worked on. */
static void start_over(struct partition *p, int64_t offset)
{
    log_error("the command log ends before the committed offset; was the topic made anew? Starting at its beginning",
              "partition=%d committed=%lld first=%lld", p->number, (long long)p->offsets.next, (long long)offset);
    offsets_done(&p->offsets);
    offsets_init(&p->offsets, offset);
    p->position = offset;
}

void partition_take(struct partition *p, struct message *msg)
{
    if (p->phase == PARTITION_SERVING && p->first_command && msg->rec.offset < p->offsets.next)
        start_over(p, msg->rec.offset);
    p->first_command = false;
    if (p->phase != PARTITION_SERVING || msg->rec.offset < p->offsets.next) {
        message_free(msg); /* comes again once the partition serves, or came before */
        return;
    }
    int64_t offset = msg->rec.offset;
    struct work *work = work_new(p, msg);
    if (!work || !offsets_begin(&p->offsets, offset)) {
        worker_fail(p->worker, "cannot take a command", "out of memory");
        return;
    }
    p->worker->count.commands++;
    meters_taken(work);
    dispatch_command(work);
    log_about_nothing();
}

void partition_submit(struct work *work)
{
    struct partition *p = work->partition;
    int err = pool_submit(p->worker->pool, &work->task);
    if (err) { /* the pool's queue is longer than the windows of all partitions: only at shutdown */
        recover_restart(p, "the pool takes no more work", RESTART_NS);
        return;
    }
    work->awaited = true;
    work_move(work, WORK_RUNNING);
    partition_table(work);
}

/* ---- events ---- */

/* Sends through `producer`; the work waits for the delivery. */
static int send(struct work *work, struct producer *producer, const struct record *rec, const struct headers *headers,
                const char *what)
{
    int err = producer_send(producer, rec, headers, work);
    if (err == 0) {
        work->awaited = true;
        return 0;
    }
    log_error("cannot send", "what=%s topic=%s id=%.*s error=\"%s\"", what, rec->topic, SLICE_ARG(work->cmd.id),
              strerror(-err));
    return err;
}

/* Only where a test has taken the rule away: the caller hears of a write that may never be. */
static void answer_early(struct work *work)
{
    struct headers headers;
    struct record rec;
    struct worker *worker = work->partition->worker;
    if (work->msg && letters_reply(work, worker->reply_topics, &headers, &rec) &&
        producer_send(worker->replies, &rec, &headers, NULL) != 0)
        log_error("cannot answer early", "id=%.*s", SLICE_ARG(work->cmd.id));
}

void partition_append(struct work *work)
{
    struct partition *p = work->partition;
    struct headers headers;
    struct record rec;
    if (work->letter == LETTER_REMOVAL)
        letters_removal(work, &headers, &rec);
    else if (work->letter == LETTER_LEFT)
        letters_left(work, &headers, &rec);
    else if (work->letter == LETTER_ATTEMPTS)
        letters_attempts(work, &headers, &rec);
    else if (work->letter == LETTER_PART)
        letters_part(work, &headers, &rec);
    else
        letters_event(work, &headers, &rec);
    bool crowded = work->decision.effect == EFFECT_PUT &&
                   work->state.len + PARTITION_EVENT_ROOM > producer_max_bytes(p->worker->events);
    int err = crowded ? -EMSGSIZE : send(work, p->worker->events, &rec, &headers, "event");
    if (err == -EMSGSIZE && work->msg && !work->shrunk) {
        dispatch_too_large(work);
        return;
    }
    if (err) {
        recover_restart(p, "an event could not be sent", RESTART_NS);
        return;
    }
    work->sequence = ++p->appended;
    if (work->msg)
        work_move(work, WORK_APPENDING);
    partition_table(work);
    work_queue_add(&p->journal, work);
    p->worker->count.events++;
    if (broken(BROKEN_EARLY_ANSWER))
        answer_early(work);
}

bool partition_remove(struct partition *p, struct slice key, int64_t wall_ms)
{
    struct work *work = work_new_own(p, key);
    if (!work)
        return false;
    work->state = SLICE("");
    work->letter = LETTER_REMOVAL;
    work->event_time_ms = wall_ms;
    work_move(work, WORK_REMOVING);
    partition_append(work);
    return p->phase == PARTITION_SERVING;
}

void partition_answer_later(struct work *work)
{
    struct partition *p = work->partition;
    work->sequence = p->appended;
    work_move(work, WORK_READING);
    if ((p->resolved == p->appended && !p->readers.first) || broken(BROKEN_EARLY_READ)) {
        if (work->op && work->op->scope == SCOPE_PARTITION && work->answer.status == 0)
            dispatch_scan(work);
        partition_answer(work);
    } else {
        work_queue_add(&p->readers, work);
    }
}

static void release_readers(struct partition *p)
{
    while (p->readers.first && p->readers.first->sequence <= p->resolved) {
        struct work *work = work_queue_take(&p->readers);
        if (work->op && work->op->scope == SCOPE_PARTITION && work->answer.status == 0)
            dispatch_scan(work);
        partition_answer(work);
        if (p->phase != PARTITION_SERVING)
            return;
    }
}

static void event_delivered(struct work *work, const struct delivery *delivery)
{
    struct partition *p = work->partition;
    if (delivery->error_text) {
        recover_restart(p, delivery->error_text, RESTART_NS);
        return;
    }
    if (journal_writer_acknowledged(&p->writer, delivery->offset) != JOURNAL_FINAL) {
        p->worker->count.gaps++;
        recover_restart(p, "another writer's record stands in the log", RESTART_NS);
        return;
    }
    work->final = true;
    work->event_offset = delivery->offset;
    p->resolved = work->sequence;
    if (p->final_count++ == 0)
        p->final_since_ns = clock_mono_ns();
    if (work->stage == WORK_REPAIRING) {
        work_move(work, WORK_FINISHED);
        recover_repaired(p);
        return;
    }
    if (work->letter != LETTER_EVENT)
        work_move(work, WORK_FINISHED);
    if (work->letter == LETTER_ATTEMPTS)
        suspects_counted(work);
    else if (work->letter == LETTER_EVENT)
        partition_answer(work);
    release_readers(p);
}

/* ---- answers ---- */

void partition_answer(struct work *work)
{
    struct worker *worker = work->partition->worker;
    struct headers headers;
    struct record rec;
    if (work->bury) { /* its event, if it has one, is final: nobody else can have done it */
        work->dead_class = work->bury;
        work->bury = NULL;
        bury(work, buf_slice(&work->reason));
        return;
    }
    if (!letters_reply(work, worker->reply_topics, &headers, &rec)) {
        worker->count.no_reply++;
        partition_finish(work);
        return;
    }
    work_move(work, WORK_REPLYING);
    int err = send(work, worker->replies, &rec, &headers, "reply");
    if (err == -EMSGSIZE) {
        dispatch_answer_too_large(work);
        letters_reply(work, worker->reply_topics, &headers, &rec);
        err = send(work, worker->replies, &rec, &headers, "reply");
    }
    if (err == 0)
        worker->count.replies++;
    else
        partition_finish(work); /* the caller repeats the command and gets the stored outcome */
}

void partition_forward(struct work *work, int32_t to)
{
    struct worker *worker = work->partition->worker;
    struct headers headers;
    struct record rec;
    letters_forward(work, to, &headers, &rec);
    work_move(work, WORK_FORWARDING);
    work->forwarded = true;
    worker->count.forwarded++;
    int err = send(work, worker->replies, &rec, &headers, "forward");
    if (err == -EMSGSIZE)
        dispatch_bury(work, 413, "The command stands in the wrong partition and is too large to be forwarded with its id");
    else if (err)
        recover_restart(work->partition, "a misplaced command could not be forwarded", RESTART_NS);
}

void partition_finish(struct work *work)
{
    struct partition *p = work->partition;
    work_move(work, WORK_FINISHED);
    meters_ended(work);
    if (work->msg && offsets_finish(&p->offsets, work->msg->rec.offset))
        p->floor_dirty = true;
    (void)suspects_passed(work);
    if (work->op && work->op->scope == SCOPE_PARTITION)
        counts_forget(work); /* the others were settled */
    log_about_nothing(); /* what follows is about others */
    if (p->phase == PARTITION_SERVING)
        work_release(work); /* else the claim ended by it, and with it this work */
}

void partition_delivered(void *arg, const struct delivery *delivery)
{
    struct work *work = delivery->opaque;
    if (!work)
        return; /* an early answer */
    work->awaited = false;
    if (work->orphan) {
        work_release(work);
        return;
    }
    log_about(work->cmd.id, work->cmd.traceparent);
    switch (work->stage) {
    case WORK_APPENDING:
    case WORK_REPAIRING:
    case WORK_REMOVING:
    case WORK_NOTING:
        event_delivered(work, delivery);
        break;
    case WORK_CLAIMING:
        recover_claimed(work, delivery);
        break;
    case WORK_FORWARDING:
        if (delivery->error_text)
            recover_restart(work->partition, "a misplaced command could not be forwarded", RESTART_NS);
        else
            partition_finish(work);
        break;
    case WORK_BURYING:
        bury_delivered(work, delivery);
        break;
    default: /* REPLYING: a reply that failed is repeated when the caller repeats the command */
        partition_finish(work);
        break;
    }
    log_about_nothing();
}

/* ---- periodically ---- */

int64_t partition_commit_offset(const struct partition *p)
{
    return broken(BROKEN_EARLY_FINISH) ? p->offsets.next : p->offsets.floor;
}

static void steer_flow(struct partition *p)
{
    struct consumer *consumer = p->worker->consumer;
    if (!p->flow_paused && (p->work_count >= PARTITION_WINDOW || p->crowd.crowds > 0))
        p->flow_paused = consumer_pause(consumer, p->number) == 0;
    else if (p->flow_paused && p->work_count <= PARTITION_WINDOW_RESUME && p->crowd.crowds == 0)
        p->flow_paused = consumer_resume(consumer, p->number, CONSUMER_CONTINUE) != 0;
}

void partition_tick(struct partition *p, int64_t now_ns)
{
    if (p->final_count >= PARTITION_APPLY_COUNT ||
        (p->final_count > 0 && now_ns - p->final_since_ns >= PARTITION_APPLY_NS))
        partition_apply(p);
    faults_tick(p, now_ns);
    if (p->phase == PARTITION_SERVING)
        faults_hurry(p, now_ns);
    if (p->phase == PARTITION_SERVING)
        suspects_tick(p, now_ns);
    if (p->phase == PARTITION_SERVING)
        steer_flow(p);
}

int64_t partition_due_ns(const struct partition *p)
{
    if (p->phase == PARTITION_WAITING)
        return p->retry_ns;
    if (p->phase != PARTITION_SERVING)
        return INT64_MAX;
    int64_t apply_ns = p->final_count > 0 ? p->final_since_ns + PARTITION_APPLY_NS : INT64_MAX;
    int64_t due_ns = p->retry_due_ns < p->queue_due_ns ? p->retry_due_ns : p->queue_due_ns;
    return apply_ns < due_ns ? apply_ns : due_ns;
}
