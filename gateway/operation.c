/* SPDX-License-Identifier: Apache-2.0 */
/* Ids of operations, the question to a worker, and its answer. */
#include "operation.h"

#include <inttypes.h>
#include <stdio.h>

#include "problem.h"
#include "rawjson.h"
#include "syntax.h"

void operation_accepted(struct answer *answer, const struct draft *draft)
{
    struct buf id = {0}, location = {0};
    operation_write(&id, slice_of(draft->service), slice_make(draft->id, draft->id_len), draft->key);
    buf_append_text(&location, "/operations/");
    buf_append_slice(&location, buf_slice(&id));
    answer_json(answer, 202, SLICE("{\"id\":"));
    buf_append_json(&answer->own_body, buf_slice(&id));
    buf_append_text(&answer->own_body, ",\"state\":\"pending\"}");
    answer_header(answer, "Location", buf_slice(&location));
    answer_header(answer, "Retry-After", SLICE("1"));
    answer->own_body.failed |= location.failed || id.failed;
    buf_done(&location);
    buf_done(&id);
}

bool operation_is_open(const struct received *received)
{
    return received->status == 202;
}

bool operation_is_running(const struct received *received)
{
    static const char running[] = "{\"state\":\"running\""; /* as workers write it */
    return operation_is_open(received) && received->body.len >= sizeof(running) - 1 &&
           memcmp(received->body.p, running, sizeof(running) - 1) == 0;
}

/* Keys are easy to guess, so whoever has to say who they are is only told about their own. */
static bool may_ask(const struct principal *principal, struct slice command_id)
{
    struct slice owner, rest;
    const struct slice prefix = SLICE(COMMAND_KEYED_PREFIX);
    if (!principal->len || command_id.len < prefix.len || memcmp(command_id.p, prefix.p, prefix.len) != 0)
        return true;
    return command_id_keyed(command_id, &owner, &rest) && slice_equal(owner, principal_slice(principal));
}

static bool build(const struct request *req, const char *verb, struct draft *draft, struct answer *ret_answer)
{
    struct operation_name name;
    draft->service = operation_parse(req->segments[1], &name) ? routes_service(name.service) : NULL;
    if (!draft->service || !may_ask(&req->principal, name.command_id) || !draft_set_key(draft, name.key) || !draft_set_type(draft, draft->service, verb)) {
        answer_problem(ret_answer, 404, "There is no operation of that id: use the Location of a 202 answer as it is.");
        return false;
    }
    buf_append_slice(&draft->body_text, name.command_id);
    draft->subject = buf_slice(&draft->body_text);
    return true;
}

bool operation_build_get(const struct request *req, int64_t now_ms, struct draft *draft, struct answer *ret_answer)
{
    return build(req, "operation", draft, ret_answer);
}

void operation_ask_part(struct draft *draft, int64_t part)
{
    int len = snprintf(draft->part_text, sizeof(draft->part_text), "{\"part\":%" PRId64 "}", part);
    draft->body = slice_make(draft->part_text, (size_t)len);
}

bool operation_build_result(const struct request *req, int64_t now_ms, struct draft *draft, struct answer *ret_answer)
{
    operation_ask_part(draft, 0);
    return build(req, "result", draft, ret_answer);
}

bool operation_build_cancel(const struct request *req, int64_t now_ms, struct draft *draft, struct answer *ret_answer)
{
    return build(req, "cancel", draft, ret_answer);
}

/* The worker's {…} with the id in front. */
static void append_document(struct buf *out, const struct request *req, const struct received *part)
{
    buf_append_text(out, "{\"id\":");
    buf_append_json(out, req->segments[1]);
    buf_append_text(out, ",");
    buf_append_slice(out, slice_make(part->body.p + 1, part->body.len - 1));
}

static bool is_document(const struct received *part)
{
    return (part->status == 200 || part->status == 202) && part->body.len >= 2 && part->body.p[0] == '{';
}

void operation_finish(const struct request *req, const struct draft *draft, const struct received *parts, size_t count,
                      struct answer *ret_answer)
{
    const struct received *part = &parts[0];
    if (!is_document(part)) {
        answer_reply(ret_answer, part, false, SLICE_NONE);
        return;
    }
    answer_json(ret_answer, req->method == METHOD_DELETE ? 202 : 200, SLICE(""));
    append_document(&ret_answer->own_body, req, part);
    answer_header(ret_answer, "Cache-Control", SLICE("no-store"));
    if (operation_is_open(part))
        answer_header(ret_answer, "Retry-After", SLICE("1"));
}

/* What the command itself was refused with. */
static bool answer_failure(struct answer *answer, const struct received *part)
{
    bool bad = false;
    int64_t status;
    struct slice detail = rawjson_member(part->body, "result", &bad);
    if (bad || !detail.p || !syntax_int64(rawjson_member(part->body, "status", &bad), &status) || status < 300 || status > 599)
        return false;
    answer_clear(answer);
    answer->status = (int)status;
    answer_header(answer, "Content-Type", SLICE(PROBLEM_CONTENT_TYPE));
    buf_append_slice(&answer->own_body, detail);
    return true;
}

void operation_finish_result(const struct request *req, const struct draft *draft, const struct received *parts, size_t count,
                             struct answer *ret_answer)
{
    const struct received *part = &parts[0];
    if (part->status == 200 && part->result_parts > 0) {
        answer_reply(ret_answer, part, true, request_header(req, "If-None-Match"));
        if (part->result_bytes == 0 && ret_answer->status == 200)
            ret_answer->status = 204; /* as the write itself was answered */
    } else if (operation_is_open(part) && is_document(part)) {
        operation_finish(req, draft, parts, count, ret_answer);
        ret_answer->status = 202;
    } else if (part->status != 200 || !answer_failure(ret_answer, part)) {
        answer_reply(ret_answer, part, false, SLICE_NONE);
    }
}

void operation_event(struct buf *out, const struct request *req, const struct received *part)
{
    buf_append_text(out, "event: state\ndata: ");
    append_document(out, req, part); /* JSON as workers write it, so in one line */
    buf_append_text(out, "\n\n");
}

void operation_finish_stream(const struct request *req, const struct draft *draft, const struct received *parts, size_t count,
                             struct answer *ret_answer)
{
    if (!is_document(&parts[0])) {
        answer_reply(ret_answer, &parts[0], false, SLICE_NONE);
        return;
    }
    answer_clear(ret_answer);
    ret_answer->status = 200;
    answer_header(ret_answer, "Content-Type", SLICE("text/event-stream"));
    answer_header(ret_answer, "Cache-Control", SLICE("no-store"));
    operation_event(&ret_answer->own_body, req, &parts[0]);
}
