/* SPDX-License-Identifier: Apache-2.0 */
/* Finding a command by its id, wherever it is; see inquire.h. */
#include "worker/inquire.h"

#include <inttypes.h>
#include <stdio.h>

#include "clock.h"
#include "hash.h"
#include "json.h"
#include "problem.h"
#include "worker/partition.h"
#include "worker/parts.h"
#include "worker/repeat.h"
#include "worker/settle.h"
#include "worker/work.h"

enum inquiry { INQUIRY_NONE, INQUIRY_STATE, INQUIRY_RESULT, INQUIRY_CANCEL };

static enum inquiry inquiry_of(const struct work *work)
{
    static const struct {
        const char *verb;
        enum inquiry inquiry;
    } verbs[] = {{".operation", INQUIRY_STATE}, {".result", INQUIRY_RESULT}, {".cancel", INQUIRY_CANCEL}};
    struct slice type = work->cmd.type, service = slice_of(work->partition->worker->service->name);
    if (type.len <= service.len || memcmp(type.p, service.p, service.len) != 0)
        return INQUIRY_NONE;
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (slice_is(slice_make(type.p + service.len, type.len - service.len), verbs[i].verb))
            return verbs[i].inquiry;
    }
    return INQUIRY_NONE;
}

bool inquire_is_one(const struct work *work)
{
    return inquiry_of(work) != INQUIRY_NONE;
}

static struct work *find_queued(const struct work_queue *queue, struct slice id)
{
    for (struct work *work = queue->first; work; work = work->queue_next) {
        if (slice_equal(work->cmd.id, id))
            return work;
    }
    return NULL;
}

/* The command while it is not decided; NULL when it is, or is not known. */
static struct work *find_undecided(const struct work *asker)
{
    struct partition *p = asker->partition;
    struct slice id = asker->cmd.subject;
    struct work *young = partition_by_id(p, id);
    if (young)
        return work_undecided(young) ? young : NULL;
    young = find_queued(&p->waiting, id);
    return young ? young : find_queued(&p->suspects, id);
}

/* ---- what there is to say ---- */

static void say(struct work *work, int status)
{
    work->answer = (struct answer){
        .status = status, .body = buf_slice(&work->answer_body), .content_type = SLICE("application/json")};
}

static void say_undecided(struct work *asker, const struct work *asked)
{
    struct buf *out = &asker->answer_body;
    bool running = asked->stage == WORK_RUNNING && !asked->cancelled;
    unsigned done = running ? atomic_load_explicit(&asked->job.done, memory_order_relaxed) : 0;
    buf_printf(out, "{\"state\":\"%s\"", asked->cancelled ? "cancelling" : running ? "running" : "pending");
    if (done > 0)
        buf_printf(out, ",\"progress\":%u.%04u", (done - 1) / JOB_PARTS, (done - 1) % JOB_PARTS);
    size_t peak = running ? atomic_load_explicit(&asked->job.memory_peak, memory_order_relaxed) : 0;
    if (peak > 0)
        buf_printf(out, ",\"memory\":{\"current_bytes\":%zu,\"peak_bytes\":%zu}",
                   atomic_load_explicit(&asked->job.memory, memory_order_relaxed), peak);
    if (asked->attempts > 0) {
        buf_printf(out, ",\"attempts\":%d,\"reason\":", asked->attempts);
        buf_append_json(out, buf_slice(&asked->reason));
    }
    buf_append_text(out, "}");
    say(asker, 202);
}

static void say_outcome(struct work *asker, const struct state_outcome *outcome)
{
    struct buf *out = &asker->answer_body;
    char etag[ETAG_SIZE];
    buf_printf(out, "{\"state\":\"%s\",\"status\":%d", outcome->status < 400 ? "succeeded" : "failed", outcome->status);
    if (outcome->version > 0) {
        int len = etag_write(outcome->version, etag);
        buf_append_text(out, ",\"etag\":");
        buf_append_json(out, slice_make(etag, (size_t)len));
    }
    if (!outcome->binding)
        buf_append_text(out, ",\"repeatable\":true");
    buf_append_text(out, ",\"result\":");
    buf_append_slice(out, outcome->body.len ? outcome->body : SLICE("null"));
    buf_append_text(out, "}");
    say(asker, 200);
}

