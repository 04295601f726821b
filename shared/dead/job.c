/* SPDX-License-Identifier: Apache-2.0 */
/* Orders, jobs and their progress: checking, and JSON both ways. */
#include "dead/job.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "json.h"
#include "utf8.h"

static const char *const actions[] = {"redrive", "discard"};
static const char *const phases[] = {"waiting", "running", "done", "cancelled"};

const char *dead_action_name(enum dead_action action)
{
    return actions[action];
}

const char *dead_phase_name(enum dead_phase phase)
{
    return phases[phase];
}

/* ---- orders ---- */

void dead_order_init(struct dead_order *order, enum dead_action action)
{
    *order = (struct dead_order){.action = action, .rate = DEAD_RATE_DEFAULT, .max_rounds = DEAD_ROUNDS_DEFAULT};
    dead_filter_init(&order->filter);
}

void dead_order_done(struct dead_order *order)
{
    free(order->ids);
    order->ids = NULL;
    order->id_count = 0;
}

bool dead_order_add_id(struct dead_order *order, struct slice text, struct dead_error *ret_error)
{
    struct dead_id id;
    if (!dead_id_parse(text, &id)) {
        dead_error_set(ret_error, "\"%.*s\" is no dead letter's id; they look like item-3-1234", text.len < 80 ? (int)text.len : 80,
                       text.p ? text.p : "");
        return false;
    }
    if (order->id_count == DEAD_IDS_MAX) {
        dead_error_set(ret_error, "more than %d ids: use a filter instead", DEAD_IDS_MAX);
        return false;
    }
    for (size_t i = 0; i < order->id_count; i++) {
        if (memcmp(&order->ids[i], &id, sizeof(id)) == 0)
            return true; /* named twice, meant once */
    }
    struct dead_id *grown = realloc(order->ids, (order->id_count + 1) * sizeof(*grown));
    if (!grown) {
        dead_error_set(ret_error, "out of memory");
        return false;
    }
    order->ids = grown;
    order->ids[order->id_count++] = id;
    return true;
}

bool dead_order_set_number(struct dead_order *order, const char *name, int64_t value, struct dead_error *ret_error)
{
    bool rate = strcmp(name, "rate") == 0;
    int64_t max = rate ? DEAD_RATE_MAX : DEAD_ROUNDS_MAX;
    if (value < 1 || value > max) {
        dead_error_set(ret_error, "%s must be a whole number from 1 to %" PRId64, name, max);
        return false;
    }
    *(rate ? &order->rate : &order->max_rounds) = (int)value;
    return true;
}

bool dead_order_set_reason(struct dead_order *order, struct slice reason, struct dead_error *ret_error)
{
    if (reason.len == 0 || reason.len >= sizeof(order->reason) || !utf8_is_text(reason)) {
        dead_error_set(ret_error, "the reason must be text of 1 to %zu bytes", sizeof(order->reason) - 1);
        return false;
    }
    snprintf(order->reason, sizeof(order->reason), "%.*s", SLICE_ARG(reason));
    return true;
}

bool dead_order_check(const struct dead_order *order, struct dead_error *ret_error)
{
    if (!order->id_count && !order->all && dead_filter_is_empty(&order->filter))
        dead_error_set(ret_error, "say which letters: by id, by a filter such as service or type, or all of them by all");
    else if (order->action == DEAD_DISCARD && !order->reason[0])
        dead_error_set(ret_error, "say why they are discarded: a reason is kept with each letter");
    else if (order->filter.state == DEAD_ANY)
        dead_error_set(ret_error, "state must be open, redriven or discarded here");
    else
        return true;
    return false;
}

static bool read_ids(struct dead_order *order, struct json_object *ids, struct dead_error *ret_error)
{
    for (size_t i = 0; ids && i < json_object_array_length(ids); i++) {
        struct json_object *id = json_object_array_get_idx(ids, i);
        if (!json_object_is_type(id, json_type_string)) {
            dead_error_set(ret_error, "ids must be texts like \"item-3-1234\"");
            return false;
        }
        if (!dead_order_add_id(order, slice_make(json_object_get_string(id), (size_t)json_object_get_string_len(id)),
                               ret_error))
            return false;
    }
    return true;
}

