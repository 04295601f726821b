/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking out what the dedupe window has passed.
 *
 * Outcomes only leave the local copy: in the log, compaction removes them. A deleted entity keeps its version
 * in the log until the window has passed, so that an old ETag or command meets it; then a tombstone lets
 * compaction have the key. The same for a claim, but only for one that the next claim follows directly: any
 * other decides about the records after it. Tombstones go through the journal like events, so one of a
 * deposed owner is void and its key is repaired.
 */
#include "worker/sweep.h"

#include "clock.h"
#include "log.h"
#include "worker/partition.h"
#include "worker/work.h"

#define SWEEP_NS         (INT64_C(1000) * CLOCK_NS_PER_MS) /* between partitions, with little to do */
#define SWEEP_BUSY_NS    (INT64_C(50) * CLOCK_NS_PER_MS)   /* with much */
#define SWEEP_OUTCOMES   500
#define SWEEP_TOMBSTONES 100

static bool append_tombstone(struct partition *p, struct slice key, int64_t wall_ms)
{
    struct work *work = work_new(p, NULL);
    if (!work)
        return false; /* never urgent: the next turn tries again */
    memcpy(work->id, key.p, key.len);
    work->key = slice_make(work->id, key.len);
    work->state = SLICE("");
    work->letter = LETTER_REMOVAL;
    work->event_time_ms = wall_ms;
    work_move(work, WORK_REMOVING);
    partition_append(work);
    return p->phase == PARTITION_SERVING;
}

static int remove_entities(struct partition *p, int64_t wall_ms)
{
    char key[ENVELOPE_KEY_MAX];
    size_t len, skip = 0;
    int appended = 0;
    int64_t before_ms = wall_ms - p->worker->dedupe_ms;
    while (appended < SWEEP_TOMBSTONES &&
           state_next_removable(p->state, before_ms, skip++, key, sizeof(key), &len)) {
        struct slice name = slice_make(key, len);
        if (partition_by_key(p, name) || partition_running(p, name))
            continue; /* a young command, or its tombstone, is on its way */
        if (!append_tombstone(p, name, wall_ms))
            break;
        appended++;
    }
    return appended;
}

static int remove_claims(struct partition *p, int64_t wall_ms)
{
    char key[sizeof(ENVELOPE_CLAIM_KEY_PREFIX) + JOURNAL_CLAIM_MAX] = ENVELOPE_CLAIM_KEY_PREFIX;
    char *id = key + sizeof(ENVELOPE_CLAIM_KEY_PREFIX) - 1;
    size_t len = 0;
    int appended = 0;
    while (appended < SWEEP_TOMBSTONES &&
           state_next_spent_claim(p->state, len ? slice_make(id, len) : SLICE_NONE, id, JOURNAL_CLAIM_MAX,
                                  &len)) {
        struct slice name = slice_make(key, (size_t)(id - key) + len);
        if (partition_by_key(p, name))
            continue;
        if (!append_tombstone(p, name, wall_ms))
            break;
        appended++;
    }
    return appended;
}

/* Counts of attempts that nobody took out: their command was answered by a worker that ended just then. */
static int remove_attempts(struct partition *p, int64_t wall_ms)
{
    char key[sizeof(ENVELOPE_ATTEMPTS_KEY_PREFIX) + ENVELOPE_ID_MAX] = ENVELOPE_ATTEMPTS_KEY_PREFIX;
    char *id = key + sizeof(ENVELOPE_ATTEMPTS_KEY_PREFIX) - 1;
    size_t len = 0;
    int appended = 0;
    while (appended < SWEEP_TOMBSTONES &&
           state_next_old_attempts(p->state, wall_ms - p->worker->dedupe_ms, len ? slice_make(id, len) : SLICE_NONE, id,
                                   ENVELOPE_ID_MAX, &len)) {
        struct slice name = slice_make(key, (size_t)(id - key) + len);
        if (partition_by_key(p, name))
            continue;
        if (!append_tombstone(p, name, wall_ms))
            break;
        appended++;
    }
    return appended;
}

int sweep_tombstones(struct partition *p, int64_t wall_ms)
{
    int appended = remove_claims(p, wall_ms);
    if (p->phase == PARTITION_SERVING)
        appended += remove_entities(p, wall_ms);
    if (p->phase == PARTITION_SERVING)
        appended += remove_attempts(p, wall_ms);
    if (appended > 0)
        log_debug("tombstones", "partition=%d count=%d", p->number, appended);
    return appended;
}

void sweep_tick(struct worker *worker, int64_t now_ns, int64_t wall_ms)
{
    struct state_error error;
    if (now_ns < worker->sweep_ns)
        return;
    worker->sweep_ns = now_ns + SWEEP_NS;
    struct partition *p = &worker->partitions[worker->sweep_next++ % worker->partition_count];
    if (p->phase != PARTITION_SERVING)
        return;
    int outcomes = state_expire(p->state, wall_ms - worker->dedupe_ms, SWEEP_OUTCOMES, &error);
    if (outcomes < 0) {
        worker_fail(worker, "cannot keep the local state", error.text);
        return;
    }
    if (outcomes == SWEEP_OUTCOMES || sweep_tombstones(p, wall_ms) >= SWEEP_TOMBSTONES)
        worker->sweep_ns = now_ns + SWEEP_BUSY_NS;
}
