/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 over libmicrohttpd: the only file that includes its header.
 *
 * A pool of epoll threads; a connection belongs to one of them for its life, and all of its exchange's steps
 * happen there. A request that waits for a worker is suspended: libmicrohttpd then neither reads from it nor
 * times it out nor sees whether its client is still there. http_resume() hands it back; flow.c and replies.c
 * see to it that this happens exactly once for each http_suspend().
 */
#ifndef ROUNDTRIP_GATEWAY_HTTP_H
#define ROUNDTRIP_GATEWAY_HTTP_H

#include "flow.h"
#include "listener.h"

struct http;

struct http_options {
    struct flow *flow;
    unsigned threads; /* 0: as many as there are cores, at most 4 */
    unsigned max_connections;
    unsigned idle_timeout_s; /* a connection that neither sends nor waits is closed after this */
    const struct health *health;
    struct stats *stats;
};

/** Starts the threads. 0 or -errno. */
int http_start(const struct http_options *options, struct http **ret_http)
    __attribute__((warn_unused_result));
/** Stops the threads and closes every connection; nothing may be suspended. NULL is allowed. */
void http_stop(struct http *http);
/** Waits until no request is being read, waited for or answered, or until `deadline_ns`: how many still are.
 */
size_t http_wait_idle(struct http *http, int64_t deadline_ns);

/** A connection for the listener to give; `arg` is the struct http. */
listener_fn http_adopt;

/** On the exchange's HTTP thread only. */
void http_suspend(struct exchange *x);
/** On any thread, once for each suspend. */
void http_resume(struct exchange *x);

#endif
