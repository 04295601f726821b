/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a command that is sent now will wait before its worker takes it up: from what waits in its partition and how fast
 * that has been getting less.
 *
 * The committed offset is the lowest that is not done: beside a long computation it stands still while others pass it. So where
 * it stands still although the service is alive, what lies behind it may be done as well: only what came after the last sign of
 * life counts then. And where all stands still nobody is refused before it has lasted longer than a takeover does. Time is a
 * parameter (clock_mono_ns()). One thread notes; any thread asks.
 */
#ifndef ROUNDTRIP_GATEWAY_BACKLOG_H
#define ROUNDTRIP_GATEWAY_BACKLOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define BACKLOG_PARTITIONS_MAX 256
/** Fewer than this are not called a backlog: commands under way, and commits that come ten times a second. */
#define BACKLOG_MIN 100
/** Nobody works at it. */
#define BACKLOG_FOREVER INT64_MAX

struct backlog_partition {
    /* the noting thread's */
    int64_t done, end, at_ns; /* as last noted; at_ns 0: never */
    int64_t moved_ns;         /* when there was last nothing to do, or something was done */
    int64_t heard_end;        /* where the log ended when the service was last alive */
    bool passed;              /* `done` stands still, others pass it */
    bool known;               /* `rate` is: there is a backlog since the last note at least */
    double rate;              /* records of it done a second */
    /* any thread's */
    _Atomic int64_t wait_ms;
    _Atomic bool still;
    _Atomic int64_t behind; /* records of it that are not done, and 1; 0: not known */
};

struct backlog {
    struct backlog_partition partitions[BACKLOG_PARTITIONS_MAX];
};

/** What the group has done of a partition and where its log ends; `alive`: something was heard of the service since the last note. */
void backlog_note(struct backlog *backlog, int32_t partition, int64_t done, int64_t end, bool alive, int64_t now_ns);
/** Something waits, and nothing of it was done from one note to the next: its worker is away, or busy with one thing. True also for no
 * single partition. */
bool backlog_still(const struct backlog *backlog, int32_t partition);
/** Nothing is known of it any more. */
void backlog_forget(struct backlog *backlog, int32_t partition);
/** Records that are not done; -1: not known. */
int64_t backlog_behind(const struct backlog *backlog, int32_t partition);
/** ms, or BACKLOG_FOREVER. 0 where nothing is known. */
int64_t backlog_wait_ms(const struct backlog *backlog, int32_t partition);

#endif
