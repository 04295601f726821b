/* SPDX-License-Identifier: Apache-2.0 */
/* Retries that keep the order of each key, dead letters, breakers; see faults.h. */
#include "worker/faults.h"

#include <stdio.h>

#include "clock.h"
#include "hash.h"
#include "log.h"
#include "worker/counts.h"
#include "worker/dispatch.h"
#include "worker/letters.h"
#include "worker/partition.h"
#include "worker/repeat.h"
#include "worker/retry.h"
#include "worker/settle.h"
#include "worker/suspects.h"
#include "worker/work.h"

/* This long before its deadline a command that waits for a dependency is answered instead: the answer must arrive in time. */
#define ANSWER_MARGIN_MS 200
/* A deadline further off is looked at when something else is. */
#define FAR_MS (INT64_C(24) * 3600 * 1000)

static struct breaker *breaker_of(const struct work *work)
{
    struct worker *worker = work->partition->worker;
    return &worker->breakers[work->op - worker->service->operations];
}

/* ---- waiting ---- */

/* A process that has no room waits some 50 to 150 ms: not all that wait look at the same time. */
#define BUSY_NS (INT64_C(50) * CLOCK_NS_PER_MS)

/* With `count` its attempts are noted, or forgotten. The claim may end by that, and the work be gone. */
static void put_aside(struct work *work, int64_t due_ns, bool count)
{
    struct partition *p = work->partition;
    int64_t now_ns = clock_mono_ns(), left_ms = work->cmd.expiry_ms - ANSWER_MARGIN_MS - clock_wall_ms();
    if (work->cmd.expiry_ms && (due_ns - now_ns) / CLOCK_NS_PER_MS > left_ms)
        due_ns = now_ns + (left_ms > 0 ? left_ms : 0) * CLOCK_NS_PER_MS;
    work->due_ns = due_ns;
    if (due_ns < p->retry_due_ns)
        p->retry_due_ns = due_ns;
    work_move(work, WORK_RETRYING);
    partition_table(work);
    work_queue_add(&p->retrying, work);
    if (!suspects_passed(work) && !count) /* it did not end the process: nobody may find in the log that it might have */
        return;
    if (work->attempts > 0)
        counts_note(work);
    else
        counts_forget(work);
}

static bool answer_is_due(const struct work *work)
{
    return work->cmd.expiry_ms && clock_wall_ms() >= work->cmd.expiry_ms - ANSWER_MARGIN_MS;
}

/* The caller's time is over before the dependency's trouble is: nothing happened, and nothing binds. */
static void give_back(struct work *work)
{
    int64_t wait_ns = breaker_of(work)->until_ns - clock_mono_ns();
    long seconds = wait_ns > 0 ? (long)(wait_ns / 1000000000) + 1 : 1;
    decide_problem(&work->decision, 503, "The service could not do this in time (%.*s); nothing was changed; send it again",
                   SLICE_ARG(buf_slice(&work->reason)));
    snprintf(work->retry_after, sizeof(work->retry_after), "%ld", seconds);
}

/*
 * Attempts that failed shortly before the breaker opened say nothing about the command either. Taken back once: poison on many keys opens
 * it again and again, and must come to its end.
 */
static bool excuse(struct work *work)
{
    const struct worker *worker = work->partition->worker;
    int recent = clock_mono_ns() - work->recent_ns <= worker->breaker_settings.window_ns ? work->recent : 0;
    if (work->excused || recent == 0)
        return false;
    work->excused = true;
    work->attempts -= recent;
    work->recent = 0;
    if (work->attempts == 0)
        work->first_attempt_ms = 0;
    return true;
}

bool faults_admit(struct work *work)
{
    struct worker *worker = work->partition->worker;
    struct breaker *breaker = breaker_of(work);
    int64_t at_ns;
    if (breaker->phase == BREAKER_CLOSED || work->cancelled || settle_expired(work))
        return true;
    if (breaker_admits(breaker, &worker->breaker_settings, work->probes, clock_mono_ns(), &at_ns)) {
        log_info("breaker tries one command", "operation=%s id=%.*s", work->op->type, SLICE_ARG(work->cmd.id));
        work->probe = true;
        return true;
    }
    if (work->reason.len == 0)
        buf_append_text(&work->reason, "its breaker is open");
    put_aside(work, at_ns, excuse(work));
    return false;
}

void faults_abandon(struct work *work)
{
    if (work->probe)
        breaker_abandoned(breaker_of(work), clock_mono_ns());
    work->probe = false;
}

/* ---- counting ---- */

