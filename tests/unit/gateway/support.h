/* SPDX-License-Identifier: Apache-2.0 */
/* Requests for the gateway's unit tests, and looking into answers. */
#ifndef ROUNDTRIP_TEST_GATEWAY_SUPPORT_H
#define ROUNDTRIP_TEST_GATEWAY_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "answer.h"
#include "request.h"
#include "rules.h"

/* A request as http.c would hand it over, with a Host; the path is split when it can be. */
static inline void make_request(struct request *req, const char *method, const char *path)
{
    struct answer unused = {0};
    request_clear(req);
    req->method = request_method_of(slice_of(method));
    req->http11 = true;
    req->target = slice_of(path);
    request_add_header(req, SLICE("Host"), SLICE("localhost"));
    bool split = rules_split_path(req, &unused);
    (void)split;
    answer_done(&unused);
}

static inline void add_header(struct request *req, const char *name, const char *value)
{
    request_add_header(req, slice_of(name), slice_of(value));
}

static inline void set_body(struct request *req, const char *text)
{
    buf_clear(&req->body);
    buf_append_text(&req->body, text);
}

#define assert_slice(s, text)                                                                                \
    do {                                                                                                     \
        struct slice got_ = (s);                                                                             \
        assert_non_null(got_.p);                                                                             \
        assert_int_equal(got_.len, strlen(text));                                                            \
        assert_memory_equal(got_.p, text, got_.len);                                                         \
    } while (0)

static inline bool body_has(const struct answer *answer, const char *text)
{
    struct slice body = answer_body(answer);
    return memmem(body.p, body.len, text, strlen(text)) != NULL;
}

#endif
