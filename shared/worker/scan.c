/* SPDX-License-Identifier: Apache-2.0 */
/* Walking a partition's entities in key order, and its commands by their time, for partition-scoped reads. */
#include "worker/scan.h"

#include "worker/repeat.h"
#include "worker/runtime.h"

static bool move(struct scan *scan, struct slice after)
{
    bool exists;
    struct slice key;
    scan->valid = false;
    while (state_next_entity(scan->state, after, &key, &exists, &scan->value)) {
        if (key.len > sizeof(scan->key))
            return false;
        memmove(scan->key, key.p, key.len);
        scan->key_len = key.len;
        after = slice_make(scan->key, scan->key_len);
        if (exists) {
            scan->valid = true;
            return true;
        }
    }
    return false;
}

bool scan_seek(struct scan *scan, struct slice after)
{
    return move(scan, after);
}

bool scan_next(struct scan *scan)
{
    return scan->valid && move(scan, slice_make(scan->key, scan->key_len));
}

struct slice scan_key(const struct scan *scan)
{
    return slice_make(scan->key, scan->key_len);
}

struct slice scan_state(const struct scan *scan)
{
    return scan->value;
}

/* ---- commands ---- */

/* Is (a_ms, a) older than (b_ms, b)? Ids in the order of the local copy. */
static bool older(int64_t a_ms, struct slice a, int64_t b_ms, struct slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.p, b.p, len) : 0;
    if (a_ms != b_ms)
        return a_ms < b_ms;
    return order ? order < 0 : a.len < b.len;
}

/* A write that will be decided by what is under way here. One whose event is on its way counts: it may be void. */
static bool is_under_way(const struct work *work)
{
    if (!work->msg || !work->op || work->op->kind != OPERATION_WRITE || work->final)
        return false;
    return work->stage == WORK_RUNNING || work->stage == WORK_RETRYING || work->stage == WORK_APPENDING ||
           (work->stage == WORK_QUEUED && !repeat_is_known(work));
}

static struct known of_work(const struct work *work)
{
    bool running = work->stage == WORK_RUNNING || work->stage == WORK_APPENDING;
    return (struct known){
        .state = work->cancelled ? KNOWN_CANCELLING : running ? KNOWN_RUNNING : KNOWN_PENDING,
        .id = work->cmd.id,
        .key = work->cmd.key,
        .owner = work->cmd.auth_id,
        .type = work->cmd.type,
        .time_ms = work->msg->rec.timestamp_ms,
        .progress = work->stage == WORK_RUNNING ? atomic_load_explicit(&work->job.done, memory_order_relaxed) : 0};
}

static bool older_work(const struct partition *p, int64_t before_ms, struct slice before_id, struct known *ret_known)
{
    const struct work *newest = NULL;
    for (const struct work *work = p->works; work; work = work->next) {
        if (is_under_way(work) && older(work->msg->rec.timestamp_ms, work->cmd.id, before_ms, before_id) &&
            (!newest || older(newest->msg->rec.timestamp_ms, newest->cmd.id, work->msg->rec.timestamp_ms, work->cmd.id)))
            newest = work;
    }
    if (newest)
        *ret_known = of_work(newest);
    return newest;
}

bool scan_older(struct scan *scan, int64_t before_ms, struct slice before_id, struct known *ret_known)
{
    struct state_outcome outcome;
    struct slice id;
    struct known work;
    bool works = older_work(scan->partition, before_ms, before_id, &work);
    bool outcomes = state_older_outcome(scan->state, before_ms, before_id, &id, &outcome);
    if (works && (!outcomes || older(outcome.time_ms, id, work.time_ms, work.id))) {
        *ret_known = work;
        return true;
    }
    if (outcomes)
        *ret_known = (struct known){.state = outcome.status < 400 ? KNOWN_SUCCEEDED : KNOWN_FAILED,
                                    .id = id,
                                    .key = outcome.key,
                                    .owner = outcome.owner,
                                    .type = outcome.type,
                                    .time_ms = outcome.time_ms,
                                    .status = outcome.status,
                                    .exists = outcome.exists,
                                    .body = outcome.body};
    return outcomes;
}
