/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of one request. */
#include "rules.h"

#include <inttypes.h>
#include <strings.h>

#include "utf8.h"

/* A refusal after which the connection cannot be trusted any more. */
#define refuse_and_close(answer, status, ...)                                                                \
    do {                                                                                                     \
        answer_problem(answer, status, __VA_ARGS__);                                                         \
        (answer)->close = true;                                                                              \
    } while (0)

static bool check_headers(const struct request *req, struct answer *ret_answer)
{
    for (size_t i = 0; i < req->header_count; i++) {
        const struct request_field *field = &req->headers[i];
        if (!syntax_is_token(field->name)) {
            refuse_and_close(ret_answer, 400,
                             "A header's name is not a token (RFC 9110 section 5.6.2): remove spaces and "
                             "control characters from header names.");
            return false;
        }
        if (!syntax_is_field_value(field->value)) {
            refuse_and_close(ret_answer, 400, "The value of header %.*s has control characters: remove them.",
                             SLICE_ARG(field->name));
            return false;
        }
    }
    return true;
}

static bool is_length(struct slice s)
{
    int64_t value;
    /* leading zeros are allowed (RFC 9112 section 6.2), signs and blanks are not */
    while (s.len > 1 && s.p[0] == '0') {
        s.p++;
        s.len--;
    }
    return s.p && s.len && s.p[0] != '-' && syntax_int64(s, &value);
}

static bool check_framing(const struct request *req, struct answer *ret_answer)
{
    size_t lengths = request_header_count(req, "Content-Length");
    size_t encodings = request_header_count(req, "Transfer-Encoding");
    if (lengths > 1) {
        refuse_and_close(ret_answer, 400, "Content-Length is given %zu times: send it once.", lengths);
        return false;
    }
    if (lengths && encodings) {
        refuse_and_close(ret_answer, 400,
                         "Content-Length and Transfer-Encoding are both given: send one of them.");
        return false;
    }
    if (lengths && !is_length(request_header(req, "Content-Length"))) {
        refuse_and_close(ret_answer, 400, "Content-Length is not a number of bytes in decimal digits.");
        return false;
    }
    if (encodings > 1) {
        refuse_and_close(ret_answer, 400, "Transfer-Encoding is given %zu times: send it once.", encodings);
        return false;
    }
    if (encodings && !req->http11) {
        refuse_and_close(ret_answer, 400, "Transfer-Encoding needs HTTP/1.1: send Content-Length instead.");
        return false;
    }
    if (encodings && !request_same_text(request_header(req, "Transfer-Encoding"), "chunked")) {
        refuse_and_close(ret_answer, 501,
                         "Only the transfer coding \"chunked\" is understood: send the body with "
                         "Content-Length or in chunks.");
        return false;
    }
    return true;
}

static bool check_host(const struct request *req, struct answer *ret_answer)
{
    size_t hosts = request_header_count(req, "Host");
    if (hosts == 1 && !syntax_is_host(request_header(req, "Host"))) {
        refuse_and_close(ret_answer, 400, "Header Host is not a name or address with an optional port.");
        return false;
    }
    if (hosts == 1 || (hosts == 0 && !req->http11))
        return true;
    refuse_and_close(ret_answer, 400, "Header Host is %s: HTTP/1.1 needs exactly one.",
                     hosts ? "given more than once" : "missing");
    return false;
}

bool rules_check_message(const struct request *req, const struct rules_limits *limits,
                         struct answer *ret_answer)
{
    if (req->header_bytes > limits->header_bytes) {
        refuse_and_close(ret_answer, 431,
                         "The request line and headers are %zu bytes, at most %zu are taken: send less, "
                         "cookies first.",
                         req->header_bytes, limits->header_bytes);
        return false;
    }
    if (req->too_many_headers) {
        refuse_and_close(ret_answer, 431, "More than %d headers: send fewer.", REQUEST_HEADERS_MAX);
        return false;
    }
    if (req->broken_head) {
        refuse_and_close(ret_answer, 400,
                         "The request line or a header has a NUL byte or is folded over two lines "
                         "(RFC 9112 section 5.2): send each on one line.");
        return false;
    }
    if (!check_headers(req, ret_answer) || !check_framing(req, ret_answer) || !check_host(req, ret_answer))
        return false;
    if (rules_body_length(req) > (int64_t)limits->body_bytes) {
        refuse_and_close(ret_answer, 413, "The body is %" PRId64 " bytes, at most %zu are taken: send less.",
                         rules_body_length(req), limits->body_bytes);
        return false;
    }
    return true;
}

