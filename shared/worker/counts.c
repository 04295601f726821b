/* SPDX-License-Identifier: Apache-2.0 */
/* Writing, finding and forgetting counts; see counts.h. */
#include "worker/counts.h"

#include "clock.h"
#include "worker/partition.h"
#include "worker/work.h"

#define COUNT_KEY_SIZE (sizeof(ENVELOPE_ATTEMPTS_KEY_PREFIX) + ENVELOPE_ID_MAX)

/* The key of the count of a command's attempts, in `scratch`. */
static struct slice count_key(struct slice id, char scratch[COUNT_KEY_SIZE])
{
    const size_t prefix = sizeof(ENVELOPE_ATTEMPTS_KEY_PREFIX) - 1;
    memcpy(scratch, ENVELOPE_ATTEMPTS_KEY_PREFIX, prefix);
    memcpy(scratch + prefix, id.p, id.len);
    return slice_make(scratch, prefix + id.len);
}

/* NULL: out of memory. */
static struct work *new_note(struct partition *p, struct slice id, const struct state_count *count, struct slice reason)
{
    char key[COUNT_KEY_SIZE];
    struct work *note = work_new_own(p, count_key(id, key));
    if (!note)
        return NULL;
    note->letter = LETTER_ATTEMPTS;
    note->attempts = count->attempts;
    note->crashes = count->crashes;
    note->beside = count->beside;
    note->first_attempt_ms = count->first_ms ? count->first_ms : clock_wall_ms();
    buf_append_text(&note->decision.state, "{\"reason\":");
    buf_append_json(&note->decision.state, reason);
    buf_append_text(&note->decision.state, "}");
    note->state = buf_slice(&note->decision.state);
    return note;
}

void counts_note(struct work *work)
{
    const struct state_count count = {work->attempts, work->crashes, work->beside, work->first_attempt_ms};
    struct work *note = new_note(work->partition, work->cmd.id, &count, buf_slice(&work->reason));
    if (!note)
        return; /* one attempt more, at worst */
    work->noted = true;
    work_move(note, WORK_NOTING);
    partition_append(note);
}

void counts_correct(struct partition *p, struct slice id, const struct state_count *count)
{
    struct work *note = new_note(p, id, count, SLICE(""));
    if (!note)
        return;
    p->repairs_open++;
    work_move(note, WORK_REPAIRING);
    partition_append(note);
}

/* Also what is not in the local copy yet. */
bool counts_find(const struct work *work, struct state_count *ret_count)
{
    char key[COUNT_KEY_SIZE];
    const struct work *young = partition_by_key(work->partition, count_key(work->cmd.id, key));
    if (!young)
        return state_attempts(work->partition->state, work->cmd.id, ret_count);
    if (young->letter != LETTER_ATTEMPTS)
        return false;
    *ret_count = (struct state_count){young->attempts, young->crashes, young->beside, young->first_attempt_ms};
    return true;
}

/* Whoever counted it: what comes again after an outcome that does not bind begins anew. */
void counts_forget(struct work *work)
{
    struct state_count count;
    if (work->convicted || work->partition->phase != PARTITION_SERVING || (!work->noted && !counts_find(work, &count)))
        return;
    work->noted = false;
    counts_remove(work->partition, work->cmd.id);
}

void counts_remove(struct partition *p, struct slice id)
{
    char key[COUNT_KEY_SIZE];
    (void)partition_remove(p, count_key(id, key), clock_wall_ms()); /* else sweep.c comes for it */
}
