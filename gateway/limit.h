/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many requests may be under way at a service at one time: a limit that follows what is measured.
 *
 * After the gradient limits of Netflix' concurrency-limits (Gradient2Limit): windows of samples; where their average stays
 * above the target the limit shrinks by target/average, at most to a quarter; where it is below, and the limit was in use, it grows by
 * its square root, and doubles as long as that is below half of the target. By Little's law it settles where the service's throughput
 * times the target is under way. Only what was admitted since the last step says something about it, so there is one step in a round
 * trip, as with TCP's window. The target is the larger of a setting and twice what the service takes when little is asked of it, so
 * that one that is slow by nature is not taken for one that is overloaded.
 *
 * Samples may be of any unit, the target's. Time is a parameter (clock_mono_ns()). Thread-safe.
 */
#ifndef ROUNDTRIP_GATEWAY_LIMIT_H
#define ROUNDTRIP_GATEWAY_LIMIT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct limit_options {
    int floor, ceiling; /* 1 <= floor <= ceiling */
    int64_t target;     /* > 0 */
};

struct limit {
    struct limit_options options; /* fixed */
    _Atomic int limit, in_flight;
    _Atomic int64_t bad_ns; /* when a window was above the target last */
    /* guarded by lock: the window */
    pthread_mutex_t lock;
    int64_t began_ns;   /* 0: no sample yet */
    int64_t stepped_ns; /* when the limit was changed last */
    int64_t sum, base;
    int count, most; /* most: the highest in_flight seen in it */
    int bad;         /* windows in a row that were above the target */
};

/** It starts at the ceiling: a service is trusted until it shows otherwise. */
void limit_init(struct limit *limit, const struct limit_options *options);
void limit_done(struct limit *limit);

/** One more is under way: true, unless that would be more than `permille` of the limit. One that was lowered and has had no trouble
 * for long is lifted before it refuses. */
bool limit_enter(struct limit *limit, int permille, int64_t now_ns) __attribute__((warn_unused_result));
/** Would one more be let through now? A guess, for who then asks limit_enter(). */
bool limit_has_room(struct limit *limit, int permille, int64_t now_ns) __attribute__((warn_unused_result));
/** One that was entered is over. */
void limit_leave(struct limit *limit);
/** What one took that was entered at `began_ns`, in the target's unit. */
void limit_sample(struct limit *limit, int64_t value, int64_t began_ns, int64_t now_ns);
int limit_now(const struct limit *limit);
int limit_in_flight(const struct limit *limit);

#endif
