/* SPDX-License-Identifier: Apache-2.0 */
/* One command at a time after owners that came and went; see suspects.h. */
#include "worker/suspects.h"

#include <stdlib.h>

#include "hash.h"
#include "log.h"
#include "worker/dispatch.h"
#include "worker/counts.h"
#include "worker/partition.h"
#include "worker/repeat.h"
#include "worker/work.h"

/* A command by its id: one that was charged when its claim was lost, or one that was put aside. */
struct named {
    struct named *next;
    enum charge charge;
    size_t len;
    char id[ENVELOPE_ID_MAX];
};

int64_t suspects_alone_ns(int beside)
{
    return SUSPECTS_ALONE_NS << (beside < SUSPECTS_DOUBLINGS ? beside : SUSPECTS_DOUBLINGS);
}

/* Out of memory: it is left out. */
static void list_add(struct named **list, const struct work *work)
{
    struct named *named = malloc(sizeof(*named));
    if (!named)
        return;
    *named = (struct named){.next = *list, .charge = work->charge, .len = work->cmd.id.len};
    memcpy(named->id, work->cmd.id.p, work->cmd.id.len);
    *list = named;
}

static void list_free(struct named **list)
{
    while (*list) {
        struct named *named = *list;
        *list = named->next;
        free(named);
    }
}

void suspects_done(struct partition *p)
{
    list_free(&p->spared);
    list_free(&p->convicted);
}

/* As its claim says it. */
static int64_t position_of(const struct partition *p)
{
    return p->position < 0 ? 0 : p->position;
}

void suspects_begin(struct partition *p)
{
    struct worker *worker = p->worker;
    int64_t high, position = position_of(p);
    int claims = state_claims_in_place(p->state);
    suspects_done(p);
    if (claims < SUSPECTS_CLAIMS ||
        reader_end(worker->reader, worker->commands_topic, p->number, READER_LOOK_MS, &high) != 0 || high <= position)
        return;
    log_warn("owners of this partition came and went without progress; commands run one at a time",
             "partition=%d claims=%d from_command=%lld until=%lld", p->number, claims, (long long)position, (long long)high);
    p->suspect_until = high;
    worker->suspicious = true;
}

/* ---- charges ---- */

static void charge(struct work *work, enum charge charge)
{
    work->crashes += (charge == CHARGE_ALONE) - (work->charge == CHARGE_ALONE);
    work->beside += (charge == CHARGE_BESIDE) - (work->charge == CHARGE_BESIDE);
    work->charge = charge;
}

static void let_go(struct work *work)
{
    struct worker *worker = work->partition->worker;
    log_info("a suspect has run alone for some time; others run beside it now", "partition=%d offset=%lld id=%.*s",
             work->partition->number, (long long)work->msg->rec.offset, SLICE_ARG(work->cmd.id));
    work->let_go = true;
    worker->let_go++;
    worker->turn = NULL;
}

/* Its turn, or its place among those that were let go, is over. */
static void leave(struct work *work)
{
    struct worker *worker = work->partition->worker;
    if (work->let_go)
        worker->let_go--;
    if (worker->turn == work)
        worker->turn = NULL;
    work->let_go = false;
}

bool suspects_passed(struct work *work)
{
    if (work->partition->worker->turn != work && !work->let_go)
        return false;
    bool counted = work->crashes > 0 || work->beside > 0;
    leave(work);
    work->charge = CHARGE_NONE;
    work->crashes = work->beside = 0;
    return counted;
}

void suspects_counted(struct work *note)
{
    struct work *work = note->partition->worker->turn;
    if (!work || work->partition != note->partition || !slice_equal(envelope_attempts_of(note->key), work->cmd.id))
        return;
    if (work->leaving) {
        work->leaving = false;
        let_go(work);
    } else if (!work->cleared && work->charge != CHARGE_NONE) {
        work->cleared = true;
        dispatch_admitted(work);
    }
}

static void say_that_we_leave(struct partition *p)
{
    struct work *work = producer_connected(p->worker->events) ? work_new_own(p, SLICE(ENVELOPE_LEFT_KEY)) : NULL;
    if (!work)
        return; /* one claim more that counts */
    work->letter = LETTER_LEFT;
    work_move(work, WORK_NOTING);
    partition_append(work);
}

void suspects_pardon(struct partition *p)
{
    for (struct work *work = p->works, *next; work && p->phase == PARTITION_SERVING; work = next) {
        next = work->next;
        if (work->charge == CHARGE_NONE)
            continue;
        charge(work, CHARGE_NONE);
        counts_note(work);
    }
    if (p->phase == PARTITION_SERVING && p->offsets.floor <= position_of(p))
        say_that_we_leave(p);
}

