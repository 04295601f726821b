/* SPDX-License-Identifier: Apache-2.0 */
/* Windows of completions, and what they come to. */
#include "capacity.h"

/** A window ends with so many after WINDOW_NS, or with any after WINDOW_MAX_NS. Answers come in bursts: it needs some. */
#define WINDOW_COUNT  16
#define WINDOW_NS     INT64_C(100000000)
#define WINDOW_MAX_NS INT64_C(2000000000)
/** A service that was idle shows what it can only when it was not for so many. */
#define COUNT_MIN 4

void capacity_init(struct capacity *capacity)
{
    *capacity = (struct capacity){.interval_ns = 0};
    pthread_mutex_init(&capacity->lock, NULL);
}

void capacity_done(struct capacity *capacity)
{
    pthread_mutex_destroy(&capacity->lock);
}

/* Half of what was known, half of what was seen. */
static void learn(_Atomic int64_t *known, int64_t seen)
{
    int64_t before = atomic_load_explicit(known, memory_order_relaxed);
    atomic_store_explicit(known, before ? before + (seen - before) / 2 : seen, memory_order_relaxed);
}

/* With `lock` held. */
static void begin(struct capacity *capacity, int64_t now_ns)
{
    capacity->began_ns = now_ns;
    capacity->worked_ns = 0;
    capacity->count = 0;
}

/* With `lock` held: the window is over. */
static void end(struct capacity *capacity, int64_t lasted_ns)
{
    learn(&capacity->interval_ns, lasted_ns / capacity->count);
    learn(&capacity->work_ns, capacity->worked_ns / capacity->count);
}

void capacity_note(struct capacity *capacity, int64_t work_ns, int left, int64_t now_ns)
{
    pthread_mutex_lock(&capacity->lock);
    if (capacity->began_ns == 0) {
        begin(capacity, now_ns); /* from one that is done to one that is done */
    } else {
        int64_t lasted_ns = now_ns - capacity->began_ns;
        capacity->worked_ns += work_ns;
        capacity->count++;
        bool full = lasted_ns >= WINDOW_MAX_NS || (lasted_ns >= WINDOW_NS && capacity->count >= WINDOW_COUNT);
        if (full || (left == 0 && capacity->count >= COUNT_MIN && lasted_ns > 0)) {
            end(capacity, lasted_ns);
            begin(capacity, now_ns);
        }
    }
    if (left == 0)
        capacity->began_ns = 0; /* the time until the next one comes is none of the service's */
    pthread_mutex_unlock(&capacity->lock);
}

int64_t capacity_wait_ns(const struct capacity *capacity, int in_flight)
{
    int64_t interval_ns = atomic_load_explicit(&capacity->interval_ns, memory_order_relaxed);
    if (interval_ns <= 0)
        return 0;
    int64_t worked_on = atomic_load_explicit(&capacity->work_ns, memory_order_relaxed) / interval_ns;
    return in_flight > worked_on ? (in_flight - worked_on) * interval_ns : 0;
}
