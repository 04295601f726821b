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

#include "broken.h"
#include "clock.h"
#include "log.h"
#include "problem.h"
#include "worker/scan.h"
#include "worker/partition.h"
#include "worker/recover.h"
#include "worker/work.h"

/* A deadline further off is none to a job: in nanoseconds it might not fit. */
#define JOB_MAX_MS (INT64_C(365) * 24 * 3600 * 1000)

/* ---- answers that no handler gives ---- */

static void answer_problem(struct work *work, int status, const char *detail)
{
    buf_clear(&work->answer_body);
    problem_write(&work->answer_body, status, slice_of(detail));
    work->answer = (struct answer){.status = status,
                                   .body = buf_slice(&work->answer_body),
                                   .content_type = SLICE(PROBLEM_CONTENT_TYPE)};
}

void dispatch_bury(struct work *work, int status, const char *detail)
{
    answer_problem(work, status, detail);
    partition_bury(work, detail);
}

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

/* The outcome of an earlier delivery: from the tables when the event is young, else from the local copy. */
static bool known_outcome(struct work *work, struct state_outcome *ret_outcome)
{
    struct partition *p = work->partition;
    const struct work *young = partition_by_id(p, work->cmd.id);
    if (!young)
        return state_find_outcome(p->state, work->cmd.id, ret_outcome);
    *ret_outcome = (struct state_outcome){
        .fingerprint = slice_make(young->fingerprint, sizeof(young->fingerprint)),
        .status = young->answer.status,
        .binding = young->binding,
        .version = young->answer.version,
        .body = young->answer.body,
        .content_type = young->answer.content_type};
    return true;
}

static void replay_outcome(struct work *work, const struct state_outcome *outcome)
{
    buf_clear(&work->answer_body); /* copied: the source may be applied or removed before the answer leaves */
    buf_append_slice(&work->answer_body, outcome->body);
    bool problem = slice_is(outcome->content_type, PROBLEM_CONTENT_TYPE);
    work->answer = (struct answer){.status = outcome->status,
                                   .version = outcome->version,
                                   .replayed = true,
                                   .body = buf_slice(&work->answer_body),
                                   .content_type = problem ? SLICE(PROBLEM_CONTENT_TYPE) : SLICE("application/json")};
    if (outcome->body.len == 0)
        work->answer.content_type = SLICE_NONE;
    work->partition->worker->count.replayed++;
    partition_answer_later(work);
}

/* True when the command is a repetition and was dealt with. */
static bool repeated(struct work *work)
{
    struct state_outcome outcome;
    envelope_fingerprint(&work->cmd, work->fingerprint);
    if (!known_outcome(work, &outcome) || !outcome.binding || broken(BROKEN_NO_DEDUPE))
        return false; /* new, or it said "not now": the id is free */
    if (!slice_equal(outcome.fingerprint, slice_make(work->fingerprint, sizeof(work->fingerprint)))) {
        answer_problem(work, 422,
                       "This command id (or Idempotency-Key) was used for another command; use a new one for each command");
        work->partition->worker->count.refused++;
        partition_answer_later(work);
        return true;
    }
    replay_outcome(work, &outcome);
    return true;
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
                         .now_ms = clock_wall_ms()};
}

static void run_on_pool_thread(void *arg)
{
    struct work *work = arg;
    struct call call = {.cmd = &work->cmd, .before = work->entity_before, .now_ms = clock_wall_ms(), .job = &work->job};
    if (work->cmd.expiry_ms && call.now_ms >= work->cmd.expiry_ms)
        return; /* nobody waits any more: status stays 0, see settle */
    work->op->handler(&call, &work->decision);
}

static void run_pooled(struct work *work)
{
    buf_append_slice(&work->before, work->entity_before.state); /* the state may be applied while the handler runs */
    if (!buf_ok(&work->before)) {
        recover_restart(work->partition, "out of memory", 1000 * CLOCK_NS_PER_MS);
        return;
    }
    work->entity_before.state = buf_slice(&work->before);
    int64_t left_ms = work->cmd.expiry_ms ? work->cmd.expiry_ms - clock_wall_ms() : INT64_MAX;
    work->job.deadline_ns = left_ms > JOB_MAX_MS ? INT64_MAX : clock_mono_ns() + left_ms * CLOCK_NS_PER_MS;
    work->task.run = run_on_pool_thread;
    partition_submit(work);
}

static bool expired(const struct work *work)
{
    return work->cmd.expiry_ms != 0 && clock_wall_ms() >= work->cmd.expiry_ms;
}

/* Reads and writes of one key, by their kind and place. */
static void run(struct work *work)
{
    struct partition *p = work->partition;
    const struct operation *op = work->op;
    work->entity_before = entity_of(p, work->key);
    if (expired(work)) {
        dispatch_settle(work); /* undecided: becomes 504 */
        return;
    }
    struct call call = make_call(work);
    if (op->place == RUN_INLINE)
        op->handler(&call, &work->decision);
    else if (op->admit)
        op->admit(&call, &work->decision);
    if (op->place == RUN_POOL && work->decision.status == 0) {
        run_pooled(work);
        return;
    }
    dispatch_settle(work);
}

/* A write behind a running one of its key (or a repetition of a running one) waits for it. */
static bool must_queue(struct work *work)
{
    struct partition *p = work->partition;
    const struct work *same = partition_by_id(p, work->cmd.id);
    if (work->op->kind != OPERATION_WRITE)
        return false;
    if (partition_running(p, work->key) || (same && same->stage == WORK_RUNNING))
        return true;
    for (const struct work *w = p->waiting.first; w; w = w->queue_next) {
        if (slice_equal(w->key, work->key))
            return true;
    }
    return false;
}

