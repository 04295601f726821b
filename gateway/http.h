/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 for the connections of one thread, by libmicrohttpd: http.c is the only file that includes its
 * header.
 *
 * A connection belongs to one struct http for its life, and all steps of its exchange happen on that thread.
 * A request that waits for a worker is suspended: libmicrohttpd then neither reads from it nor times it out
 * nor sees whether its client is still there; peers.h does the last. http_resume() hands it back; flow.c and replies.c see to it
 * that this happens exactly once for each http_suspend().
 *
 * One thread only.
 */
#ifndef ROUNDTRIP_GATEWAY_HTTP_H
#define ROUNDTRIP_GATEWAY_HTTP_H

#include <sys/socket.h>

#include "flow.h"
#include "tls.h"
#include "peers.h"

struct http;

struct http_options {
    struct flow *flow;
    const struct tls *tls;   /* NULL: http */
    struct peers *peers; /* of the same thread */
    unsigned idle_timeout_s; /* a connection that neither sends nor waits is closed after this */
    void (*active)(void *arg, int change); /* +1: a request has begun, -1: it is over */
    void (*closed)(void *arg);             /* a connection is */
    void *arg;
};

/** 0 or -errno. */
int http_open(const struct http_options *options, struct http **ret_http) __attribute__((warn_unused_result));
/** Closes every connection; nothing may be suspended. NULL is allowed. */
void http_close(struct http *http);

/** Readable when http_run() has something to do. */
int http_fd(const struct http *http);
/** When http_run() must be called at the latest; INT64_MAX: not before http_fd() says so. */
int64_t http_due_ns(const struct http *http, int64_t now_ns);
/** Does what can be done without waiting. */
void http_run(struct http *http);
/** Takes over a connected, non-blocking socket. False: it is closed, and `closed` was not and will not be
 * called. */
bool http_add(struct http *http, int fd, const struct sockaddr *address, socklen_t length);
/** Answers the requests whose body is not here yet: 503, or what it was to be refused with. For the end. */
void http_cut(struct http *http);

void http_suspend(struct exchange *x);
void http_resume(struct exchange *x);

#endif