void suspects_clear(struct partition *p)
{
    for (struct work *work = p->works; work; work = work->next) {
        leave(work);
        if (work->charge == CHARGE_NONE)
            continue;
        list_add(&p->spared, work);
        work->charge = CHARGE_NONE;
    }
}

void suspects_absolve(struct partition *p)
{
    for (const struct named *spared = p->spared; spared && p->phase == PARTITION_REPAIRING; spared = spared->next) {
        struct slice id = slice_make(spared->id, spared->len);
        struct state_count count;
        if (!state_attempts(p->state, id, &count))
            continue;
        int *counted = spared->charge == CHARGE_ALONE ? &count.crashes : &count.beside;
        if (*counted == 0)
            continue;
        (*counted)--;
        counts_correct(p, id, &count);
    }
}

/* ---- the queue ---- */

static bool is_suspect(const struct work *work)
{
    return work->msg->rec.offset < work->partition->suspect_until;
}

bool suspects_hold(struct work *work)
{
    struct partition *p = work->partition;
    struct state_count count;
    if (!p->worker->suspicious && !p->suspects.first)
        return false;
    if (is_suspect(work) && counts_find(work, &count))
        work->beside = count.beside;
    work_move(work, WORK_QUEUED);
    work_queue_add(&p->suspects, work);
    return true;
}

/* Keys of those that stay, by hash: who may not overtake them. That somebody waits in vain for another key does no harm. */
struct keys {
    uint64_t bits[64];
};

static bool keys_have(const struct keys *keys, const struct work *work)
{
    uint64_t hash = hash_slice(work->key);
    return work->op->scope == SCOPE_KEY && (keys->bits[hash / 64 % 64] >> (hash % 64) & 1);
}

static void keys_add(struct keys *keys, const struct work *work)
{
    uint64_t hash = hash_slice(work->key);
    if (work->op->scope == SCOPE_KEY)
        keys->bits[hash / 64 % 64] |= UINT64_C(1) << hash % 64;
}

/* The suspect that is next. One behind a running one of its key would only queue again. Who was beside others comes last, and not with another such. */
static struct work *next_suspect(const struct partition *p)
{
    struct keys keys = {{0}};
    struct work *last = NULL;
    if (p->phase != PARTITION_SERVING)
        return NULL;
    for (struct work *work = p->suspects.first; work && is_suspect(work); work = work->queue_next) {
        bool blocked = keys_have(&keys, work) || (work->op->scope == SCOPE_KEY && partition_running(p, work->key));
        if (!blocked && work->beside == 0)
            return work;
        if (!blocked && !last)
            last = work;
        keys_add(&keys, work);
    }
    return p->worker->let_go == 0 ? last : NULL;
}

static void unqueue(struct work_queue *queue, const struct work *gone)
{
    struct work_queue old = *queue;
    work_queue_init(queue);
    for (struct work *work = old.first, *next; work; work = next) {
        next = work->queue_next;
        if (work != gone)
            work_queue_add(queue, work);
    }
}

/* Who came after the suspects, and is not behind one of the same key. */
static void release_others(struct partition *p)
{
    struct keys keys = {{0}};
    struct work_queue old = p->suspects, free_ones;
    work_queue_init(&p->suspects);
    work_queue_init(&free_ones);
    for (struct work *work = old.first, *next; work; work = next) {
        next = work->queue_next;
        bool stays = is_suspect(work) || keys_have(&keys, work);
        if (stays)
            keys_add(&keys, work);
        work_queue_add(stays ? &p->suspects : &free_ones, work);
    }
    for (struct work *work = free_ones.first, *next; work && p->phase == PARTITION_SERVING; work = next) {
        next = work->queue_next;
        dispatch_admitted(work);
    }
}

static bool has_suspects(const struct partition *p)
{
    return p->phase == PARTITION_SERVING && ((p->suspects.first && is_suspect(p->suspects.first)) || p->offsets.next < p->suspect_until);
}

/* ---- turns ---- */

/*
 * The write gets its event, like every other, before the dead letter. Its count stays: the same command may lie in the partition again,
 * and would end the process before the offset behind this one is committed, time and again.
 */
static void condemn(struct work *work)
{
    work->convicted = true;
    list_add(&work->partition->convicted, work);
    envelope_fingerprint(&work->cmd, work->fingerprint);
    buf_clear(&work->reason);
    buf_printf(&work->reason, "the worker ended %d times while only this command was running", work->crashes);
    work->bury = "crashed";
    work->noted = true;
    log_error("command is put aside: it ends the worker", "partition=%d offset=%lld id=%.*s type=%s crashes=%d",
              work->partition->number, (long long)work->msg->rec.offset, SLICE_ARG(work->cmd.id), work->op->type, work->crashes);
    decide_problem(&work->decision, 500, "The command is put aside as a dead letter: %.*s", SLICE_ARG(buf_slice(&work->reason)));
    dispatch_undone(work);
}