/* Its outcome, where that binds: then a repetition of it may wait somewhere, but nothing will come of it. */
static bool find_binding(struct work *asker, struct state_outcome *ret_outcome)
{
    return repeat_outcome(asker->partition, asker->cmd.subject, ret_outcome) && ret_outcome->binding;
}

static void answer_unknown(struct work *work)
{
    settle_problem(work, 404, "There is no command of that id about that key, or its outcome is forgotten by now");
}

static void answer_state(struct work *work)
{
    struct state_outcome outcome;
    const struct work *undecided = find_undecided(work);
    if (undecided && !find_binding(work, &outcome))
        say_undecided(work, undecided);
    else if (repeat_outcome(work->partition, work->cmd.subject, &outcome))
        say_outcome(work, &outcome);
    else
        answer_unknown(work);
}

/* ---- the result ---- */

/* The number of the part that is asked for. */
static bool part_wanted(const struct command *cmd, int64_t *ret_part)
{
    static const struct json_member members[] = {{"part", JSON_INT64, false, 0, RESULT_PARTS_MAX - 1}};
    struct json_error error;
    *ret_part = 0;
    if (cmd->body.len == 0)
        return true;
    struct json_object *body = json_parse_strict(cmd->body, &error);
    bool good = body && json_members_check(body, members, 1, &error);
    if (good)
        *ret_part = json_member_int64(body, "part", 0);
    json_object_put(body);
    return good;
}

/* A piece of the body, or all of it: borrowed from the outcome. */
static bool piece_of(const struct state_outcome *outcome, struct result *result, struct slice *ret_bytes)
{
    if (!outcome->result.p)
        *result = (struct result){.bytes = (int64_t)outcome->body.len,
                                  .media_type = outcome->content_type.len ? outcome->content_type : SLICE("application/json")};
    if (result->at + result->bytes > (int64_t)outcome->body.len)
        return false;
    *ret_bytes = slice_make(outcome->body.p + result->at, (size_t)result->bytes);
    result->hash = hash_slice(*ret_bytes);
    return true;
}

static bool bytes_of(struct work *asker, const struct state_outcome *outcome, int64_t part, struct result *ret_result,
                     struct slice *ret_bytes)
{
    char name[RESULT_PART_SIZE];
    if (outcome->result.p && !result_read(outcome->result, ret_result))
        return false;
    if (!ret_result->parts_id.p)
        return part == 0 && piece_of(outcome, ret_result, ret_bytes);
    int len = result_part_name(ret_result->parts_id, part, name);
    return part < result_parts(ret_result) && parts_find(asker->partition, slice_make(name, (size_t)len), ret_bytes);
}

/* The media type is copied behind the bytes: what it is borrowed from may go before the answer leaves. */
static void say_result(struct work *asker, const struct state_outcome *outcome)
{
    int64_t part;
    struct result result = {.at = 0};
    struct slice bytes;
    struct buf *out = &asker->answer_body;
    if (!part_wanted(&asker->cmd, &part)) {
        settle_problem(asker, 422, "The body must be {\"part\":<number>}, from 0 on, or empty for the first part of the result");
        return;
    }
    if (!bytes_of(asker, outcome, part, &result, &bytes)) {
        settle_problem(asker, 404, "The result has no such part, or it is forgotten by now");
        return;
    }
    buf_append_slice(out, bytes);
    buf_append_slice(out, result.media_type);
    if (!buf_ok(out))
        return; /* becomes a 503 */
    asker->answer = (struct answer){
        .status = 200,
        .body = slice_make(out->data, bytes.len),
        .content_type = slice_make(out->data + bytes.len, result.media_type.len),
        .tag = slice_make(asker->etag, (size_t)snprintf(asker->etag, sizeof(asker->etag), "\"%016" PRIx64 "\"", result.hash)),
        .result_bytes = result.bytes,
        .result_parts = result_parts(&result),
    };
}

