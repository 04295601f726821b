/* SPDX-License-Identifier: Apache-2.0 */
/* One command at a time after owners that came and went; see suspects.h. */
#include "worker/suspects.h"

#include "log.h"
#include "worker/dispatch.h"
#include "worker/faults.h"
#include "worker/partition.h"
#include "worker/repeat.h"
#include "worker/work.h"

void suspects_begin(struct partition *p)
{
    struct worker *worker = p->worker;
    struct bus_error error;
    int64_t low, high;
    int claims = state_claims_in_place(p->state);
    if (claims < SUSPECTS_CLAIMS ||
        reader_watermarks(worker->reader, worker->commands_topic, p->number, &low, &high, &error) != 0 || high <= p->position)
        return;
    log_warn("owners of this partition came and went without progress; commands run one at a time",
             "partition=%d claims=%d from_command=%lld until=%lld", p->number, claims, (long long)p->position, (long long)high);
    p->suspect_until = high;
    worker->suspicious = true;
}

static bool has_suspects(const struct partition *p)
{
    return p->phase == PARTITION_SERVING && (p->suspects.first || p->offsets.floor < p->suspect_until);
}

/* Nobody waits for a turn, and none will come that needs one? */
static void look_for_the_end(struct worker *worker)
{
    for (int32_t i = 0; i < worker->partition_count; i++) {
        if (has_suspects(&worker->partitions[i]))
            return;
    }
    worker->suspicious = false;
    log_info("commands run as usual again", "group=%s", worker->group);
}

/* The write gets its event, like every other, before the dead letter. */
static void condemn(struct work *work)
{
    buf_clear(&work->reason);
    buf_printf(&work->reason, "the worker ended %d times while only this command was running", work->crashes);
    work->bury = "crashed";
    work->noted = true;
    log_error("command is put aside: it ends the worker", "partition=%d offset=%lld id=%.*s type=%s crashes=%d",
              work->partition->number, (long long)work->msg->rec.offset, SLICE_ARG(work->cmd.id), work->op->type, work->crashes);
    decide_problem(&work->decision, 500, "The command is put aside as a dead letter: %.*s", SLICE_ARG(buf_slice(&work->reason)));
    dispatch_undone(work);
}

static void take_turn(struct work *work)
{
    struct partition *p = work->partition;
    if (repeat_is_known(work)) {
        dispatch_admitted(work);
        return;
    }
    p->worker->turn = work;
    if (work->msg->rec.offset >= p->suspect_until) { /* not one of them, but nothing may run beside one */
        work->cleared = true;
        dispatch_admitted(work);
        return;
    }
    if (state_attempts(p->state, work->cmd.id, &work->attempts, &work->first_attempt_ms, &work->crashes) &&
        work->crashes >= SUSPECTS_CRASHES) {
        condemn(work);
        return;
    }
    work->crashes++; /* until it has come through */
    faults_note(work);
}

void suspects_tick(struct partition *p)
{
    struct worker *worker = p->worker;
    while (worker->suspicious && !worker->turn && p->phase == PARTITION_SERVING) {
        struct work *work = work_queue_take(&p->suspects);
        if (!work) {
            look_for_the_end(worker);
            return;
        }
        take_turn(work);
    }
}

bool suspects_hold(struct work *work)
{
    struct partition *p = work->partition;
    if (!p->worker->suspicious && !p->suspects.first)
        return false;
    work_move(work, WORK_QUEUED);
    work_queue_add(&p->suspects, work);
    return true;
}

void suspects_counted(struct work *note)
{
    struct work *work = note->partition->worker->turn;
    if (!work || work->cleared || work->partition != note->partition ||
        !slice_equal(envelope_attempts_of(note->key), work->cmd.id))
        return;
    work->cleared = true;
    dispatch_admitted(work);
}

bool suspects_passed(struct work *work)
{
    struct worker *worker = work->partition->worker;
    if (worker->turn != work)
        return false;
    bool counted = work->crashes > 0;
    worker->turn = NULL;
    work->crashes = 0;
    return counted;
}

void suspects_pardon(struct partition *p)
{
    struct work *work = p->worker->turn;
    if (p->phase != PARTITION_SERVING || !work || work->partition != p || !work->cleared || work->crashes == 0)
        return;
    work->crashes--;
    faults_note(work);
}
