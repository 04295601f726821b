/* SPDX-License-Identifier: Apache-2.0 */
/* Commands: identity, times, reply address, and what is passed through from the request. */
#include "command.h"

#include <stdio.h>

#include "clock.h"
#include "json.h"
#include "routes.h"
#include "rules.h"
#include "trace/trace.h"

#define TRACESTATE_MAX 512
#define IF_MATCH_MAX   1024
#define BODY_KEPT      ((size_t)4096)

void draft_clear(struct draft *draft)
{
    draft->id_len = draft->idempotency_len = draft->time_len = 0;
    draft->expiry_ms = draft->limit = 0;
    draft->key = draft->body = draft->subject = draft->traceparent = SLICE_NONE;
    draft->service = NULL;
    draft->type[0] = '\0';
    if (draft->body_text.cap > BODY_KEPT)
        buf_done(&draft->body_text);
    else
        buf_clear(&draft->body_text);
}

void draft_done(struct draft *draft)
{
    buf_done(&draft->body_text);
}

bool draft_set_type(struct draft *draft, const char *service, const char *verb)
{
    return snprintf(draft->type, sizeof(draft->type), "%s.%s", service, verb) < (int)sizeof(draft->type);
}

bool draft_set_key(struct draft *draft, struct slice key)
{
    if (key.len > sizeof(draft->key_text))
        return false;
    memcpy(draft->key_text, key.p, key.len);
    draft->key = slice_make(draft->key_text, key.len);
    return true;
}

void draft_new_key(struct draft *draft, int64_t now_ms)
{
    if (draft->idempotency_len == 0) {
        envelope_new_id(now_ms, draft->key_text);
        draft->key = slice_make(draft->key_text, ENVELOPE_UUID_SIZE - 1);
        return;
    }
    /* RFC 9562 section 5.8: 122 bits of the hash, version 8, variant 10 */
    char hex[ENVELOPE_FINGERPRINT_LEN], *uuid = draft->key_text;
    struct command named = {.type = SLICE("key"), .key = slice_make(draft->id, draft->id_len)};
    envelope_fingerprint(&named, hex);
    hex[12] = '8';
    hex[16] = "89ab"[hex[16] & 3];
    snprintf(uuid, ENVELOPE_UUID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
             hex + 20);
    draft->key = slice_make(uuid, ENVELOPE_UUID_SIZE - 1);
}

bool command_id_keyed(struct slice id, struct slice *ret_principal, struct slice *ret_rest)
{
    const size_t prefix = sizeof(COMMAND_KEYED_PREFIX) - 1;
    if (id.len <= prefix || memcmp(id.p, COMMAND_KEYED_PREFIX, prefix) != 0)
        return false;
    struct slice rest = slice_make(id.p + prefix, id.len - prefix);
    *ret_principal = SLICE_NONE;
    *ret_rest = rest;
    if (rest.p[0] < '0' || rest.p[0] > '9')
        return true;
    const char *colon = memchr(rest.p, ':', rest.len);
    int64_t len;
    if (!colon || !syntax_int64(slice_make(rest.p, (size_t)(colon - rest.p)), &len))
        return false;
    size_t left = rest.len - (size_t)(colon + 1 - rest.p);
    if (len < 1 || (uint64_t)len >= left || colon[1 + len] != ':')
        return false;
    *ret_principal = slice_make(colon + 1, (size_t)len);
    *ret_rest = slice_make(colon + 2 + len, left - (size_t)len - 1);
    return true;
}

/* "idem:POST:/items:<key>": the same whichever gateway it meets, and with or without the trailing slash. */
static bool idempotent_id(struct draft *draft, const struct request *req, struct answer *ret_answer)
{
    struct buf id = {0};
    buf_append_text(&id, COMMAND_KEYED_PREFIX);
    if (req->principal.len)
        buf_printf(&id, "%zu:%.*s:", req->principal.len, SLICE_ARG(principal_slice(&req->principal)));
    buf_printf(&id, "%s:", request_method_name(req->method));
    for (size_t i = 0; i < req->segment_count; i++) {
        buf_append_text(&id, "/");
        buf_append_slice(&id, req->segments[i]);
    }
    buf_append_text(&id, ":");
    buf_append(&id, draft->idempotency_key, draft->idempotency_len);
    bool fits = buf_ok(&id) && id.len <= sizeof(draft->id);
    if (fits) {
        memcpy(draft->id, id.data, id.len);
        draft->id_len = id.len;
    } else {
        answer_problem(ret_answer, 400,
                       "Idempotency-Key and path together are longer than %zu bytes: send a shorter key.",
                       sizeof(draft->id));
    }
    buf_done(&id);
    return fits;
}

