/* SPDX-License-Identifier: Apache-2.0 */
/* Waits estimated from backlogs. */
#include "backlog.h"

/** The weight of what was seen last in `rate`. */
#define WEIGHT 0.3
/** Below so many a second it stands still. */
#define RATE_MIN 0.5

static int64_t estimate(const struct backlog_partition *p, bool alive)
{
    int64_t waiting = p->end - p->done;
    if (waiting < BACKLOG_MIN)
        return 0;
    if (p->rate < RATE_MIN)
        return alive ? 0 : BACKLOG_FOREVER;
    return (int64_t)((double)waiting * 1000 / p->rate);
}

/* Only time in which there was something to do tells how fast it is done. */
static void learn_rate(struct backlog_partition *p, int64_t moved, bool alive, double seconds)
{
    bool busy = p->end > p->done;
    if (!busy || seconds <= 0)
        return;
    double rate = (double)moved / seconds;
    if (moved == 0 && alive)
        p->rate = 0; /* others pass the one it stands at */
    else
        p->rate = p->rate > 0 ? p->rate + WEIGHT * (rate - p->rate) : rate;
}

void backlog_note(struct backlog *backlog, int32_t partition, int64_t done, int64_t end, bool alive, int64_t now_ns)
{
    struct backlog_partition *p = &backlog->partitions[partition];
    if (p->at_ns && done >= p->done)
        learn_rate(p, done - p->done, alive, (double)(now_ns - p->at_ns) / 1e9);
    else
        p->rate = 0; /* the first time, or a log that was made anew */
    p->done = done;
    p->end = end;
    bool first = p->at_ns == 0;
    p->at_ns = now_ns;
    atomic_store_explicit(&p->wait_ms, first ? 0 : estimate(p, alive), memory_order_relaxed);
}

int64_t backlog_wait_ms(const struct backlog *backlog, int32_t partition)
{
    if (partition < 0 || partition >= BACKLOG_PARTITIONS_MAX)
        return 0;
    return atomic_load_explicit(&backlog->partitions[partition].wait_ms, memory_order_relaxed);
}

void backlog_forget(struct backlog *backlog, int32_t partition)
{
    backlog->partitions[partition].at_ns = 0;
    atomic_store_explicit(&backlog->partitions[partition].wait_ms, 0, memory_order_relaxed);
}
