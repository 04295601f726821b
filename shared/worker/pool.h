/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that run tasks from bounded queues and hand every one of them back to the thread that serves the pool.
 *
 * Each lane has threads and a queue of its own, in which callers take turns (fair.h): what is short does not wait for what is long, and
 * who waits for tasks of the pool never keeps them from running. Threads start when there is work for them, and stay.
 *
 * A task is the caller's memory with a `struct pool_task` inside, so accepting and handing back need no
 * memory and cannot fail: what pool_submit() took, pool_serve() or pool_close() gives back exactly once.
 */
#ifndef ROUNDTRIP_WORKER_POOL_H
#define ROUNDTRIP_WORKER_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "worker/lane.h"

struct pool;

/** Threads of LANE_COORDINATE: so many of its tasks wait for others at a time. */
#define POOL_COORDINATORS 64
/** By how much the threads of LANE_LONG and LANE_COORDINATE are nicer than the process (setpriority(2)): a tenth of a core's time each,
 * where others want it all. */
#define POOL_NICE 10

/** Zero-initialise, set the first group. The pool's from pool_submit() until `done` is called. */
struct pool_task {
    void (*run)(void *arg); /* on a pool thread */
    /* In pool_serve() or pool_close(). `ran` is false when the pool was stopped before the task's turn. */
    void (*done)(void *arg, bool ran);
    void *arg;
    _Atomic bool *stop; /* set to true by pool_stop() while the task waits or runs; may be NULL */
    enum lane lane;
    uint64_t caller; /* a hash: those of one caller wait for each other, different callers take turns */

    struct pool_task *next; /* the pool's own, as is `ran` */
    bool ran;
};

/**
 * `threads` (0: one for each core this process may use) each for LANE_SHORT and LANE_LONG, all signals blocked. At most
 * `waiting_max` (>= 1) tasks wait for a thread, in all lanes together. 0 or -errno. Close with pool_close().
 */
int pool_open(int threads, int waiting_max, struct pool **ret_pool) __attribute__((warn_unused_result));

/** Queues the task: 0, -EAGAIN (`waiting_max` are waiting, or its lane's first thread cannot be started), -ESHUTDOWN (stopped).
 * Thread-safe, never blocks. */
int pool_submit(struct pool *pool, struct pool_task *task) __attribute__((warn_unused_result));

/** Readable (level-triggered) when pool_serve() has something to do. */
int pool_fd(const struct pool *pool);
/** Calls `done` for every task that has ended, in the order they ended; how many. One thread only, never
 * blocks. */
int pool_serve(struct pool *pool);

struct pool_load {
    int threads; /* of LANE_SHORT, and as many of LANE_LONG */
    int waiting, running;
    int lane_waiting[LANES], lane_running[LANES];
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
