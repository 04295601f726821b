/* SPDX-License-Identifier: Apache-2.0 */
/* Tentative state: works by entity and by command id, from the moment they run until the local copy has their effect. */
#include "hash.h"
#include "worker/partition.h"
#include "worker/work.h"

static size_t bucket(struct slice s)
{
    return hash_slice(s) & (PARTITION_BUCKETS - 1);
}

struct work *partition_by_key(const struct partition *p, struct slice key)
{
    for (struct work *work = p->by_key[bucket(key)]; work; work = work->by_key) {
        if (!work_undecided(work) && slice_equal(work->key, key))
            return work;
    }
    return NULL;
}

struct work *partition_running(const struct partition *p, struct slice key)
{
    for (struct work *work = p->by_key[bucket(key)]; work; work = work->by_key) {
        if (work_undecided(work) && slice_equal(work->key, key))
            return work;
    }
    return NULL;
}

bool partition_retries(const struct partition *p, struct slice key)
{
    for (const struct work *work = p->by_key[bucket(key)]; work; work = work->by_key) {
        if (work->stage == WORK_RETRYING && work->op->place == RUN_INLINE && slice_equal(work->key, key))
            return true;
    }
    return false;
}

struct work *partition_by_id(const struct partition *p, struct slice id)
{
    for (struct work *work = p->by_id[bucket(id)]; work; work = work->by_id) {
        if (slice_equal(work->cmd.id, id))
            return work;
    }
    return NULL;
}

void partition_table(struct work *work)
{
    if (work->tabled)
        return;
    struct partition *p = work->partition;
    struct work **head = &p->by_key[bucket(work->key)];
    work->by_key = *head;
    *head = work;
    if (work->cmd.id.p) {
        head = &p->by_id[bucket(work->cmd.id)];
        work->by_id = *head;
        *head = work;
    }
    work->tabled = true;
}

void partition_untable(struct work *work)
{
    struct partition *p = work->partition;
    struct work **at = &p->by_key[bucket(work->key)];
    while (*at != work)
        at = &(*at)->by_key;
    *at = work->by_key;
    if (work->cmd.id.p) {
        at = &p->by_id[bucket(work->cmd.id)];
        while (*at != work)
            at = &(*at)->by_id;
        *at = work->by_id;
    }
    work->tabled = false;
}
