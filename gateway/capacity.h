/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a request would stand in the queue of a service: what is under way beyond what is worked on, over the rate at which
 * the service gets done with it. By Little's law as many are worked on as rate times work.
 *
 * A limit that learns from latencies knows of a queue only when those who stood in it are answered; this knows at once. It is for
 * work that takes long, which says how long it took. Time is a parameter (clock_mono_ns()). Thread-safe.
 */
#ifndef ROUNDTRIP_GATEWAY_CAPACITY_H
#define ROUNDTRIP_GATEWAY_CAPACITY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct capacity {
    _Atomic int64_t interval_ns; /* between two that are done, while there is work; 0: not known */
    _Atomic int64_t work_ns;     /* of one */
    pthread_mutex_t lock;
    /* guarded by lock: the window */
    int64_t began_ns; /* 0: none */
    int64_t worked_ns;
    int count;
};

void capacity_init(struct capacity *capacity);
void capacity_done(struct capacity *capacity);

/** One is done that took `work_ns` of work, and so many are left under way. */
void capacity_note(struct capacity *capacity, int64_t work_ns, int left, int64_t now_ns);
/** How long one more would wait for its turn, behind so many; 0: not at all, or nobody knows. */
int64_t capacity_wait_ns(const struct capacity *capacity, int in_flight);

#endif
