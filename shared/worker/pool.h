/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fixed threads that run tasks from a bounded queue and hand every one of them back to the thread that serves
 * the pool.
 *
 * A task is the caller's memory with a `struct pool_task` inside, so accepting and handing back need no
 * memory and cannot fail: what pool_submit() took, pool_serve() or pool_close() gives back exactly once.
 */
#ifndef ROUNDTRIP_WORKER_POOL_H
#define ROUNDTRIP_WORKER_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct pool;

/** Zero-initialise, set the first group. The pool's from pool_submit() until `done` is called. */
struct pool_task {
    void (*run)(void *arg); /* on a pool thread */
    /* In pool_serve() or pool_close(). `ran` is false when the pool was stopped before the task's turn. */
    void (*done)(void *arg, bool ran);
    void *arg;
    _Atomic bool *stop; /* set to true by pool_stop() while the task waits or runs; may be NULL */

    struct pool_task *next; /* the pool's own, as is `ran` */
    bool ran;
};

/**
 * Starts `threads` threads (0: one for each core this process may use), all signals blocked. At most
 * `waiting_max` (>= 1) tasks wait for a thread. 0 or -errno. Close with pool_close().
 */
int pool_open(int threads, int waiting_max, struct pool **ret_pool) __attribute__((warn_unused_result));

/** Queues the task: 0, -EAGAIN (`waiting_max` are waiting), -ESHUTDOWN (stopped). Thread-safe, never blocks.
 */
int pool_submit(struct pool *pool, struct pool_task *task) __attribute__((warn_unused_result));

/** Readable (level-triggered) when pool_serve() has something to do. */
int pool_fd(const struct pool *pool);
/** Calls `done` for every task that has ended, in the order they ended; how many. One thread only, never
 * blocks. */
int pool_serve(struct pool *pool);

struct pool_load {
    int threads, waiting, running;
};
/** Thread-safe. */
struct pool_load pool_load(struct pool *pool);

/** No new tasks; those that wait end without having run; those that run see their `stop`. Thread-safe, never
 * blocks. */
void pool_stop(struct pool *pool);
/** Waits until no task waits or runs; what ended is still to be served. 0 or -ETIMEDOUT. */
int pool_drain(struct pool *pool, int64_t timeout_ms) __attribute__((warn_unused_result));
/** Stops, waits for running tasks however long they take, serves all that ended, frees. NULL is allowed. */
void pool_close(struct pool *pool);

#endif
