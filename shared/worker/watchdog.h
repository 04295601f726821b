/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internal to worker/. Ends the process when a handler does not return, so that its supervisor starts another and the command
 * is found by suspects.h.
 *
 * A handler that runs inline stands in the loop's way, so a thread of its own watches it: the loop counts up when it enters a
 * handler and when it leaves one, and the count must not stay odd and the same for longer than the limit. No clock is read for
 * it. A handler on the pool is watched by the loop: it must have returned within the limit after its deadline, or after it was
 * cancelled. One that has neither may take as long as it likes.
 */
#ifndef ROUNDTRIP_WORKER_WATCHDOG_H
#define ROUNDTRIP_WORKER_WATCHDOG_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct work;
struct worker;

/** Zero-initialised: nobody watches, which is allowed. */
struct watchdog {
    int64_t limit_ns; /* fixed after start */
    int stop_fd;
    bool running;
    pthread_t thread;
    /* written by the loop, read by the thread */
    _Atomic uint64_t count; /* odd: in a handler */
    _Atomic(const struct work *) work; /* whose; it does not change as long as its handler does not return */
    int64_t pool_ns;        /* the loop's: when to look at the pool's works again */
};

static inline void watchdog_enter(struct watchdog *watchdog, const struct work *work)
{
    atomic_store_explicit(&watchdog->work, work, memory_order_relaxed);
    atomic_store_explicit(&watchdog->count, atomic_load_explicit(&watchdog->count, memory_order_relaxed) + 1,
                          memory_order_release);
}

static inline void watchdog_leave(struct watchdog *watchdog)
{
    atomic_store_explicit(&watchdog->count, atomic_load_explicit(&watchdog->count, memory_order_relaxed) + 1,
                          memory_order_release);
}

/** Starts the thread. 0 or -errno. */
int watchdog_start(struct watchdog *watchdog, int64_t limit_ns) __attribute__((warn_unused_result));
void watchdog_stop(struct watchdog *watchdog);
/** The loop: is a pooled handler late? */
void watchdog_look(struct worker *worker, int64_t now_ns);

/** What the thread remembers between two looks. Zero-initialised. */
struct watchdog_sight {
    uint64_t count;
    int64_t since_ns; /* seen first */
};
/** True when `count` has been odd and the same for longer than `limit_ns`. Pure. */
bool watchdog_is_late(struct watchdog_sight *sight, uint64_t count, int64_t limit_ns, int64_t now_ns);
/** True when a handler that began at `began_ns` (0: not yet) and was told to stop at `told_ns` should have returned. Pure. */
bool watchdog_is_overdue(int64_t began_ns, int64_t told_ns, int64_t limit_ns, int64_t now_ns);

#endif
