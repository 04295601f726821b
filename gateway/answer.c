/* SPDX-License-Identifier: Apache-2.0 */
/* Replies and failures as HTTP answers. */
#include "answer.h"

#include <stdio.h>

#include "problem.h"
#include "syntax.h"

/** Memory above this is given back between two requests of a connection. */
#define MEMORY_KEPT ((size_t)4096)

static void buf_recycle(struct buf *buf)
{
    if (buf->cap > MEMORY_KEPT)
        buf_done(buf);
    else
        buf_clear(buf);
}

bool received_copy(struct received *received, const struct reply *reply)
{
    const struct slice from[] = {reply->etag, reply->location, reply->retry_after, reply->content_type,
                                 reply->body};
    struct slice *to[] = {&received->etag, &received->location, &received->retry_after,
                          &received->content_type, &received->body};
    size_t total = 0;
    for (size_t i = 0; i < sizeof(from) / sizeof(from[0]); i++)
        total += from[i].len;
    received_clear(received);
    if (!buf_reserve(&received->bytes, total + 1)) /* at once: the slices point into it */
        return false;
    for (size_t i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
        const char *at = received->bytes.data + received->bytes.len;
        buf_append_slice(&received->bytes, from[i]);
        *to[i] = from[i].p ? slice_make(at, from[i].len) : SLICE_NONE;
    }
    received->status = reply->status;
    received->replayed = reply->replayed;
    received->worked_us = reply->worked_us;
    received->result_bytes = reply->result_bytes;
    received->result_parts = reply->result_parts;
    return true;
}

void received_clear(struct received *received)
{
    struct buf bytes = received->bytes;
    buf_recycle(&bytes);
    *received = (struct received){.bytes = bytes};
}

void received_done(struct received *received)
{
    buf_done(&received->bytes);
    *received = (struct received){0};
}

void answer_clear(struct answer *answer)
{
    answer->status = 0;
    answer->close = false;
    answer->header_count = 0;
    answer->borrowed_body = SLICE_NONE;
    buf_recycle(&answer->own_body);
    buf_recycle(&answer->text);
}

void answer_done(struct answer *answer)
{
    buf_done(&answer->own_body);
    buf_done(&answer->text);
    *answer = (struct answer){0};
}

void answer_header(struct answer *answer, const char *name, struct slice value)
{
    if (!value.p || !syntax_is_field_value(value) || answer->header_count == ANSWER_HEADERS_MAX)
        return;
    size_t at = answer->text.len;
    buf_append_slice(&answer->text, value);
    buf_append(&answer->text, "", 1);
    answer->headers[answer->header_count].name = name;
    answer->headers[answer->header_count++].at = at;
}

struct slice answer_body(const struct answer *answer)
{
    return answer->borrowed_body.p ? answer->borrowed_body : buf_slice(&answer->own_body);
}

const char *answer_header_value(const struct answer *answer, size_t i)
{
    return buf_ok(&answer->text) ? answer->text.data + answer->headers[i].at : NULL;
}

const char *answer_find(const struct answer *answer, const char *name)
{
    for (size_t i = 0; i < answer->header_count; i++) {
        if (strcmp(answer->headers[i].name, name) == 0)
            return answer_header_value(answer, i);
    }
    return NULL;
}

__attribute__((format(printf, 3, 0))) static void problem(struct answer *answer, int status,
                                                          const char *format, va_list args)
{
    struct buf detail = {0};
    buf_vprintf(&detail, format, args);
    bool close = answer->close;
    answer_clear(answer);
    answer->close = close;
    answer->status = status;
    answer_header(answer, "Content-Type", SLICE(PROBLEM_CONTENT_TYPE));
    problem_write(&answer->own_body, status, buf_slice(&detail));
    buf_done(&detail);
}

void answer_problem(struct answer *answer, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    problem(answer, status, format, args);
    va_end(args);
}

void answer_unavailable(struct answer *answer, int retry_after_s, const char *format, ...)
{
    char seconds[12];
    int n = snprintf(seconds, sizeof(seconds), "%d", retry_after_s);
    va_list args;
    va_start(args, format);
    problem(answer, 503, format, args);
    va_end(args);
    answer_header(answer, "Retry-After", slice_make(seconds, (size_t)n));
}

void answer_json(struct answer *answer, int status, struct slice body)
{
    answer_clear(answer);
    answer->status = status;
    answer_header(answer, "Content-Type", SLICE("application/json"));
    buf_append_slice(&answer->own_body, body);
}

void answer_reply(struct answer *answer, const struct received *received, bool read,
                  struct slice if_none_match)
{
    answer_clear(answer);
    answer->status = received->status;
    answer_header(answer, "ETag", received->etag);
    answer_header(answer, "Location", received->location);
    answer_header(answer, "Retry-After", received->retry_after);
    if (received->replayed)
        answer_header(answer, "Idempotency-Replayed", SLICE("true"));
    if (read && received->status == 200 && syntax_etag_listed(if_none_match, received->etag)) {
        answer->status = 304;
        answer->borrowed_body = received->body; /* only its length is sent: that of the 200 (RFC 9110 section 8.6) */
        return;
    }
    if (received->status == 204 || (received->body.len == 0 && received->status < 300))
        return;
    answer_header(answer, "Content-Type",
                  received->content_type.len ? received->content_type : SLICE("application/json"));
    answer->borrowed_body = received->body;
}

void answer_timing(struct answer *answer, const struct received *received)
{
    char text[ENVELOPE_TIMING_SIZE];
    if (received->worked_us > 0)
        answer_header(answer, "Server-Timing", slice_make(text, envelope_write_timing(received->worked_us, text)));
}

static const char *how_to_repeat(const struct answer_context *context)
{
    if (!context->write)
        return "Nothing was changed: repeat the request.";
    if (context->harmless)
        return "It may or may not have taken effect: repeat it, which does no harm.";
    if (context->has_idempotency_key)
        return "It may or may not have taken effect: repeat it with the same Idempotency-Key, and it takes "
               "effect once.";
    return "It may or may not have taken effect: look before you repeat it, and send an Idempotency-Key next "
           "time, so that "
           "repeating is safe.";
}

void answer_outcome(struct answer *answer, enum outcome outcome, const struct answer_context *context)
{
    switch (outcome) {
    case OUTCOME_DEADLINE:
        answer_problem(answer, 504, "No worker answered within %lld.%03lld s. %s", context->waited_ms / 1000,
                       context->waited_ms % 1000, how_to_repeat(context));
        return;
    case OUTCOME_UNSENT:
        answer_unavailable(answer, 1, "Kafka did not take the request, so it has no effect: repeat it.");
        return;
    case OUTCOME_UNCERTAIN:
        answer_unavailable(answer, 1, "Kafka did not confirm that it has the request. %s",
                           how_to_repeat(context));
        return;
    case OUTCOME_DRAINED:
        answer_unavailable(answer, 1, "This gateway is shutting down and did not get the answer in time. %s",
                           how_to_repeat(context));
        return;
    case OUTCOME_NONE:
    case OUTCOME_REPLIED:
    case OUTCOME_ACCEPTED:
    case OUTCOME_LEFT:
    case OUTCOME_NUDGED:
    case OUTCOME_NEWS:
        break;
    }
    answer_problem(answer, 500, "The gateway lost track of this request; please report it. %s",
                   how_to_repeat(context));
}
