/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the outcome of a command id, and answering with it. */
#include "worker/repeat.h"

#include "broken.h"
#include "json.h"
#include "problem.h"
#include "worker/bury.h"
#include "worker/partition.h"
#include "worker/settle.h"

/* From the tables when the event is young, else from the local copy. */
bool repeat_outcome(struct partition *p, struct slice id, struct state_outcome *ret_outcome)
{
    const struct work *young = partition_by_id(p, id);
    if (!young)
        return state_find_outcome(p->state, id, ret_outcome);
    *ret_outcome = (struct state_outcome){
        .fingerprint = slice_make(young->fingerprint, sizeof(young->fingerprint)),
        .status = young->answer.status,
        .binding = young->binding,
        .version = young->answer.version,
        .command_offset = young->msg ? young->msg->rec.offset : -1,
        .dead_class = slice_of(young->bury ? young->bury : young->dead_class),
        .body = young->answer.body,
        .content_type = young->answer.content_type,
        .result = young->result_len ? slice_make(young->result_text, young->result_len) : SLICE_NONE};
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

/*
 * Is the command over? One that was told "not now" may be sent again under its id and is new then; but a record that was told so, or
 * stands before one that was, is not decided a second time when it is delivered again: its first owner may still answer reads, and
 * would know nothing of it.
 */
static bool is_over(const struct work *work, const struct state_outcome *outcome)
{
    return outcome->binding || (outcome->command_offset >= work->msg->rec.offset && !broken(BROKEN_DECIDED_TWICE));
}

/* Its dead letter may have been lost with its worker, or be there twice. */
static void bury_again(struct work *work, const struct state_outcome *outcome)
{
    work->bury = bury_class(outcome->dead_class);
    if (!work->bury)
        return;
    buf_clear(&work->reason);
    struct json_error error;
    struct json_object *problem = json_parse_strict(outcome->body, &error);
    buf_append_slice(&work->reason, problem ? json_member_string(problem, "detail") : SLICE("its reason was not kept"));
    json_object_put(problem);
}

bool repeat_is_known(const struct work *work)
{
    struct state_outcome outcome;
    return work->op->kind == OPERATION_WRITE && repeat_outcome(work->partition, work->cmd.id, &outcome) && is_over(work, &outcome);
}

bool repeat_answer(struct work *work)
{
    struct state_outcome outcome;
    envelope_fingerprint(&work->cmd, work->fingerprint);
    if (!repeat_outcome(work->partition, work->cmd.id, &outcome) || !is_over(work, &outcome) || broken(BROKEN_NO_DEDUPE))
        return false; /* new, or it said "not now": the id is free */
    if (!slice_equal(outcome.fingerprint, slice_make(work->fingerprint, sizeof(work->fingerprint)))) {
        settle_problem(work, 422,
                       "This command id (or Idempotency-Key) was used for another command; use a new one for each command");
        work->partition->worker->count.refused++;
        partition_answer_later(work);
        return true;
    }
    if (!outcome.binding)
        bury_again(work, &outcome);
    replay_outcome(work, &outcome);
    return true;
}
