/* SPDX-License-Identifier: Apache-2.0 */
/* Bringing final records into the local copy, some at a time, in the log's order. */
#include "worker/letters.h"
#include "worker/partition.h"
#include "worker/work.h"

static struct state_change removal_of(const struct work *work)
{
    const struct record tombstone = {.key = work->key};
    struct tombstone read = {.claim_id = SLICE_NONE};
    struct state_change change = {.offset = work->event_offset, .kind = STATE_REMOVED, .key = work->key};
    if (envelope_decode_tombstone(&tombstone, &read) && read.claim_id.p) {
        change.kind = STATE_CLAIM_REMOVED;
        change.key = read.claim_id;
    } else if (read.attempts_of.p) {
        change.kind = STATE_ATTEMPTS_REMOVED;
        change.key = read.attempts_of;
    } else if (read.part.p) {
        change.kind = STATE_PART_REMOVED;
        change.key = read.part;
    }
    return change;
}

static struct state_change change_of(const struct work *work)
{
    if (work->letter == LETTER_REMOVAL)
        return removal_of(work);
    if (work->letter == LETTER_LEFT)
        return (struct state_change){.offset = work->event_offset, .kind = STATE_LEFT, .key = work->key};
    if (work->letter == LETTER_PART)
        return (struct state_change){.offset = work->event_offset,
                                     .kind = STATE_PART,
                                     .key = envelope_part_of(work->key),
                                     .value = work->state};
    if (work->letter == LETTER_ATTEMPTS)
        return (struct state_change){.offset = work->event_offset,
                                     .kind = STATE_ATTEMPTS,
                                     .key = envelope_attempts_of(work->key),
                                     .attempts = work->attempts,
                                     .crashes = work->crashes,
                                     .beside = work->beside,
                                     .first_ms = work->first_attempt_ms};
    return (struct state_change){
        .offset = work->event_offset,
        .kind = STATE_EVENT,
        .key = work->key,
        .value = work->state,
        .version = work->version,
        .exists = work->exists,
        .command_id = work->cmd.id,
        .outcome = {.fingerprint = slice_make(work->fingerprint, sizeof(work->fingerprint)),
                    .status = work->answer.status,
                    .binding = work->binding,
                    .version = work->answer.version,
                    .exists = work->exists,
                    .time_ms = work->event_time_ms,
                    .command_offset = work->msg ? work->msg->rec.offset : -1,
                    .dead_class = slice_of(work->bury ? work->bury : work->dead_class),
                    .body = work->answer.body,
                    .content_type = work->answer.content_type,
                    .result = slice_make(work->result_text, work->result_len),
                    .owner = work->cmd.auth_id,
                    .type = work->op ? letters_event_type(work) : SLICE_NONE}};
}

static void applied(struct partition *p, size_t count)
{
    while (count-- > 0) {
        struct work *work = work_queue_take(&p->journal);
        p->final_count--;
        partition_untable(work);
        work_release(work);
    }
}

void partition_apply(struct partition *p)
{
    struct state_change changes[PARTITION_APPLY_COUNT];
    struct state_error error;
    while (p->final_count > 0) {
        size_t n = 0;
        for (struct work *work = p->journal.first; work && work->final && n < PARTITION_APPLY_COUNT;
             work = work->queue_next)
            changes[n++] = change_of(work);
        if (state_apply(p->state, changes, n, changes[n - 1].offset + 1, &error) != 0) {
            worker_fail(p->worker, "cannot keep the local state", error.text);
            return;
        }
        applied(p, n);
    }
}
