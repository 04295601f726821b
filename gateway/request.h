/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP request as values, so that everything but http.c can be tested without a socket.
 *
 * http.c fills it; the slices point into the connection's memory and live until the answer is sent. rules.c
 * checks it, routes.c finds its row, items.c and computations.c make a command of it.
 */
#ifndef ROUNDTRIP_GATEWAY_REQUEST_H
#define ROUNDTRIP_GATEWAY_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "principal.h"
#include "slice.h"

#define REQUEST_HEADERS_MAX  100
#define REQUEST_QUERIES_MAX  16
#define REQUEST_SEGMENTS_MAX 8
#define REQUEST_PATH_MAX     1024 /* bytes of a decoded path */

enum method {
    METHOD_GET = 1 << 0,
    METHOD_HEAD = 1 << 1,
    METHOD_POST = 1 << 2,
    METHOD_PUT = 1 << 3,
    METHOD_DELETE = 1 << 4,
    METHOD_PATCH = 1 << 5,
    METHOD_OPTIONS = 1 << 6,
    METHOD_OTHER = 1 << 7,
};

/** METHOD_OTHER for a name that is none of them; names are case-sensitive (RFC 9110 section 9.1). */
enum method request_method_of(struct slice name);
const char *request_method_name(enum method method);

struct request_field {
    struct slice name, value;
};

struct request {
    enum method method;
    bool http11;         /* false: HTTP/1.0 */
    bool broken_head;    /* it holds what is not to be seen in the fields below: NULs, folded lines */
    struct slice target; /* the path as it came, still percent-encoded, without the query */
    size_t header_bytes; /* of the request line and all headers */
    struct request_field headers[REQUEST_HEADERS_MAX];
    size_t header_count;
    bool too_many_headers;
    struct request_field queries[REQUEST_QUERIES_MAX]; /* still percent-encoded */
    size_t query_count;
    bool too_many_queries;
    struct buf body;
    struct principal principal; /* who asks; access_check() sets it */
    /* the path, decoded by rules_split_path(): /items/7 and /items/7/ are both {"items", "7"} */
    struct slice segments[REQUEST_SEGMENTS_MAX];
    size_t segment_count;
    char path[REQUEST_PATH_MAX];
};

/** Makes it empty again; keeps the body's memory when it is small. */
void request_clear(struct request *req);
void request_done(struct request *req);

void request_add_header(struct request *req, struct slice name, struct slice value);
void request_add_query(struct request *req, struct slice name, struct slice value);

/** The value of the first header of that name (ASCII case does not matter), or SLICE_NONE. */
struct slice request_header(const struct request *req, const char *name);
/** How many headers have that name. */
size_t request_header_count(const struct request *req, const char *name);
/** The next header of that name at or after `*at`, moving `*at` behind it; SLICE_NONE at the end. */
struct slice request_header_next(const struct request *req, const char *name, size_t *at);
/** Is there exactly this text, ASCII case aside? */
bool request_same_text(struct slice a, const char *b);

#endif
