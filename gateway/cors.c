/* SPDX-License-Identifier: Apache-2.0 */
/* Origins and the headers for them. */
#include "cors.h"

#include <stdio.h>

#define ALLOW_HEADERS                                                                                        \
    "Authorization, Cache-Control, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Prefer, Request-Timeout, X-API-Key, "      \
    "traceparent, tracestate"
/* What a page may read beside the few that it always may. */
#define EXPOSE_HEADERS                                                                                       \
    "ETag, Location, Retry-After, Idempotency-Replayed, Preference-Applied, RateLimit, RateLimit-Policy, Age, Warning, Allow, "      \
    "WWW-Authenticate"
/* Seconds a browser may go without asking again; some take less. */
#define MAX_AGE "7200"

static struct slice trim(struct slice s)
{
    while (s.len && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = slice_make(s.p + 1, s.len - 1);
    while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* scheme "://" host [":" port], with nothing in it that a browser would write otherwise. */
static bool is_origin(struct slice s)
{
    const char *mark = memmem(s.p, s.len, "://", 3);
    if (!mark || mark == s.p)
        return false;
    struct slice host = slice_make(mark + 3, s.len - (size_t)(mark + 3 - s.p));
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr(".-:[]_+", c)) || (c == '/' && s.p + i < host.p);
        if (!plain)
            return false;
    }
    return host.len > 0 && host.p[0] != ':' && host.p[host.len - 1] != ':';
}

const char *cors_parse(const char *text, struct cors *ret_cors)
{
    struct slice rest = trim(slice_of(text));
    *ret_cors = (struct cors){.on = rest.len > 0, .any = slice_is(rest, "*")};
    while (rest.len && !ret_cors->any) {
        const char *comma = memchr(rest.p, ',', rest.len);
        size_t len = comma ? (size_t)(comma - rest.p) : rest.len, skip = comma ? len + 1 : len;
        struct slice origin = trim(slice_make(rest.p, len));
        if (!is_origin(origin))
            return "cors-origins must be * alone, or origins as browsers write them, separated by commas: https://app.example, "
                   "http://localhost:3000 (lower case, no path, no slash at the end)";
        if (ret_cors->count == CORS_ORIGINS_MAX)
            return "cors-origins has more than 32 origins";
        ret_cors->origins[ret_cors->count++] = origin;
        rest = slice_make(rest.p + skip, rest.len - skip);
    }
    return NULL;
}

static bool allows(const struct cors *cors, struct slice origin)
{
    bool listed = cors->any;
    for (size_t i = 0; i < cors->count && !listed; i++)
        listed = slice_equal(cors->origins[i], origin);
    return origin.p && listed;
}

bool cors_is_preflight(const struct cors *cors, const struct request *req)
{
    return cors->on && req->method == METHOD_OPTIONS && request_header(req, "Origin").p &&
           request_header(req, "Access-Control-Request-Method").p;
}

void cors_mark(const struct cors *cors, const struct request *req, struct answer *answer)
{
    struct slice origin = request_header_count(req, "Origin") == 1 ? request_header(req, "Origin") : SLICE_NONE;
    bool preflight = cors_is_preflight(cors, req), known = answer->status == 204;
    if (!cors->on)
        return;
    if (preflight)
        answer_header(answer, "Vary", SLICE("Origin, Access-Control-Request-Method, Access-Control-Request-Headers"));
    else if (!cors->any)
        answer_header(answer, "Vary", SLICE("Origin")); /* to every answer: a cache must not give one page's to another */
    if (!allows(cors, origin))
        return;
    answer_header(answer, "Access-Control-Allow-Origin", cors->any ? SLICE("*") : origin);
    if (!preflight) {
        answer_header(answer, "Access-Control-Expose-Headers", SLICE(EXPOSE_HEADERS));
    } else if (known) {
        char methods[128]; /* a copy: adding a header moves the texts */
        const char *allow = answer_find(answer, "Allow");
        int n = snprintf(methods, sizeof(methods), "%s", allow ? allow : "");
        answer_header(answer, "Access-Control-Allow-Methods", slice_make(methods, (size_t)n));
        answer_header(answer, "Access-Control-Allow-Headers", SLICE(ALLOW_HEADERS));
        answer_header(answer, "Access-Control-Max-Age", SLICE(MAX_AGE));
    }
}