/* Attempts that another process, or this one under an earlier claim, has made. */
static void recall(struct work *work, int64_t now_ms)
{
    struct state_count count;
    if (work->attempts == 0 && counts_find(work, &count)) {
        work->noted = true;
        work->attempts = count.attempts;
        work->crashes = count.crashes;
        work->beside = count.beside;
        work->first_attempt_ms = count.first_ms;
    }
    if (work->first_attempt_ms == 0)
        work->first_attempt_ms = now_ms;
}

/* Different each time, and the same for nobody else. */
static uint64_t chance(const struct work *work)
{
    return hash_slice(work->cmd.id) * UINT64_C(0x9e3779b97f4a7c15) ^
           (uint64_t)(clock_wall_ms() + work->attempts) * UINT64_C(0xbf58476d1ce4e5b9);
}

/* ---- faults ---- */

static void keep_reason(struct work *work)
{
    buf_clear(&work->reason);
    buf_append_slice(&work->reason, buf_slice(&work->decision.body));
}

static void give_up(struct work *work, bool permanent)
{
    work->bury = permanent ? "permanent" : "exhausted";
    log_error("command cannot be worked on", "id=%.*s type=%s attempts=%d why=\"%.*s\"", SLICE_ARG(work->cmd.id),
              work->op->type, work->attempts, SLICE_ARG(buf_slice(&work->reason)));
    decide_problem(&work->decision, permanent ? 500 : 503, "The command is put aside as a dead letter after %d attempt%s: %.*s",
                   work->attempts, work->attempts == 1 ? "" : "s", SLICE_ARG(buf_slice(&work->reason)));
}

/* Tells operators what the breaker does. Nobody waits for it, and a loss does no harm: the log has it too. */
static void announce(const struct work *work)
{
    struct worker *worker = work->partition->worker;
    struct buf key = {0}, value = {0};
    struct headers headers;
    struct record rec;
    letters_breaker(work, breaker_of(work), clock_mono_ns(), clock_wall_ms(), &key, &value, &headers, &rec);
    if (buf_ok(&key) && buf_ok(&value)) {
        int err = producer_send(worker->replies, &rec, &headers, NULL);
        if (err)
            log_debug("a breaker's state was not announced", "topic=%s error=%d", rec.topic, err);
    }
    buf_done(&key);
    buf_done(&value);
}

static void count_recent(struct work *work)
{
    int64_t now_ns = clock_mono_ns();
    if (work->recent == 0 || now_ns - work->recent_ns > work->partition->worker->breaker_settings.window_ns) {
        work->recent = 0;
        work->recent_ns = now_ns;
    }
    work->recent++;
}

/* What waits looks at it in faults_tick(): a count may end the claim. */
static void excuse_all(struct worker *worker, const struct operation *op)
{
    for (int32_t i = 0; i < worker->partition_count; i++) {
        struct partition *p = &worker->partitions[i];
        for (struct work *work = p->phase == PARTITION_SERVING ? p->retrying.first : NULL; work; work = work->queue_next) {
            if (work->op != op || work->recent == 0 || work->excused)
                continue;
            work->due_ns = 0; /* then its breaker says when */
            p->retry_due_ns = 0;
        }
    }
}

static void count_success(struct work *work)
{
    work->probe = false;
    if (!breaker_succeeded(breaker_of(work)))
        return;
    log_info("breaker closes: the operation works again", "operation=%s", work->op->type);
    announce(work);
}

/* True: the breaker is open, so this failure says nothing about the command. */
static bool count_failure(struct work *work)
{
    struct worker *worker = work->partition->worker;
    struct breaker *breaker = breaker_of(work);
    enum breaker_phase before = breaker->phase;
    work->probes += work->probe;
    work->probe = false;
    bool is_open = breaker_failed(breaker, &worker->breaker_settings, hash_slice(work->key), clock_mono_ns());
    if (is_open && before != BREAKER_OPEN) {
        log_warn("breaker opens: the operation fails for different keys; its commands wait", "operation=%s pause_ms=%lld why=\"%.*s\"",
                 work->op->type, (long long)(breaker->pause_ns / CLOCK_NS_PER_MS), SLICE_ARG(buf_slice(&work->reason)));
        announce(work);
        if (before == BREAKER_CLOSED)
            excuse_all(worker, work->op);
    }
    return is_open;
}