/* Is a handler at work on the pool, be it one whose claim was lost? */
static bool others_run(const struct worker *worker)
{
    if (!worker->has_pool)
        return false;
    struct pool_load load = pool_load(worker->pool);
    return load.running + load.waiting > 0;
}

static void take_turn(struct work *work)
{
    struct worker *worker = work->partition->worker;
    struct state_count count = {.attempts = 0};
    unqueue(&work->partition->suspects, work);
    if (repeat_is_known(work)) {
        dispatch_admitted(work);
        return;
    }
    if (counts_find(work, &count))
        work->noted = true;
    work->attempts = count.attempts;
    work->first_attempt_ms = count.first_ms;
    work->crashes = count.crashes;
    work->beside = count.beside;
    work->trial_ns = 0;
    if (work->crashes >= SUSPECTS_CRASHES) {
        condemn(work);
        return;
    }
    worker->turn = work;
    charge(work, others_run(worker) ? CHARGE_BESIDE : CHARGE_ALONE); /* until it has come through */
    counts_note(work);
}

/* Who was beside others before is to be alone now: what runs is waited for, but not for good. */
static bool must_wait(struct worker *worker, const struct work *work, int64_t now_ns)
{
    if (work->beside > 0 && worker->quiet_ns == 0)
        worker->quiet_ns = now_ns + suspects_alone_ns(work->beside);
    return work->beside > 0 && now_ns < worker->quiet_ns && others_run(worker);
}

static bool begin_turn(struct partition *p, int64_t now_ns)
{
    struct worker *worker = p->worker;
    struct work *work = next_suspect(p);
    if (!work || must_wait(worker, work, now_ns))
        return false;
    worker->quiet_ns = 0;
    take_turn(work);
    return true;
}

/* Waits for another of its key, or for commands that it has sent: it cannot be the one that ends its process. */
static bool only_waits(const struct work *work)
{
    return work->stage == WORK_QUEUED || (work->stage == WORK_RUNNING && atomic_load(&work->job.waits));
}

/* One on the pool has its turn for some time. */
static void watch_turn(struct work *work, int64_t now_ns)
{
    if (!work->cleared || work->leaving)
        return;
    if (only_waits(work) && suspects_passed(work)) {
        counts_note(work);
        return;
    }
    if (work->stage != WORK_RUNNING)
        return;
    if (work->trial_ns == 0)
        work->trial_ns = now_ns;
    if (now_ns - work->trial_ns < suspects_alone_ns(work->beside - (work->charge == CHARGE_BESIDE)))
        return;
    if (work->charge == CHARGE_BESIDE) {
        let_go(work);
        return;
    }
    work->leaving = true; /* until it stands in the log the next one must not begin */
    charge(work, CHARGE_BESIDE);
    counts_note(work);
}

static bool turn_is_due(const struct worker *worker)
{
    for (int32_t i = 0; i < worker->partition_count; i++) {
        if (next_suspect(&worker->partitions[i]))
            return true;
    }
    return false;
}

/* What is sent again after this, by redrive, begins anew. */
static void forget_convicts(struct partition *p)
{
    for (const struct named *named = p->convicted; named && p->phase == PARTITION_SERVING; named = named->next)
        counts_remove(p, slice_make(named->id, named->len));
    list_free(&p->convicted);
}

static void look_for_the_end(struct worker *worker)
{
    for (int32_t i = 0; i < worker->partition_count; i++) {
        if (has_suspects(&worker->partitions[i]) || worker->partitions[i].suspects.first)
            return;
    }
    worker->suspicious = false;
    for (int32_t i = 0; i < worker->partition_count; i++)
        forget_convicts(&worker->partitions[i]);
    log_info("commands run as usual again", "group=%s", worker->group);
}

void suspects_tick(struct partition *p, int64_t now_ns)
{
    struct worker *worker = p->worker;
    if (!worker->suspicious)
        return;
    if (worker->turn && worker->turn->partition == p)
        watch_turn(worker->turn, now_ns);
    while (!worker->turn && p->phase == PARTITION_SERVING && begin_turn(p, now_ns))
        continue;
    if (worker->turn || p->phase != PARTITION_SERVING || turn_is_due(worker))
        return;
    release_others(p);
    look_for_the_end(worker);
}