int64_t rules_body_length(const struct request *req)
{
    struct slice text = request_header(req, "Content-Length");
    if (!text.p)
        return request_header(req, "Transfer-Encoding").p ? -1 : 0;
    int64_t length = 0;
    while (text.len > 1 && text.p[0] == '0') {
        text.p++;
        text.len--;
    }
    return syntax_int64(text, &length) ? length : 0;
}

bool rules_expects_continue(const struct request *req)
{
    return req->http11 && request_same_text(request_header(req, "Expect"), "100-continue");
}

/* "http://host/path" → "/path" (RFC 9112 section 3.2.2). */
static struct slice origin_form(struct slice target)
{
    for (size_t skip = 7; skip <= 8; skip++) {
        if (target.len >= skip && strncasecmp(target.p, skip == 7 ? "http://" : "https://", skip) == 0) {
            const char *slash = memchr(target.p + skip, '/', target.len - skip);
            return slash ? slice_make(slash, target.len - (size_t)(slash - target.p)) : SLICE("/");
        }
    }
    return target;
}

static bool check_target(struct slice target, struct answer *ret_answer)
{
    if (target.len > REQUEST_PATH_MAX) {
        refuse_and_close(ret_answer, 414, "The path is %zu bytes, at most %d are taken.", target.len,
                         REQUEST_PATH_MAX);
        return false;
    }
    for (size_t i = 0; i < target.len; i++) {
        if (target.p[i] <= 0x20 || target.p[i] >= 0x7f || target.p[i] == '#') {
            refuse_and_close(ret_answer, 400,
                             "The path has a blank, control or non-ASCII character: percent-encode it.");
            return false;
        }
    }
    if (target.len == 0 || target.p[0] != '/') {
        answer_problem(ret_answer, 400, "The path must start with a slash.");
        return false;
    }
    return true;
}

/* Adds one decoded segment; `text` has room for it. */
static bool add_segment(struct request *req, struct slice raw, char *text, struct answer *ret_answer)
{
    size_t len;
    if (!syntax_percent_decode(raw, text, &len)) {
        answer_problem(ret_answer, 400, "The path has a malformed percent-encoding.");
        return false;
    }
    struct slice segment = slice_make(text, len);
    if (!utf8_is_text(segment)) {
        answer_problem(ret_answer, 400, "The path, decoded, is not UTF-8 text without control characters.");
        return false;
    }
    if (memchr(text, '/', len)) {
        answer_problem(ret_answer, 400, "The path has an encoded slash (%%2F): an id cannot contain one.");
        return false;
    }
    if (req->segment_count < REQUEST_SEGMENTS_MAX)
        req->segments[req->segment_count] = segment;
    req->segment_count++; /* beyond the maximum it only has to match no route */
    return true;
}

bool rules_split_path(struct request *req, struct answer *ret_answer)
{
    req->segment_count = 0;
    if (req->method == METHOD_OPTIONS && slice_is(req->target, "*"))
        return true;
    struct slice rest = origin_form(req->target);
    if (!check_target(rest, ret_answer))
        return false;
    char *text = req->path;
    while (rest.len) {
        rest = slice_make(rest.p + 1, rest.len - 1); /* the slash */
        const char *slash = memchr(rest.p, '/', rest.len);
        size_t len = slash ? (size_t)(slash - rest.p) : rest.len;
        if (len == 0 && !slash)
            break; /* a trailing slash, which may be there or not */
        if (!add_segment(req, slice_make(rest.p, len), text, ret_answer))
            return false;
        text += len; /* decoding does not lengthen */
        rest = slice_make(rest.p + len, rest.len - len);
    }
    return true;
}

bool rules_check_body_type(const struct request *req, struct answer *ret_answer)
{
    struct slice type = request_header(req, "Content-Type");
    if (request_header_count(req, "Content-Type") == 1 && syntax_is_json_type(type))
        return true;
    if (!type.p)
        answer_problem(ret_answer, 415, "Content-Type is missing: send the body as application/json.");
    else
        answer_problem(ret_answer, 415,
                       "The body must be application/json in UTF-8: send Content-Type: application/json.");
    return false;
}