static bool read_filter(struct dead_filter *filter, struct json_object *object, int64_t now_ms, struct dead_error *ret_error)
{
    for (size_t i = 0; dead_filter_names[i]; i++) {
        struct slice value = json_member_string(object, dead_filter_names[i]);
        if (value.p && !dead_filter_set(filter, dead_filter_names[i], value, now_ms, ret_error))
            return false;
    }
    return true;
}

bool dead_order_read(struct dead_order *order, struct json_object *object, int64_t now_ms, struct dead_error *ret_error)
{
    static const struct json_member members[] = {
        {"service", JSON_STRING, false, 0, 0},    {"class", JSON_STRING, false, 0, 0},
        {"type", JSON_STRING, false, 0, 0},       {"key", JSON_STRING, false, 0, 0},
        {"command_id", JSON_STRING, false, 0, 0}, {"since", JSON_STRING, false, 0, 0},
        {"until", JSON_STRING, false, 0, 0},      {"state", JSON_STRING, false, 0, 0},
        {"ids", JSON_ARRAY, false, 0, 0},         {"reason_contains", JSON_STRING, false, 0, 0},
        {"all", JSON_BOOL, false, 0, 0},          {"dry_run", JSON_BOOL, false, 0, 0},
        {"rate", JSON_INT64, false, 0, 0},        {"max_rounds", JSON_INT64, false, 0, 0},
        {"reason", JSON_STRING, false, 0, 0},
    };
    struct json_error wrong;
    if (!json_members_check(object, members, sizeof(members) / sizeof(members[0]), &wrong)) {
        dead_error_set(ret_error, "%s", wrong.text);
        return false;
    }
    struct slice reason = json_member_string(object, "reason");
    if (reason.p && order->action == DEAD_REDRIVE) {
        dead_error_set(ret_error, "a redrive takes no reason; to choose letters by theirs use reason_contains");
        return false;
    }
    order->all = json_object_get_boolean(json_object_object_get(object, "all"));
    order->dry_run = json_object_get_boolean(json_object_object_get(object, "dry_run"));
    return read_ids(order, json_object_object_get(object, "ids"), ret_error) &&
           read_filter(&order->filter, object, now_ms, ret_error) &&
           (!reason.p || dead_order_set_reason(order, reason, ret_error)) &&
           dead_order_set_number(order, "rate", json_member_int64(object, "rate", order->rate), ret_error) &&
           dead_order_set_number(order, "max_rounds", json_member_int64(object, "max_rounds", order->max_rounds),
                                 ret_error) &&
           dead_order_check(order, ret_error);
}

/* ---- spans ---- */

void dead_spans_done(struct dead_spans *spans)
{
    free(spans->list);
    *spans = (struct dead_spans){NULL, 0};
}

bool dead_spans_add(struct dead_spans *spans, const char *service, int32_t partition, int64_t begin, int64_t end)
{
    struct dead_span *grown = realloc(spans->list, (spans->count + 1) * sizeof(*grown));
    if (!grown)
        return false;
    spans->list = grown;
    struct dead_span *span = &grown[spans->count++];
    *span = (struct dead_span){.partition = partition, .begin = begin, .end = end};
    snprintf(span->service, sizeof(span->service), "%s", service);
    return true;
}

int64_t dead_spans_total(const struct dead_spans *spans)
{
    int64_t total = 0;
    for (size_t i = 0; i < spans->count; i++)
        total += spans->list[i].end - spans->list[i].begin;
    return total;
}

/* ---- jobs ---- */


/* The index of `value` in a list of names; -1: none. */
static int index_of(const char *const *names, size_t count, struct slice value)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_is(value, names[i]))
            return (int)i;
    }
    return -1;
}

struct dead_job *dead_job_new(const char *id)
{
    struct dead_job *job = calloc(1, sizeof(*job));
    if (!job)
        return NULL;
    snprintf(job->id, sizeof(job->id), "%s", id);
    dead_order_init(&job->order, DEAD_REDRIVE);
    return job;
}

