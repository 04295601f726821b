/* SPDX-License-Identifier: Apache-2.0 */
/* Waits estimated from backlogs. */
#include "backlog.h"

/** The weight of what was seen last in `rate`. */
#define WEIGHT 0.3
/** Below so many a second it stands still. */
#define RATE_MIN 0.5
/** Longer than a takeover takes: only then nobody is said to work at it. */
#define STILL_NS INT64_C(10000000000)

/* `alive`: since the last note. */
static int64_t estimate(const struct backlog_partition *p, bool alive)
{
    int64_t waiting = p->end - (p->passed ? p->heard_end : p->done);
    if (waiting < BACKLOG_MIN || (p->passed && alive))
        return 0;
    if (!p->known)
        return 0;
    if (p->rate < RATE_MIN)
        return p->at_ns - p->moved_ns >= STILL_NS ? BACKLOG_FOREVER : 0;
    return (int64_t)((double)waiting * 1000 / p->rate);
}

/*
 * Only from one backlog to the next can be told how fast it is done: when little waits, as much is done as comes. So what was
 * learnt is forgotten with its backlog, and a burst refuses nobody until it has lasted from one note to the next.
 */
static void learn(struct backlog_partition *p, int64_t moved, bool alive, double seconds)
{
    if (p->end <= p->done || seconds <= 0) {
        p->known = p->known && p->passed;
        return;
    }
    if (moved > 0)
        p->passed = false;
    else if (alive)
        p->passed = true;
    double rate = (double)moved / seconds;
    if (p->passed)
        p->rate = 0;
    else
        p->rate = p->known && p->rate > 0 ? p->rate + WEIGHT * (rate - p->rate) : rate;
    p->known = p->passed || p->end - p->done >= BACKLOG_MIN;
}

void backlog_note(struct backlog *backlog, int32_t partition, int64_t done, int64_t end, bool alive, int64_t now_ns)
{
    struct backlog_partition *p = &backlog->partitions[partition];
    bool first = p->at_ns == 0;
    if (!first && done >= p->done) {
        learn(p, done - p->done, alive, (double)(now_ns - p->at_ns) / 1e9);
    } else { /* or a log that was made anew */
        p->known = p->passed = false;
    }
    if (first || done != p->done || end <= done)
        p->moved_ns = now_ns;
    p->done = done;
    p->end = end;
    p->at_ns = now_ns;
    atomic_store_explicit(&p->behind, end > done ? end - done + 1 : 1, memory_order_relaxed);
    atomic_store_explicit(&p->still, p->moved_ns < now_ns, memory_order_relaxed);
    if (alive || first)
        p->heard_end = end;
    atomic_store_explicit(&p->wait_ms, first ? 0 : estimate(p, alive), memory_order_relaxed);
}

int64_t backlog_wait_ms(const struct backlog *backlog, int32_t partition)
{
    if (partition < 0 || partition >= BACKLOG_PARTITIONS_MAX)
        return 0;
    return atomic_load_explicit(&backlog->partitions[partition].wait_ms, memory_order_relaxed);
}

int64_t backlog_behind(const struct backlog *backlog, int32_t partition)
{
    return atomic_load_explicit(&backlog->partitions[partition].behind, memory_order_relaxed) - 1;
}

bool backlog_still(const struct backlog *backlog, int32_t partition)
{
    if (partition < 0 || partition >= BACKLOG_PARTITIONS_MAX)
        return true;
    return atomic_load_explicit(&backlog->partitions[partition].still, memory_order_relaxed);
}

void backlog_forget(struct backlog *backlog, int32_t partition)
{
    atomic_store_explicit(&backlog->partitions[partition].still, false, memory_order_relaxed);
    atomic_store_explicit(&backlog->partitions[partition].behind, 0, memory_order_relaxed);
    backlog->partitions[partition].at_ns = 0;
    atomic_store_explicit(&backlog->partitions[partition].wait_ms, 0, memory_order_relaxed);
}
