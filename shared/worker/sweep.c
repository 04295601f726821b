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
#define PARTS_LONGER_MS  60000

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
        if (!partition_remove(p, name, wall_ms))
            break;
        appended++;
    }
    return appended;
}

/* Steps through ids that may go; `before_ms`: what is younger may not. */
typedef bool next_id(struct state *state, int64_t before_ms, struct slice after, char *ret_id, size_t size, size_t *ret_len);

static bool next_claim(struct state *state, int64_t before_ms, struct slice after, char *ret_id, size_t size, size_t *ret_len)
{
    return state_next_spent_claim(state, after, ret_id, size, ret_len); /* decides about nothing, so its age does not matter */
}

/* An outcome is a little younger than the parts of its result, and while it is known they must be there. */
static bool next_part(struct state *state, int64_t before_ms, struct slice after, char *ret_id, size_t size, size_t *ret_len)
{
    return state_next_old_part(state, before_ms - PARTS_LONGER_MS, after, ret_id, size, ret_len);
}

/* Records with the keys "<prefix><id>". */
static int remove_own(struct partition *p, const char *prefix, next_id *next, int64_t wall_ms)
{
    char key[sizeof(ENVELOPE_ATTEMPTS_KEY_PREFIX) + ENVELOPE_ID_MAX]; /* the longest of them */
    size_t prefix_len = strlen(prefix), len = 0;
    char *id = key + prefix_len;
    int appended = 0;
    memcpy(key, prefix, prefix_len);
    while (appended < SWEEP_TOMBSTONES && next(p->state, wall_ms - p->worker->dedupe_ms, len ? slice_make(id, len) : SLICE_NONE,
                                               id, sizeof(key) - prefix_len, &len)) {
        struct slice name = slice_make(key, prefix_len + len);
        if (partition_by_key(p, name))
            continue;
        if (!partition_remove(p, name, wall_ms))
            break;
        appended++;
    }
    return appended;
}

int sweep_tombstones(struct partition *p, int64_t wall_ms)
{
    int appended = remove_own(p, ENVELOPE_CLAIM_KEY_PREFIX, next_claim, wall_ms);
    if (p->phase == PARTITION_SERVING)
        appended += remove_entities(p, wall_ms);
    if (p->phase == PARTITION_SERVING) /* counts nobody took out: their worker ended just after the answer */
        appended += remove_own(p, ENVELOPE_ATTEMPTS_KEY_PREFIX, state_next_old_attempts, wall_ms);
    if (p->phase == PARTITION_SERVING) /* their outcome has gone before */
        appended += remove_own(p, ENVELOPE_PART_KEY_PREFIX, next_part, wall_ms);
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
