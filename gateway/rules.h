/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request must be before anything is done for it. Pure.
 *
 * libmicrohttpd 0.9.75 lets through what can be read in two ways (request smuggling): that is refused here,
 * and the connection closed, because nobody knows where the next request on it would begin (RFC 9112
 * sections 6.3 and 11.2). Each function returns true, or false with the answer to give.
 */
#ifndef ROUNDTRIP_GATEWAY_RULES_H
#define ROUNDTRIP_GATEWAY_RULES_H

#include "answer.h"
#include "request.h"
#include "syntax.h"

struct rules_limits {
    size_t header_bytes; /* of the request line and all headers */
    size_t body_bytes;
};

/** Framing, header syntax, sizes: all that is wrong whatever the path. */
bool rules_check_message(const struct request *req, const struct rules_limits *limits,
                         struct answer *ret_answer) __attribute__((warn_unused_result));
/** Splits and decodes the path into req->segments. Also takes the absolute form, "http://host/path". */
bool rules_split_path(struct request *req, struct answer *ret_answer) __attribute__((warn_unused_result));
/** The media type of a request whose body will be read as JSON. */
bool rules_check_body_type(const struct request *req, struct answer *ret_answer)
    __attribute__((warn_unused_result));

/** The declared length of the body; -1: chunked, so not declared. Only after rules_check_message(). */
int64_t rules_body_length(const struct request *req);
/** Does the client wait for "100 Continue" before it sends the body? */
bool rules_expects_continue(const struct request *req);

/** The caller's Idempotency-Key, unquoted, in `ret_key` (room for SYNTAX_IDEMPOTENCY_KEY_MAX); `*ret_len` 0:
 * none. */
bool rules_idempotency_key(const struct request *req, char *ret_key, size_t *ret_len,
                           struct answer *ret_answer) __attribute__((warn_unused_result));
/**
 * How long to wait for the answer, in ms: Request-Timeout or `Prefer: wait=N`, the shorter of them, at most
 * `max_ms`; `default_ms` without them. `*ret_preferred`: Prefer decided.
 */
bool rules_deadline_ms(const struct request *req, int64_t default_ms, int64_t max_ms, int64_t *ret_ms,
                       bool *ret_preferred, struct answer *ret_answer) __attribute__((warn_unused_result));
/**
 * True: `Prefer: respond-async`, the caller takes 202 when the answer is not there within `*ret_wait_ms` (0 without a
 * wait of its own). `*ret_work_ms`: how long the work may take all the same; Request-Timeout, at most `max_work_ms`.
 */
bool rules_async(const struct request *req, int64_t max_wait_ms, int64_t max_work_ms, int64_t *ret_wait_ms,
                 int64_t *ret_work_ms);
/** False: by `Prefer: respond-async` (without a wait of its own) or `wait=0` the caller says not to wait for a
 * request that is still running. */
bool rules_waits(const struct request *req);

/**
 * The decoded value of a query parameter in `ret_text` (room for `size`) and its slice; SLICE_NONE when it is
 * not there. False when it is given twice, malformed or too long.
 */
bool rules_query(const struct request *req, const char *name, char *ret_text, size_t size,
                 struct slice *ret_value, struct answer *ret_answer) __attribute__((warn_unused_result));
/** The same as an integer within `min`..`max`; `fallback` when it is not there (`*ret_given` false). */
bool rules_query_int(const struct request *req, const char *name, int64_t min, int64_t max, int64_t fallback, bool *ret_given,
                     int64_t *ret_value, struct answer *ret_answer) __attribute__((warn_unused_result));

#endif
