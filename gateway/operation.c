/* SPDX-License-Identifier: Apache-2.0 */
/* Ids of operations, the question to a worker, and its answer. */
#include "operation.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void append_base64url(struct buf *out, struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    for (size_t i = 0; i < s.len; i += 3) {
        size_t n = s.len - i < 3 ? s.len - i : 3;
        uint32_t bits = (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (n > 2 ? p[i + 2] : 0);
        const char text[4] = {digits[bits >> 18], digits[bits >> 12 & 63], digits[bits >> 6 & 63], digits[bits & 63]};
        buf_append(out, text, n + 1);
    }
}

/* Into `text`, which has room; its length, or SIZE_MAX when it is not the only spelling of what it says. */
static size_t read_base64url(struct slice s, char *text)
{
    size_t len = 0;
    uint32_t bits = 0;
    int have = 0;
    for (size_t i = 0; i < s.len; i++) {
        const char *digit = s.p[i] ? strchr(digits, s.p[i]) : NULL;
        if (!digit)
            return SIZE_MAX;
        bits = bits << 6 | (uint32_t)(digit - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            text[len++] = (char)(bits >> have);
            bits &= (1U << have) - 1;
        }
    }
    return have >= 6 || bits ? SIZE_MAX : len;
}

/* Takes what stands before the next line end off the front. */
static bool take_line(struct slice *rest, struct slice *ret_line)
{
    const char *end = rest->len ? memchr(rest->p, '\n', rest->len) : NULL;
    if (!end)
        return false;
    *ret_line = slice_make(rest->p, (size_t)(end - rest->p));
    *rest = slice_make(end + 1, rest->len - ret_line->len - 1);
    return true;
}

bool operation_parse(struct slice id, struct operation_name *ret_name)
{
    if (!id.p || id.len > OPERATION_ID_MAX)
        return false;
    size_t len = read_base64url(id, ret_name->text);
    if (len == SIZE_MAX)
        return false;
    struct slice rest = slice_make(ret_name->text, len);
    bool whole = take_line(&rest, &ret_name->service) && take_line(&rest, &ret_name->command_id);
    ret_name->key = rest;
    return whole && ret_name->service.len > 0 && ret_name->command_id.len > 0 && ret_name->command_id.len <= ENVELOPE_ID_MAX &&
           rest.len > 0 && rest.len <= ENVELOPE_KEY_MAX;
}

void operation_write(struct buf *out, struct slice service, struct slice command_id, struct slice key)
{
    struct buf name = {0};
    buf_append_slice(&name, service);
    buf_append_text(&name, "\n");
    buf_append_slice(&name, command_id);
    buf_append_text(&name, "\n");
    buf_append_slice(&name, key);
    append_base64url(out, buf_slice(&name));
    out->failed |= name.failed;
    buf_done(&name);
}

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
