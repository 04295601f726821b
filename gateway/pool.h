/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP threads: each runs its shards in a loop, and has its share of the connections.
 *
 * A thread's inbox has what others give it: new connections (each goes to the thread that has the fewest),
 * and exchanges whose wait is over. libmicrohttpd is only called by the thread it belongs to.
 */
#ifndef ROUNDTRIP_GATEWAY_POOL_H
#define ROUNDTRIP_GATEWAY_POOL_H

#include "flow.h"
#include "listener.h"
#include "stats.h"

struct pool;

struct pool_options {
    struct flow *flow;
    const struct tls *tls; /* NULL: http */
    unsigned threads; /* 0: as many as there are cores, at most 4 */
    unsigned max_connections;
    unsigned idle_timeout_s;
    int64_t read_timeout_ms; /* for a request to be complete */
    bool ask;                /* half-close=ask (peers.h) */
    struct stats *stats;
};

/** Starts the threads. 0 or -errno. */
int pool_start(const struct pool_options *options, struct pool **ret_pool)
    __attribute__((warn_unused_result));
/** Answers what has arrived, stops the threads and closes every connection; nothing may be suspended. NULL is allowed. */
void pool_stop(struct pool *pool);
/** Waits until no request is being read, waited for or answered, or until `deadline_ns`: how many still are.
 */
size_t pool_wait_idle(struct pool *pool, int64_t deadline_ns);
/** The same until no connection is open: how many still are. */
size_t pool_wait_closed(struct pool *pool, int64_t deadline_ns);
/** Requests that are not over, and open connections, now. Any thread. */
size_t pool_active(struct pool *pool);
size_t pool_connections(struct pool *pool);
/** Now and then, on one thread: once less than half of the connections of the last time are open, gives the memory of the others back to the system, which
 * malloc() does not do by itself. Takes some milliseconds then. */
void pool_give_back(struct pool *pool);
/** Answers the requests whose body is not here yet (http_cut()): they are over once their clients have seen it. */
void pool_cut(struct pool *pool);

/** Any thread: gives a suspended exchange back to its HTTP thread, once for each suspend. */
void pool_resume(struct exchange *x);
/** A connection for the listener to give; `arg` is the struct pool. */
listener_fn pool_adopt;

#endif