void dead_job_free(struct dead_job *job)
{
    if (!job)
        return;
    dead_order_done(&job->order);
    dead_spans_done(&job->spans);
    free(job);
}

static void append_member(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, ",\"%s\":", name);
    buf_append_json(out, utf8_prefix(slice_of(value)));
}

static void append_time(struct buf *out, const char *name, int64_t wall_ms)
{
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(wall_ms, text);
    buf_printf(out, ",\"%s\":\"%s\"", name, text);
}

/* {"action":…, … without the closing brace: what is kept and what is shown have that in common */
static void append_order(struct buf *out, const struct dead_job *job)
{
    const struct dead_order *order = &job->order;
    buf_printf(out, "\"action\":\"%s\",\"filter\":", actions[order->action]);
    dead_filter_write(out, &order->filter);
    buf_printf(out, ",\"rate\":%d,\"max_rounds\":%d", order->rate, order->max_rounds);
    if (order->reason[0])
        append_member(out, "reason", order->reason);
    append_member(out, "by", order->by);
    append_time(out, "created_at", job->created_ms);
}

void dead_job_write(struct buf *out, const struct dead_job *job)
{
    buf_append_text(out, "{");
    append_order(out, job);
    buf_append_text(out, ",\"spans\":[");
    for (size_t i = 0; i < job->spans.count; i++) {
        const struct dead_span *span = &job->spans.list[i];
        buf_append_text(out, i ? ",[" : "[");
        buf_append_json(out, slice_of(span->service));
        buf_printf(out, ",%" PRId32 ",%" PRId64 ",%" PRId64 "]", span->partition, span->begin, span->end);
    }
    buf_append_text(out, "]}");
}

static bool read_spans(struct dead_job *job, struct json_object *spans)
{
    for (size_t i = 0; i < json_object_array_length(spans); i++) {
        struct json_object *span = json_object_array_get_idx(spans, i);
        if (!json_object_is_type(span, json_type_array) || json_object_array_length(span) != 4)
            return false;
        const char *service = json_object_get_string(json_object_array_get_idx(span, 0));
        int64_t numbers[3];
        for (size_t n = 0; n < 3; n++)
            numbers[n] = json_object_get_int64(json_object_array_get_idx(span, n + 1));
        bool possible = numbers[0] >= 0 && numbers[0] <= INT32_MAX && numbers[1] >= 0 && numbers[1] <= numbers[2];
        if (!service || !possible || !dead_spans_add(&job->spans, service, (int32_t)numbers[0], numbers[1], numbers[2]))
            return false;
    }
    return true;
}

static void keep_text(char *to, size_t size, struct slice text)
{
    snprintf(to, size, "%.*s", SLICE_ARG(text));
}

static bool read_order(struct dead_job *job, struct json_object *object)
{
    static const struct json_member members[] = {
        {"action", JSON_STRING, true, 0, 0},   {"filter", JSON_OBJECT, true, 0, 0}, {"rate", JSON_INT64, true, 1, DEAD_RATE_MAX},
        {"max_rounds", JSON_INT64, true, 1, DEAD_ROUNDS_MAX}, {"reason", JSON_STRING, false, 0, 0}, {"by", JSON_STRING, true, 0, 0},
        {"created_at", JSON_STRING, true, 0, 0}, {"spans", JSON_ARRAY, true, 0, 0},
    };
    struct json_error unused;
    struct dead_error wrong;
    struct dead_order *order = &job->order;
    if (!json_members_check(object, members, sizeof(members) / sizeof(members[0]), &unused))
        return false;
    int action = index_of(actions, 2, json_member_string(object, "action"));
    order->action = action == DEAD_DISCARD ? DEAD_DISCARD : DEAD_REDRIVE;
    order->rate = (int)json_member_int64(object, "rate", 0);
    order->max_rounds = (int)json_member_int64(object, "max_rounds", 0);
    keep_text(order->reason, sizeof(order->reason), json_member_string(object, "reason"));
    keep_text(order->by, sizeof(order->by), json_member_string(object, "by"));
    return action >= 0 && clock_parse_rfc3339(json_member_string(object, "created_at"), &job->created_ms) &&
           job->created_ms > 0 &&
           read_filter(&order->filter, json_object_object_get(object, "filter"), 0, &wrong) &&
           read_spans(job, json_object_object_get(object, "spans"));
}

