/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Computations: start one, read one. Pure but for the time it takes.
 *
 * The state of a computation is {"id","kind","params","state","result","elapsed_ms"}, written once when it has succeeded.
 */
#include "handlers.h"

#include <inttypes.h>

#include "clock.h"
#include "json.h"
#include "kernels/kernels.h"
#include "utf8.h"

static const struct json_member start_members[] = {
    {"kind", JSON_STRING, true, 1, 64},
    {"params", JSON_OBJECT, true, 0, 0},
};

/* The parsed body of a start command, and its kind; NULL, and the decision says why. */
static struct json_object *parse_start(const struct call *call, const struct kind **ret_kind,
                                       struct json_object **ret_params, struct decision *ret_decision)
{
    struct json_error error;
    struct json_object *body = json_parse_strict(call->cmd->body, &error);
    if (!body) {
        decide_problem(ret_decision, 422, "The body is not valid JSON: %s", error.text);
        return NULL;
    }
    if (!json_members_check(body, start_members, sizeof(start_members) / sizeof(start_members[0]), &error))
        goto refuse;
    *ret_kind = kind_find(json_member_string(body, "kind"));
    if (!*ret_kind) {
        struct buf names = {0};
        kind_list(&names);
        decide_problem(ret_decision, 422, "member \"kind\" must be one of: %.*s", SLICE_ARG(buf_slice(&names)));
        buf_done(&names);
        json_object_put(body);
        return NULL;
    }
    *ret_params = json_object_object_get(body, "params");
    if (json_members_check(*ret_params, (*ret_kind)->params, (*ret_kind)->param_count, &error))
        return body;
refuse:
    decide_problem(ret_decision, 422, "%s", error.text);
    json_object_put(body);
    return NULL;
}

/* Inline, before a thread is taken: what is wrong is said at once, not behind the computations that wait. */
static void compute_admit(const struct call *call, struct decision *ret_decision)
{
    const struct kind *kind;
    struct json_object *params;
    if (!utf8_is_text(call->cmd->key)) { /* it becomes a JSON string */
        decide_problem(ret_decision, 422, "The record key, the computation's id, must be UTF-8 without control characters");
        return;
    }
    if (call->before.exists) {
        decide_problem(ret_decision, 409, "There is a computation with this id already; use a new one for each");
        return;
    }
    json_object_put(parse_start(call, &kind, &params, ret_decision));
}

static void write_state(const struct call *call, const struct kind *kind, struct json_object *params,
                        const struct buf *result, int64_t elapsed_ms, struct buf *out)
{
    buf_append_text(out, "{\"id\":");
    buf_append_json(out, call->cmd->key);
    buf_printf(out, ",\"kind\":\"%s\",\"params\":%s,\"state\":\"succeeded\",\"result\":", kind->name,
               json_object_to_json_string_ext(params, JSON_C_TO_STRING_PLAIN));
    buf_append_slice(out, buf_slice(result));
    buf_printf(out, ",\"elapsed_ms\":%" PRId64 "}", elapsed_ms);
    out->failed |= result->failed;
}

static void compute_start(const struct call *call, struct decision *ret_decision)
{
    const struct kind *kind;
    struct json_object *params, *body = parse_start(call, &kind, &params, ret_decision);
    if (!body)
        return;
    struct buf result = {0};
    int64_t began = clock_mono_ns();
    switch (kind->run(params, call->job, &result)) {
    case KERNEL_DONE:
        write_state(call, kind, params, &result, (clock_mono_ns() - began) / CLOCK_NS_PER_MS, &ret_decision->state);
        decide_put(ret_decision, 200);
        break;
    case KERNEL_STOPPED:
        decide_problem(ret_decision, 504,
                       "The computation did not end before its deadline and was stopped; ask for less, or for more time");
        break;
    case KERNEL_NO_MEMORY:
        decide_problem(ret_decision, 503, "The service is out of memory; try again later");
        break;
    }
    buf_done(&result);
    json_object_put(body);
}

static void compute_get(const struct call *call, struct decision *ret_decision)
{
    if (call->before.exists) {
        decide_state(ret_decision, call);
    } else if (call->running) {
        decide_status(ret_decision, 200);
        buf_append_text(&ret_decision->body, "{\"id\":");
        buf_append_json(&ret_decision->body, call->cmd->key);
        buf_append_text(&ret_decision->body, ",\"state\":\"running\"}");
    } else {
        decide_problem(ret_decision, 404, "Computation not found");
    }
}

static const struct operation operations[] = {
    {.type = "compute.start",
     .kind = OPERATION_WRITE,
     .place = RUN_POOL,
     .handler = compute_start,
     .event_type = "compute.succeeded",
     .admit = compute_admit},
    {.type = "compute.get", .kind = OPERATION_READ, .handler = compute_get},
    {.type = NULL},
};

const struct service compute_service = {
    .name = "compute",
    .summary = "Computes: runs the commands of compute.commands on a thread pool.",
    .key_order = KEY_TEXT,
    .operations = operations,
};