bool rules_idempotency_key(const struct request *req, char *ret_key, size_t *ret_len,
                           struct answer *ret_answer)
{
    *ret_len = 0;
    size_t count = request_header_count(req, "Idempotency-Key");
    if (count == 0)
        return true;
    *ret_len = syntax_idempotency_key(request_header(req, "Idempotency-Key"), ret_key);
    if (count == 1 && *ret_len > 0)
        return true;
    answer_problem(ret_answer, 400,
                   "Idempotency-Key must be given once and be 1 to %d printable ASCII characters, as a "
                   "quoted string or bare.",
                   SYNTAX_IDEMPOTENCY_KEY_MAX);
    return false;
}

static struct syntax_prefer preferences(const struct request *req)
{
    struct syntax_prefer prefer = {0};
    struct slice field;
    size_t at = 0;
    while ((field = request_header_next(req, "Prefer", &at)).p)
        syntax_prefer(field, &prefer);
    return prefer;
}

bool rules_waits(const struct request *req)
{
    struct syntax_prefer prefer = preferences(req);
    return prefer.wait_given ? prefer.wait_ms > 0 : !prefer.respond_async;
}

bool rules_async(const struct request *req, int64_t max_wait_ms, int64_t max_work_ms, int64_t *ret_wait_ms,
                 int64_t *ret_work_ms)
{
    struct syntax_prefer prefer = preferences(req);
    int64_t timeout_ms;
    bool limited = syntax_seconds_ms(request_header(req, "Request-Timeout"), &timeout_ms) && timeout_ms < max_work_ms;
    *ret_wait_ms = prefer.wait_ms < max_wait_ms ? prefer.wait_ms : max_wait_ms;
    *ret_work_ms = limited ? timeout_ms : max_work_ms;
    return prefer.respond_async;
}

/* Nothing can be answered within no time at all, so whoever says "0" means something else. */
static bool is_zero(struct slice seconds)
{
    for (size_t i = 0; i < seconds.len; i++) {
        if (seconds.p[i] >= '1' && seconds.p[i] <= '9')
            return false;
    }
    return true;
}

bool rules_deadline_ms(const struct request *req, int64_t default_ms, int64_t max_ms, int64_t *ret_ms,
                       bool *ret_preferred, struct answer *ret_answer)
{
    int64_t wait_ms = preferences(req).wait_ms, timeout_ms = 0;
    struct slice timeout = request_header(req, "Request-Timeout");
    if (timeout.p &&
        (request_header_count(req, "Request-Timeout") > 1 || !syntax_seconds_ms(timeout, &timeout_ms) || is_zero(timeout))) {
        answer_problem(ret_answer, 400, "Request-Timeout must be given once, in seconds above 0, such as 2 or 0.25.");
        return false;
    }
    *ret_preferred = wait_ms > 0 && (timeout_ms == 0 || wait_ms <= timeout_ms);
    int64_t ms = *ret_preferred ? wait_ms : timeout_ms > 0 ? timeout_ms : default_ms;
    if (ms > max_ms) {
        ms = max_ms;
        *ret_preferred = false; /* shortened, so not as preferred */
    }
    *ret_ms = ms;
    return true;
}

bool rules_query(const struct request *req, const char *name, char *ret_text, size_t size,
                 struct slice *ret_value, struct answer *ret_answer)
{
    *ret_value = SLICE_NONE;
    if (req->too_many_queries) {
        answer_problem(ret_answer, 400, "More than %d query parameters: send fewer.", REQUEST_QUERIES_MAX);
        return false;
    }
    for (size_t i = 0; i < req->query_count; i++) {
        const struct request_field *query = &req->queries[i];
        size_t len;
        if (!slice_is(query->name, name))
            continue;
        if (ret_value->p) {
            answer_problem(ret_answer, 422, "Query parameter %s is given twice: send it once.", name);
            return false;
        }
        if (query->value.len > size || !syntax_percent_decode(query->value, ret_text, &len)) {
            answer_problem(ret_answer, 422, "Query parameter %s is too long or malformed.", name);
            return false;
        }
        *ret_value = slice_make(ret_text, len);
    }
    return true;
}

bool rules_query_int(const struct request *req, const char *name, int64_t min, int64_t max, int64_t fallback, bool *ret_given,
                     int64_t *ret_value, struct answer *ret_answer)
{
    char text[24];
    struct slice value;
    *ret_value = fallback;
    if (!rules_query(req, name, text, sizeof(text), &value, ret_answer))
        return false;
    *ret_given = value.p != NULL;
    if (!value.p || (syntax_int64(value, ret_value) && *ret_value >= min && *ret_value <= max))
        return true;
    answer_problem(ret_answer, 422, "Query parameter %s must be an integer from %" PRId64 " to %" PRId64 ".", name, min, max);
    return false;
}
