/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What to do with a command: decode, place, repeat, expire, or run its handler; and what its decision means.
 *
 * The order is part of the contract: a repeated command is answered from its outcome even after its deadline, and an
 * expired write still leaves an event, so that no reader of the log can skip it unseen (ARCHITECTURE.md, The journal).
 */
#include "worker/dispatch.h"

#include <errno.h>
#include <stdio.h>

#include "clock.h"
#include "hash.h"
#include "log.h"
#include "worker/faults.h"
#include "worker/inquire.h"
#include "worker/meters.h"
#include "worker/partition.h"
#include "worker/recover.h"
#include "worker/repeat.h"
#include "worker/settle.h"
#include "worker/suspects.h"
#include "worker/work.h"

/* A deadline further off is none to a job: in nanoseconds it might not fit. */
#define JOB_MAX_MS (INT64_C(365) * 24 * 3600 * 1000)

/* ---- what stands before the handler ---- */

static const struct operation *find_operation(const struct service *service, struct slice type)
{
    for (const struct operation *op = service->operations; op->type; op++) {
        if (slice_is(type, op->type))
            return op;
    }
    return NULL;
}

static const char *key_fault(const struct service *service, struct slice key)
{
    int64_t value;
    if (!key.p || key.len == 0 || key.len > ENVELOPE_KEY_MAX)
        return "The record key must be the entity's id, 1 to 256 bytes";
    if (service->key_order == KEY_INT64 && !state_key_is_int64(key, &value))
        return "The record key must be the entity's id, a 64-bit integer in decimal without leading zeros";
    return NULL;
}

static void fix_id(struct work *work)
{
    if (work->cmd.id.p)
        return;
    size_t len = envelope_position_id(&work->msg->rec, work->id, sizeof(work->id));
    work->cmd.id = slice_make(work->id, len);
}

/* ---- the entity ---- */

static struct entity entity_of(struct partition *p, struct slice key)
{
    struct entity entity = {0};
    const struct work *young = partition_by_key(p, key);
    if (young)
        return (struct entity){young->exists, young->version, young->state};
    if (!state_entity(p->state, key, &entity.exists, &entity.version, &entity.state))
        return (struct entity){0};
    return entity;
}

static struct call make_call(struct work *work)
{
    struct partition *p = work->partition;
    return (struct call){.cmd = &work->cmd,
                         .before = work->entity_before,
                         .running = partition_running(p, work->key) != NULL,
                         .now_ms = clock_wall_ms(),
                         .context = p->worker->context};
}

static void run_on_pool_thread(void *arg)
{
    struct work *work = arg;
    struct call call = {.cmd = &work->cmd, .before = work->entity_before, .now_ms = clock_wall_ms(), .job = &work->job,
                        .context = work->partition->worker->context};
    if (work->cmd.expiry_ms && call.now_ms >= work->cmd.expiry_ms)
        return; /* nobody waits any more: status stays 0, see settle */
    int64_t began_ns = clock_mono_ns();
    atomic_store(&work->began_ns, began_ns);
    work->op->handler(&call, &work->decision);
    work->worked_ns += work->decision.worked_ns ? work->decision.worked_ns : clock_mono_ns() - began_ns;
}

/* Who takes turns with others in the pool: who asked, as far as that is known, else what admit says, else where the answer goes. */
static uint64_t caller_of(const struct work *work)
{
    const struct command *cmd = &work->cmd;
    if (cmd->auth_id.len > 0)
        return hash_slice(cmd->auth_id) + hash_slice(cmd->auth_type);
    if (work->decision.caller)
        return work->decision.caller;
    return hash_slice(cmd->reply.topic) + (uint64_t)cmd->reply.partition;
}

static void run_pooled(struct work *work)
{
    buf_clear(&work->before);
    buf_append_slice(&work->before, work->entity_before.state); /* the state may be applied while the handler runs */
    if (!buf_ok(&work->before)) {
        recover_restart(work->partition, "out of memory", 1000 * CLOCK_NS_PER_MS);
        return;
    }
    work->entity_before.state = buf_slice(&work->before);
    int64_t left_ms = work->cmd.expiry_ms ? work->cmd.expiry_ms - clock_wall_ms() : INT64_MAX;
    work->job.deadline_ns = left_ms > JOB_MAX_MS ? INT64_MAX : clock_mono_ns() + left_ms * CLOCK_NS_PER_MS;
    atomic_store(&work->began_ns, 0);
    atomic_store(&work->job.done, 0); /* of an earlier attempt */
    atomic_store(&work->job.waits, false);
    job_memory(&work->job, 0, 0);
    work->task = (struct pool_task){.run = run_on_pool_thread,
                                    .done = dispatch_pool_done,
                                    .arg = work,
                                    .stop = &work->job.stop,
                                    .lane = work->decision.lane,
                                    .caller = caller_of(work)};
    partition_submit(work);
}

