/* SPDX-License-Identifier: Apache-2.0 */
/* The request's values: methods, headers by name. */
#include "request.h"

#include <strings.h>

/** A body's memory above this is given back between two requests of a connection. */
#define BODY_KEPT ((size_t)4096)

static const struct {
    enum method method;
    const char *name;
} methods[] = {
    {METHOD_GET, "GET"},       {METHOD_HEAD, "HEAD"},   {METHOD_POST, "POST"},       {METHOD_PUT, "PUT"},
    {METHOD_DELETE, "DELETE"}, {METHOD_PATCH, "PATCH"}, {METHOD_OPTIONS, "OPTIONS"},
};

enum method request_method_of(struct slice name)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (slice_is(name, methods[i].name))
            return methods[i].method;
    }
    return METHOD_OTHER;
}

const char *request_method_name(enum method method)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (methods[i].method == method)
            return methods[i].name;
    }
    return "OTHER";
}

void request_clear(struct request *req)
{
    req->method = METHOD_OTHER;
    req->http11 = req->broken_head = false;
    req->target = SLICE_NONE;
    req->header_bytes = 0;
    req->header_count = 0;
    req->too_many_headers = false;
    req->query_count = 0;
    req->too_many_queries = false;
    req->segment_count = 0;
    req->principal.type = NULL;
    req->principal.len = 0;
    if (req->body.cap > BODY_KEPT)
        buf_done(&req->body);
    else
        buf_clear(&req->body);
}

void request_done(struct request *req)
{
    buf_done(&req->body);
}

void request_add_header(struct request *req, struct slice name, struct slice value)
{
    if (req->header_count == REQUEST_HEADERS_MAX)
        req->too_many_headers = true;
    else
        req->headers[req->header_count++] = (struct request_field){name, value};
}

void request_add_query(struct request *req, struct slice name, struct slice value)
{
    if (req->query_count == REQUEST_QUERIES_MAX)
        req->too_many_queries = true;
    else
        req->queries[req->query_count++] = (struct request_field){name, value};
}

bool request_same_text(struct slice a, const char *b)
{
    return a.p && strlen(b) == a.len && strncasecmp(a.p, b, a.len) == 0;
}

struct slice request_header_next(const struct request *req, const char *name, size_t *at)
{
    while (*at < req->header_count) {
        const struct request_field *field = &req->headers[(*at)++];
        if (request_same_text(field->name, name))
            return field->value;
    }
    return SLICE_NONE;
}

struct slice request_header(const struct request *req, const char *name)
{
    size_t at = 0;
    return request_header_next(req, name, &at);
}

size_t request_header_count(const struct request *req, const char *name)
{
    size_t count = 0, at = 0;
    while (request_header_next(req, name, &at).p)
        count++;
    return count;
}
