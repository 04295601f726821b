/* SPDX-License-Identifier: Apache-2.0 */
/* One page of computations. Pure. */
#include "list.h"

#include <inttypes.h>

#include "clock.h"
#include "operation_id.h"
#include "utf8.h"

const struct json_member list_members[LIST_MEMBERS] = {
    {"limit", JSON_INT64, false, 1, LIST_MAX},
    {"state", JSON_STRING, false, 0, 0}, /* read_state() */
    {"after", JSON_STRING, false, 1, OPERATION_ID_MAX + 32},
};

static const char *const states[] = {
    [KNOWN_PENDING] = "pending", [KNOWN_RUNNING] = "running", [KNOWN_CANCELLING] = "cancelling",
    [KNOWN_SUCCEEDED] = "succeeded", [KNOWN_FAILED] = "failed"};

struct query {
    int64_t limit, before_ms;
    unsigned wanted; /* states, a bit each */
    struct operation_name before;
};

static bool read_state(struct slice text, unsigned *ret_wanted)
{
    *ret_wanted = text.p ? 0 : ~0U;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        *ret_wanted |= slice_is(text, states[i]) && i != KNOWN_CANCELLING ? 1U << i : 0;
    if (*ret_wanted & 1U << KNOWN_RUNNING)
        *ret_wanted |= 1U << KNOWN_CANCELLING; /* it still does */
    return *ret_wanted;
}

static bool read_cursor(struct slice text, struct query *ret_query)
{
    ret_query->before_ms = INT64_MAX;
    ret_query->before.command_id = SLICE_NONE;
    if (!text.p)
        return true;
    const char *dot = memchr(text.p, '.', text.len);
    size_t digits = dot ? (size_t)(dot - text.p) : 0;
    ret_query->before_ms = 0;
    for (size_t i = 0; i < digits && digits <= 15; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        ret_query->before_ms = ret_query->before_ms * 10 + (text.p[i] - '0');
    }
    return digits > 0 && digits <= 15 && operation_parse(slice_make(dot + 1, text.len - digits - 1), &ret_query->before);
}

/* False: the decision says what is wrong. */
static bool read_query(const struct call *call, struct query *ret_query, struct decision *ret_decision)
{
    struct json_error error;
    struct json_object *body = json_parse_strict(call->cmd->body.len ? call->cmd->body : SLICE("{}"), &error);
    bool good = false;
    if (!body)
        decide_problem(ret_decision, 422, "The body is not valid JSON: %s", error.text);
    else if (!json_members_check(body, list_members, LIST_MEMBERS, &error))
        decide_problem(ret_decision, 422, "%s", error.text);
    else if (!read_state(json_member_string(body, "state"), &ret_query->wanted))
        decide_problem(ret_decision, 422, "member \"state\" must be one of: pending, running, succeeded, failed");
    else if (!read_cursor(json_member_string(body, "after"), ret_query))
        decide_problem(ret_decision, 422, "member \"after\" must be a cursor as an earlier page gave it");
    else
        good = true;
    if (good)
        ret_query->limit = json_member_int64(body, "limit", LIST_DEFAULT);
    json_object_put(body);
    return good;
}

/* One that is refused because its id is another one's is none of that id. */
static bool is_wanted(const struct query *query, const struct call *call, const struct known *known)
{
    bool started = slice_is(known->type, "compute.start") || slice_is(known->type, "compute.succeeded");
    bool own = !call->cmd->auth_id.p || slice_equal(call->cmd->auth_id, known->owner);
    return started && own && query->wanted & 1U << known->state && !(known->state == KNOWN_FAILED && known->exists) &&
           utf8_is_text(known->key);
}

static void write_cursor(const struct known *known, struct buf *out)
{
    buf_printf(out, "\"%" PRId64 ".", known->time_ms);
    operation_write(out, SLICE("compute"), known->id, known->key);
    buf_append_text(out, "\"");
}

static void write_one(const struct known *known, struct buf *out)
{
    char time[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(known->time_ms, time);
    buf_append_text(out, "{\"operation\":\"");
    operation_write(out, SLICE("compute"), known->id, known->key);
    buf_printf(out, "\",\"time\":\"%s\",", time);
    if (known->state == KNOWN_SUCCEEDED) { /* as compute.get gives it */
        buf_append_slice(out, slice_make(known->body.p + 1, known->body.len - 1));
        return;
    }
    buf_append_text(out, "\"id\":");
    buf_append_json(out, known->key);
    buf_printf(out, ",\"state\":\"%s\"", states[known->state]);
    if (known->progress > 0)
        buf_printf(out, ",\"progress\":%u.%04u", (known->progress - 1) / JOB_PARTS, (known->progress - 1) % JOB_PARTS);
    if (known->state == KNOWN_FAILED) {
        buf_printf(out, ",\"status\":%d,\"problem\":", known->status);
        buf_append_slice(out, known->body.len ? known->body : SLICE("null"));
    }
    buf_append_text(out, "}");
}

void list_handle(const struct call *call, struct decision *ret_decision)
{
    struct query query = {.limit = 0};
    struct known known;
    struct buf *out = &ret_decision->body;
    int64_t looks = 0, taken = 0;
    if (!read_query(call, &query, ret_decision))
        return;
    decide_status(ret_decision, 200);
    buf_append_text(out, "{\"computations\":[");
    bool more = scan_older(call->scan, query.before_ms, query.before.command_id, &known);
    while (more) {
        if (is_wanted(&query, call, &known)) {
            buf_append_text(out, taken++ ? "," : "");
            write_one(&known, out);
        }
        if (taken == query.limit) {
            struct known older;
            more = scan_older(call->scan, known.time_ms, known.id, &older);
            break;
        }
        if (++looks == LIST_LOOKS_MAX || out->len > LIST_BYTES_MAX)
            break;
        more = scan_older(call->scan, known.time_ms, known.id, &known);
    }
    buf_append_text(out, "],\"until\":");
    if (more)
        write_cursor(&known, out);
    else
        buf_append_text(out, "null");
    buf_append_text(out, "}");
}