static void new_id(struct draft *draft, int64_t now_ms)
{
    _Static_assert(ENVELOPE_ID_MAX >= ENVELOPE_UUID_SIZE, "a UUID fits");
    envelope_new_id(now_ms, draft->id);
    draft->id_len = ENVELOPE_UUID_SIZE - 1;
}

bool command_prepare(struct draft *draft, const struct request *req, const struct route *route,
                     int64_t now_ms, int64_t expiry_ms, struct answer *ret_answer)
{
    draft_clear(draft);
    draft->expiry_ms = expiry_ms;
    draft->service = route->service;
    draft->time_len = (size_t)clock_format_rfc3339(now_ms, draft->time);
    if (!rules_idempotency_key(req, draft->idempotency_key, &draft->idempotency_len, ret_answer))
        return false;
    if (!route->write)
        draft->idempotency_len = 0; /* a read has no effect that could happen twice */
    if (draft->idempotency_len == 0)
        new_id(draft, now_ms);
    else if (!idempotent_id(draft, req, ret_answer))
        return false;
    if (request_header(req, "If-Match").len > IF_MATCH_MAX) {
        answer_problem(ret_answer, 400, "If-Match is longer than %d bytes: send fewer tags.", IF_MATCH_MAX);
        return false;
    }
    return route->build(req, now_ms, draft, ret_answer);
}

void command_renew(struct draft *draft, int64_t now_ms, int64_t expiry_ms)
{
    draft->expiry_ms = expiry_ms;
    draft->time_len = (size_t)clock_format_rfc3339(now_ms, draft->time);
}

bool command_keyed(const struct request *req, int64_t now_ms, struct draft *draft, struct answer *ret_answer)
{
    struct json_error error;
    if (req->segment_count < 2 || req->segments[1].len == 0 || !draft_set_key(draft, req->segments[1])) {
        answer_problem(ret_answer, 422, "The id in the path must be 1 to %d bytes.", ENVELOPE_KEY_MAX);
        return false;
    }
    if (req->body.len == 0)
        return true;
    if (!json_check_strict(buf_slice(&req->body), &error)) {
        answer_problem(ret_answer, 400, "The body is not valid JSON: %s", error.text);
        return false;
    }
    draft->body = buf_slice(&req->body);
    return true;
}

static struct slice present(const char *p, size_t len)
{
    return len ? slice_make(p, len) : SLICE_NONE;
}

void command_fill(const struct draft *draft, const struct request *req, const struct route *route,
                  const struct command_origin *origin, struct slice correlation, struct command *ret_cmd)
{
    struct slice parent = request_header(req, "traceparent"), state = request_header(req, "tracestate");
    struct trace_context context;
    bool traced = trace_parse(parent, &context);
    *ret_cmd = (struct command){
        .key = draft->key,
        .body = draft->body,
        .type = slice_of(draft->type[0] ? draft->type : route->type),
        .id = slice_make(draft->id, draft->id_len),
        .subject = draft->subject,
        .source = slice_of(origin->source),
        .time = slice_make(draft->time, draft->time_len),
        .content_type = draft->body.p ? SLICE("application/json") : SLICE_NONE,
        .expiry_ms = draft->expiry_ms,
        .idempotency_key = present(draft->idempotency_key, draft->idempotency_len),
        .traceparent = draft->traceparent.p ? draft->traceparent : traced ? parent : SLICE_NONE,
        .tracestate = traced && state.len <= TRACESTATE_MAX ? state : SLICE_NONE,
        .if_match = request_header(req, "If-Match"),
        .auth_type = slice_of(req->principal.type),
        .auth_id = principal_slice(&req->principal),
        .reply = {slice_of(origin->reply_topic), origin->reply_partition, correlation},
    };
}