/* Reads and writes of one key, by their kind and place. */
static void run(struct work *work)
{
    struct partition *p = work->partition;
    const struct operation *op = work->op;
    work->entity_before = entity_of(p, work->key);
    if (work->cancelled)
        inquire_decide_cancelled(work);
    if (work->cancelled || settle_expired(work)) {
        dispatch_settle(work); /* undecided: becomes 504 */
        return;
    }
    struct call call = make_call(work);
    int64_t began_ns = meters_begin(p->worker);
    watchdog_enter(&p->worker->watchdog, work);
    if (op->place == RUN_INLINE)
        op->handler(&call, &work->decision);
    else if (op->admit)
        op->admit(&call, &work->decision);
    watchdog_leave(&p->worker->watchdog);
    if (began_ns && op->place == RUN_INLINE)
        meters_handled(work, clock_mono_ns() - began_ns);
    if (op->place == RUN_POOL && work->decision.status == 0) {
        run_pooled(work);
        return;
    }
    dispatch_settle(work);
}

/* A write behind an undecided one of its key (or a repetition of one) waits for it; a read only behind one that is tried again. */
static bool must_queue(struct work *work)
{
    struct partition *p = work->partition;
    const struct work *same = partition_by_id(p, work->cmd.id);
    if (work->op->kind != OPERATION_WRITE)
        return partition_retries(p, work->key);
    if (partition_running(p, work->key) || (same && work_undecided(same)))
        return true;
    for (const struct work *w = p->waiting.first; w; w = w->queue_next) {
        if (slice_equal(w->key, work->key))
            return true;
    }
    return false;
}

static void start(struct work *work)
{
    if ((work->op->kind == OPERATION_WRITE && repeat_answer(work)) || !faults_admit(work))
        return;
    run(work);
}

void dispatch_undone(struct work *work)
{
    if (work->op->scope == SCOPE_KEY)
        work->entity_before = entity_of(work->partition, work->key);
    dispatch_settle(work);
}

void dispatch_again(struct work *work)
{
    if (faults_admit(work))
        run(work);
}

void dispatch_admitted(struct work *work)
{
    struct partition *p = work->partition;
    if (work->op->scope == SCOPE_PARTITION) {
        partition_answer_later(work); /* which runs its handler when everything before it is final */
    } else if (must_queue(work)) {
        work_move(work, WORK_QUEUED);
        work_queue_add(&p->waiting, work);
        faults_queued(work);
        if (crowd_enter(&p->crowd, hash_slice(work->key), p->worker->key_queue))
            log_warn("many commands wait behind one of their key; the partition takes no more until it is decided",
                     "partition=%d key=\"%.*s\"", p->number, SLICE_ARG(work->key));
    } else {
        start(work);
    }
}

void dispatch_command(struct work *work)
{
    struct partition *p = work->partition;
    const struct service *service = p->worker->service;
    enum envelope_error error = envelope_decode_command(&work->msg->rec, &work->cmd);
    work->key = work->cmd.key;
    fix_id(work);
    log_about(work->cmd.id, work->cmd.traceparent);
    if (error != ENVELOPE_OK) {
        dispatch_bury(work, 400, envelope_error_text(error));
        return;
    }
    work->op = find_operation(service, work->cmd.type);
    bool inquiry = !work->op && inquire_is_one(work);
    if (!work->op && !inquiry) {
        dispatch_bury(work, 501, "No operation of this service has that ce_type; see its list of operations");
        return;
    }
    if (!inquiry && work->op->scope == SCOPE_PARTITION) {
        if (!suspects_hold(work))
            dispatch_admitted(work);
        return;
    }
    const char *fault = key_fault(service, work->key);
    if (fault) {
        dispatch_bury(work, 422, fault);
        return;
    }
    int32_t home = bus_partition_of(work->key, p->worker->partition_count);
    if (home != p->number) {
        partition_forward(work, home);
        return;
    }
    if (inquiry)
        inquire_answer(work);
    else if (!suspects_hold(work))
        dispatch_admitted(work);
}

/* ---- when something has ended ---- */

void dispatch_wake_waiting(struct partition *p)
{
    struct work_queue old = p->waiting;
    if (!old.first)
        return;
    work_queue_init(&p->waiting);
    struct work *work = old.first;
    while (work && p->phase == PARTITION_SERVING) {
        struct work *next = work->queue_next;
        if (must_queue(work)) {
            work_queue_add(&p->waiting, work);
        } else {
            crowd_leave(&p->crowd, hash_slice(work->key), p->worker->key_queue);
            start(work);
        }
        work = next;
    }
}

void dispatch_pool_done(void *arg, bool ran)
{
    struct work *work = arg;
    struct partition *p = work->partition;
    work->awaited = false;
    if (work->orphan) {
        work_release(work); /* not ours any more: whoever owns the key now does it again */
        return;
    }
    if (ran)
        meters_handled(work, work->worked_ns);
    if (work->cancelled && ran) {
        decision_reset(&work->decision);
        inquire_decide_cancelled(work);
    } else if (!ran || atomic_load(&work->job.stop)) {
        return; /* stopped for a shutdown: it stays unfinished, so its command is delivered again */
    }
    log_about(work->cmd.id, work->cmd.traceparent);
    dispatch_settle(work);
    log_about_nothing();
    dispatch_wake_waiting(p);
}