static void answer_result(struct work *work)
{
    struct state_outcome outcome;
    const struct work *undecided = find_undecided(work);
    if (undecided && !find_binding(work, &outcome))
        say_undecided(work, undecided);
    else if (!repeat_outcome(work->partition, work->cmd.subject, &outcome))
        answer_unknown(work);
    else if (outcome.status < 300)
        say_result(work, &outcome);
    else
        say_outcome(work, &outcome);
}

/* ---- giving up ---- */

static bool entity_exists(struct partition *p, struct slice key)
{
    bool exists;
    int64_t version;
    struct slice state;
    const struct work *young = partition_by_key(p, key);
    if (young)
        return young->exists;
    return state_entity(p->state, key, &exists, &version, &state) && exists;
}

void inquire_decide_cancelled(struct work *work)
{
    decide_problem(&work->decision, 409, "It was cancelled before it was done; nothing was changed");
}

/* What runs is told to stop; what waits is taken up at once, only to be refused. */
static void cancel(struct work *asked)
{
    struct partition *p = asked->partition;
    if (!asked->cancelled)
        asked->told_ns = clock_mono_ns();
    asked->cancelled = true;
    atomic_store(&asked->job.cancelled, true);
    atomic_store(&asked->job.stop, true);
    asked->due_ns = 0;
    if (asked->stage == WORK_RETRYING)
        p->retry_due_ns = 0;
}

static struct work *find_queued_write(const struct work_queue *queue, struct slice key)
{
    for (struct work *work = queue->first; work; work = work->queue_next) {
        if (slice_equal(work->key, key) && work->op && work->op->kind == OPERATION_WRITE)
            return work;
    }
    return NULL;
}

/* Without an id: whichever write of the key is under way. Keys are easier to come by than ids, so only who asked for it may. */
static void answer_cancel_of_key(struct work *work)
{
    struct partition *p = work->partition;
    struct work *asked = partition_running(p, work->key);
    if (!asked)
        asked = find_queued_write(&p->waiting, work->key);
    if (!asked)
        asked = find_queued_write(&p->suspects, work->key);
    if (asked && work->cmd.auth_id.p && !slice_equal(asked->cmd.auth_id, work->cmd.auth_id)) {
        settle_problem(work, 403, "Another caller has asked for it: only who did can cancel it");
    } else if (asked) {
        cancel(asked);
        say_undecided(work, asked);
    } else if (entity_exists(p, work->key)) {
        settle_problem(work, 409, "It is done already: it cannot be cancelled");
    } else {
        settle_problem(work, 404, "Nothing of that id is under way");
    }
}

static void answer_cancel(struct work *work)
{
    struct state_outcome outcome;
    struct work *undecided = find_undecided(work);
    if (undecided && !find_binding(work, &outcome)) {
        cancel(undecided);
        say_undecided(work, undecided);
    } else if (repeat_outcome(work->partition, work->cmd.subject, &outcome)) {
        settle_problem(work, 409, "It is done already: it cannot be cancelled");
    } else {
        answer_unknown(work);
    }
}

void inquire_answer(struct work *work)
{
    buf_clear(&work->answer_body);
    bool of_key = work->cmd.subject.len == 0 && inquiry_of(work) == INQUIRY_CANCEL;
    if (!of_key && (work->cmd.subject.len == 0 || work->cmd.subject.len > ENVELOPE_ID_MAX))
        settle_problem(work, 422, "Header ce_subject must be the id of the command that is asked about");
    else if (settle_expired(work))
        settle_problem(work, 504, "The deadline passed before the question was looked at; ask again");
    else if (of_key)
        answer_cancel_of_key(work);
    else if (inquiry_of(work) == INQUIRY_CANCEL)
        answer_cancel(work);
    else if (inquiry_of(work) == INQUIRY_RESULT)
        answer_result(work);
    else
        answer_state(work);
    if (!buf_ok(&work->answer_body))
        settle_problem(work, 503, "The service is out of memory; try again later");
    partition_answer_later(work);
}