static void start(struct work *work)
{
    if (work->op->kind == OPERATION_WRITE && repeated(work))
        return;
    run(work);
}

void dispatch_command(struct work *work)
{
    struct partition *p = work->partition;
    const struct service *service = p->worker->service;
    enum envelope_error error = envelope_decode_command(&work->msg->rec, &work->cmd);
    work->key = work->cmd.key;
    fix_id(work);
    if (error != ENVELOPE_OK) {
        dispatch_bury(work, 400, envelope_error_text(error));
        return;
    }
    work->op = find_operation(service, work->cmd.type);
    if (!work->op) {
        dispatch_bury(work, 501, "No operation of this service has that ce_type; see its list of operations");
        return;
    }
    if (work->op->scope == SCOPE_PARTITION) {
        partition_answer_later(work);
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
    if (must_queue(work)) {
        work_move(work, WORK_QUEUED);
        work_queue_add(&p->waiting, work);
        return;
    }
    start(work);
}

/* ---- after the handler ---- */

static bool success(int status)
{
    return status >= 200 && status < 300;
}

/* RFC 9110 section 13.2.1: a precondition counts only where the command would succeed without it. */
static void check_precondition(struct work *work)
{
    const struct entity *before = &work->entity_before;
    if (!work->cmd.if_match.p || work->op->kind != OPERATION_WRITE || !success(work->decision.status) ||
        etag_if_match(work->cmd.if_match, before->exists, before->version))
        return;
    decide_problem(&work->decision, 412,
                   "The entity is not in the version that If-Match names; read it again and repeat with its ETag");
}

static void check_decided(struct work *work)
{
    struct decision *d = &work->decision;
    if (d->status == 0 && expired(work)) {
        work->partition->worker->count.expired++;
        decide_problem(d, 504, "The deadline passed before the work was done; nothing was changed; send it again with more time");
    } else if (d->status == 0) {
        decide_problem(d, 500, "The operation's handler decided nothing; this is a fault of the service");
    } else if (!buf_ok(&d->body) || !buf_ok(&d->state)) {
        decide_problem(d, 503, "The service is out of memory; try again later");
    }
}

static void set_answer(struct work *work)
{
    const struct decision *d = &work->decision;
    bool tagged = success(d->status) && work->exists && work->op->scope == SCOPE_KEY;
    bool body_is_state = d->effect == EFFECT_PUT && d->body.len == 0;
    work->answer = (struct answer){
        .status = d->status,
        .version = tagged ? work->version : 0,
        .body = body_is_state ? work->state : buf_slice(&d->body),
        .content_type = slice_of(d->content_type ? d->content_type : "application/json"),
    };
    if (work->answer.body.len == 0)
        work->answer.content_type = SLICE_NONE;
}

/* The entity as this write leaves it. A refused or expired write repeats the state before: its event is the key's newest. */
static void set_effect(struct work *work)
{
    struct decision *d = &work->decision;
    const struct entity *before = &work->entity_before;
    if (d->effect == EFFECT_NONE && work->op->kind == OPERATION_WRITE) {
        buf_clear(&d->state); /* owned copy: the source may be applied away */
        buf_append_slice(&d->state, before->state);
    }
    work->exists = d->effect == EFFECT_NONE ? before->exists : d->effect == EFFECT_PUT;
    work->version = d->effect == EFFECT_NONE ? before->version : before->version + 1;
    work->state = work->exists ? buf_slice(&d->state) : SLICE("");
    work->binding = d->effect != EFFECT_NONE || d->status < 500;
    work->event_time_ms = clock_wall_ms();
}

void dispatch_settle(struct work *work)
{
    check_decided(work);
    check_precondition(work);
    if (work->op->kind == OPERATION_READ)
        work->decision.effect = EFFECT_NONE;
    set_effect(work);
    if (!buf_ok(&work->decision.state)) {
        recover_restart(work->partition, "out of memory", 1000 * CLOCK_NS_PER_MS);
        return;
    }
    set_answer(work);
    if (work->op->kind == OPERATION_WRITE && !(broken(BROKEN_SILENT_EXPIRY) && work->decision.status == 504))
        partition_append(work);
    else
        partition_answer_later(work);
}

void dispatch_too_large(struct work *work)
{
    work->shrunk = true;
    decide_problem(&work->decision, 413, "The entity would be larger than a Kafka record may be; make it smaller");
    set_effect(work);
    if (!buf_ok(&work->decision.state)) {
        recover_restart(work->partition, "out of memory", 1000 * CLOCK_NS_PER_MS);
        return;
    }
    set_answer(work);
    partition_append(work);
}

void dispatch_answer_too_large(struct work *work)
{
    answer_problem(work, 500, "The answer is larger than a Kafka record may be; ask for less");
}

void dispatch_scan(struct work *work)
{
    struct partition *p = work->partition;
    struct scan scan = {.state = p->state};
    partition_apply(p); /* what is final must be seen */
    struct call call = {.cmd = &work->cmd, .now_ms = clock_wall_ms(), .scan = &scan};
    if (!expired(work))
        work->op->handler(&call, &work->decision);
    check_decided(work);
    work->decision.effect = EFFECT_NONE;
    work->exists = false;
    set_answer(work);
}

static void wake_waiting(struct partition *p)
{
    struct work_queue old = p->waiting;
    if (!old.first)
        return;
    work_queue_init(&p->waiting);
    struct work *work = old.first;
    while (work && p->phase == PARTITION_SERVING) {
        struct work *next = work->queue_next;
        if (must_queue(work))
            work_queue_add(&p->waiting, work);
        else
            start(work);
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
    if (!ran || atomic_load(&work->job.stop))
        return; /* stopped for a shutdown: it stays unfinished, so its command is delivered again */
    dispatch_settle(work);
    wake_waiting(p);
}