bool dead_job_read(struct dead_job *job, struct slice json)
{
    struct json_error unused;
    struct json_object *object = json_parse_strict(json, &unused);
    bool ok = object && json_object_is_type(object, json_type_object) && read_order(job, object);
    json_object_put(object);
    return ok;
}

/* ---- progress ---- */

struct count_member {
    const char *name;
    size_t offset;
};
static const struct count_member counts[] = {
    {"examined", offsetof(struct dead_progress, examined)},
    {"done", offsetof(struct dead_progress, done)},
    {"already", offsetof(struct dead_progress, already)},
    {"too_often", offsetof(struct dead_progress, too_often)},
    {"unfit", offsetof(struct dead_progress, unfit)},
};
#define COUNTS (sizeof(counts) / sizeof(counts[0]))

static void append_progress(struct buf *out, const struct dead_progress *progress)
{
    buf_printf(out, "\"phase\":\"%s\"", phases[progress->phase]);
    for (size_t i = 0; i < COUNTS; i++)
        buf_printf(out, ",\"%s\":%" PRId64, counts[i].name, *(const int64_t *)((const char *)progress + counts[i].offset));
    if (progress->updated_ms)
        append_time(out, "updated_at", progress->updated_ms);
    append_member(out, "error", progress->error);
    append_member(out, "runner", progress->runner);
}

void dead_progress_write(struct buf *out, const struct dead_progress *progress)
{
    buf_append_text(out, "{");
    append_progress(out, progress);
    buf_printf(out, ",\"span\":%zu,\"offset\":%" PRId64 "}", progress->span, progress->offset);
}

bool dead_progress_read(struct dead_progress *progress, struct slice json)
{
    struct json_error unused;
    struct json_object *object = json_parse_strict(json, &unused);
    bool ok = object && json_object_is_type(object, json_type_object);
    int phase = ok ? index_of(phases, 4, json_member_string(object, "phase")) : -1;
    if (phase >= 0) {
        *progress = (struct dead_progress){.phase = (enum dead_phase)phase,
                                           .span = (size_t)json_member_int64(object, "span", 0),
                                           .offset = json_member_int64(object, "offset", 0)};
        for (size_t i = 0; i < COUNTS; i++)
            *(int64_t *)((char *)progress + counts[i].offset) = json_member_int64(object, counts[i].name, 0);
        if (!clock_parse_rfc3339(json_member_string(object, "updated_at"), &progress->updated_ms) ||
            progress->updated_ms < 0)
            progress->updated_ms = 0;
        keep_text(progress->error, sizeof(progress->error), json_member_string(object, "error"));
        keep_text(progress->runner, sizeof(progress->runner), json_member_string(object, "runner"));
    }
    json_object_put(object);
    return phase >= 0;
}

void dead_job_show(struct buf *out, const struct dead_job *job)
{
    bool ending = job->cancelled && job->progress.phase < DEAD_DONE;
    buf_append_text(out, "{\"id\":");
    buf_append_json(out, slice_of(job->id));
    buf_append_text(out, ",");
    append_order(out, job);
    buf_printf(out, ",\"total\":%" PRId64 ",\"cancelling\":%s,", dead_spans_total(&job->spans), ending ? "true" : "false");
    append_progress(out, &job->progress);
    buf_append_text(out, "}");
}

enum dead_verdict dead_job_judge(const struct dead_job *job, const struct dead_letter *letter, const struct dead_mark *mark)
{
    const struct dead_order *order = &job->order;
    enum dead_state state = mark ? mark->state : DEAD_OPEN;
    if (mark && strcmp(mark->job, job->id) == 0)
        return DEAD_COUNTED;
    if (!dead_filter_matches(&order->filter, letter, state))
        return dead_filter_matches(&order->filter, letter, order->filter.state) ? DEAD_ALREADY : DEAD_PASS;
    if (order->action == DEAD_REDRIVE && letter->deliveries > order->max_rounds)
        return DEAD_TOO_OFTEN;
    return DEAD_ACT;
}
