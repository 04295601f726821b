/* SPDX-License-Identifier: Apache-2.0 */
/* From a handler's decision, or none, to an event and an answer. */
#include "worker/settle.h"

#include "broken.h"
#include "clock.h"
#include "problem.h"
#include "worker/bury.h"
#include "worker/dispatch.h"
#include "worker/counts.h"
#include "worker/faults.h"
#include "worker/partition.h"
#include "worker/parts.h"
#include "worker/recover.h"
#include "worker/scan.h"

void settle_problem(struct work *work, int status, const char *detail)
{
    buf_clear(&work->answer_body);
    problem_write(&work->answer_body, status, slice_of(detail));
    work->answer = (struct answer){.status = status,
                                   .body = buf_slice(&work->answer_body),
                                   .content_type = SLICE(PROBLEM_CONTENT_TYPE)};
}

void dispatch_bury(struct work *work, int status, const char *detail)
{
    settle_problem(work, status, detail);
    bury(work, slice_of(detail));
}

bool settle_expired(const struct work *work)
{
    return work->cmd.expiry_ms != 0 && clock_wall_ms() >= work->cmd.expiry_ms;
}

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
    if (d->status == 0 && settle_expired(work)) {
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
    parts_place(work);
    if (work->retry_after[0])
        work->answer.retry_after = slice_of(work->retry_after);
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

/* What the decision comes to; false: out of memory, and the claim has ended by it. */
static bool conclude(struct work *work)
{
    set_effect(work);
    if (!buf_ok(&work->decision.state)) {
        recover_restart(work->partition, "out of memory", 1000 * CLOCK_NS_PER_MS);
        return false;
    }
    set_answer(work);
    return true;
}

void dispatch_settle(struct work *work)
{
    struct partition *p = work->partition;
    if (faults_postpone(work))
        return;
    check_decided(work);
    check_precondition(work);
    if (work->op->kind == OPERATION_READ)
        work->decision.effect = EFFECT_NONE;
    if (!conclude(work))
        return;
    counts_forget(work);
    if (p->phase != PARTITION_SERVING)
        return; /* the claim ended by it, and with it this work */
    if (work->op->kind == OPERATION_WRITE && !(broken(BROKEN_SILENT_EXPIRY) && work->decision.status == 504)) {
        if (parts_append(work))
            partition_append(work);
    } else {
        partition_answer_later(work);
    }
}

void dispatch_too_large(struct work *work)
{
    work->shrunk = true;
    decide_problem(&work->decision, 413, "The entity would be larger than a Kafka record may be; make it smaller");
    if (conclude(work))
        partition_append(work);
}

void dispatch_answer_too_large(struct work *work)
{
    settle_problem(work, 500, "The answer is larger than a Kafka record may be; ask for less");
}

void dispatch_scan(struct work *work)
{
    struct partition *p = work->partition;
    struct scan scan = {.state = p->state, .partition = p};
    partition_apply(p); /* what is final must be seen */
    struct call call = {.cmd = &work->cmd, .now_ms = clock_wall_ms(), .scan = &scan, .context = p->worker->context};
    if (!settle_expired(work)) {
        watchdog_enter(&p->worker->watchdog, work);
        work->op->handler(&call, &work->decision);
        watchdog_leave(&p->worker->watchdog);
    }
    if (work->decision.fault != FAULT_NONE)
        faults_answer(work);
    check_decided(work);
    work->decision.effect = EFFECT_NONE;
    work->exists = false;
    set_answer(work);
}