bool faults_postpone(struct work *work)
{
    struct worker *worker = work->partition->worker;
    if (work->decision.fault == FAULT_NONE) {
        if (work->decision.status != 0 && !work->retry_after[0] && !work->cancelled)
            count_success(work);
        else
            faults_abandon(work);
        return false;
    }
    bool permanent = work->decision.fault == FAULT_PERMANENT;
    int64_t now_ms = clock_wall_ms();
    keep_reason(work);
    worker->count.faults++;
    if (work->decision.fault == FAULT_BUSY) {
        faults_abandon(work);
        put_aside(work, clock_mono_ns() + BUSY_NS + (int64_t)(chance(work) % (2 * BUSY_NS)), false);
        return true;
    }
    if (permanent) {
        faults_abandon(work);
    } else if (count_failure(work)) {
        put_aside(work, breaker_of(work)->until_ns, excuse(work));
        return true;
    }
    recall(work, now_ms);
    work->attempts++;
    count_recent(work);
    struct retry_policy policy = retry_policy_of(work->op);
    int64_t delay_ms = permanent ? RETRY_NEVER
                                 : retry_delay_ms(&policy, work->attempts, now_ms - work->first_attempt_ms, chance(work));
    if (delay_ms == RETRY_NEVER) {
        give_up(work, permanent);
        return false;
    }
    worker->count.retries++;
    put_aside(work, clock_mono_ns() + delay_ms * CLOCK_NS_PER_MS, true);
    return true;
}

void faults_answer(struct work *work)
{
    bool permanent = work->decision.fault == FAULT_PERMANENT;
    work->partition->worker->count.faults++;
    keep_reason(work);
    decide_problem(&work->decision, permanent ? 500 : 503, "The service could not do this: %.*s", SLICE_ARG(buf_slice(&work->reason)));
    if (!permanent)
        snprintf(work->retry_after, sizeof(work->retry_after), "1");
}

/* ---- again ---- */

static void try_again(struct work *work)
{
    log_about(work->cmd.id, work->cmd.traceparent);
    partition_untable(work);
    work_move(work, WORK_NEW);
    decision_reset(&work->decision);
    if (answer_is_due(work)) {
        give_back(work);
        dispatch_undone(work);
    } else {
        dispatch_again(work);
    }
}

void faults_tick(struct partition *p, int64_t now_ns)
{
    if (now_ns < p->retry_due_ns)
        return;
    struct work_queue old = p->retrying;
    work_queue_init(&p->retrying);
    p->retry_due_ns = INT64_MAX;
    bool ran = false;
    for (struct work *work = old.first, *next; work && p->phase == PARTITION_SERVING; work = next) {
        next = work->queue_next;
        if (work->due_ns > now_ns) {
            work_queue_add(&p->retrying, work);
            p->retry_due_ns = work->due_ns < p->retry_due_ns ? work->due_ns : p->retry_due_ns;
            continue;
        }
        ran = true;
        try_again(work);
        log_about_nothing();
    }
    if (ran && p->phase == PARTITION_SERVING)
        dispatch_wake_waiting(p);
}

/* ---- behind one that waits ---- */

void faults_queued(const struct work *work)
{
    struct partition *p = work->partition;
    int64_t left_ms = work->cmd.expiry_ms - ANSWER_MARGIN_MS - clock_wall_ms();
    int64_t due_ns = clock_mono_ns() + (left_ms > 0 ? left_ms : 0) * CLOCK_NS_PER_MS;
    if (work->cmd.expiry_ms && left_ms < FAR_MS && due_ns < p->queue_due_ns)
        p->queue_due_ns = due_ns;
}

/* Does it only wait behind another, which is tried again? A repetition of that one waits on: nobody may say that nothing was changed. */
static bool hurries(const struct work *work)
{
    const struct partition *p = work->partition;
    const struct work *before = partition_running(p, work->key), *same = partition_by_id(p, work->cmd.id);
    return answer_is_due(work) && before && before->stage == WORK_RETRYING && !(same && work_undecided(same));
}

void faults_hurry(struct partition *p, int64_t now_ns)
{
    if (now_ns < p->queue_due_ns)
        return;
    struct work_queue old = p->waiting;
    work_queue_init(&p->waiting);
    p->queue_due_ns = INT64_MAX;
    for (struct work *work = old.first, *next; work && p->phase == PARTITION_SERVING; work = next) {
        next = work->queue_next;
        if (hurries(work)) {
            crowd_leave(&p->crowd, hash_slice(work->key), p->worker->key_queue);
            if (work->op->kind == OPERATION_WRITE && repeat_answer(work))
                continue; /* it was done before; another outcome would take the place of that one */
            buf_clear(&work->reason);
            buf_append_text(&work->reason, "a command before it, about the same thing, is tried again");
            give_back(work);
            dispatch_undone(work);
            continue;
        }
        work_queue_add(&p->waiting, work);
        if (!answer_is_due(work))
            faults_queued(work);
    }
}
