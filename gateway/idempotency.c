/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key index: a fixed array of entries, found by chained hashing, with a free list and a list by age.
 *
 * An entry is free, running (`running` > 0), bound (`until_ms` > 0), or both of these. Those that are bound
 * and do not run stand in the list by age, the longest unused first; when no entry is free that one is taken.
 * Running ones are never taken: there are entries for all of them.
 */
#include "idempotency.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "hash.h"

#define NONE UINT32_MAX

struct entry {
    struct hash128 id;
    uint64_t running_entity, bound_entity; /* hashes */
    int64_t until_ms;                      /* bound until then; 0: not bound */
    uint32_t running;                      /* requests */
    uint32_t next;                         /* in its bucket, or in the free list */
    uint32_t older, newer;                 /* in the list by age */
};

struct idempotency {
    /* fixed after init */
    int64_t window_ms;
    uint64_t seed;
    uint32_t capacity, bucket_mask;
    /* guarded by lock */
    pthread_mutex_t lock;
    uint32_t first_free, oldest, newest;
    uint32_t count;
    uint32_t fresh; /* entries from here on were never used: their memory is not there yet */
    uint32_t *buckets;
    struct entry *entries;
};

int idempotency_new(const struct idempotency_options *options, struct idempotency **ret_index)
{
    size_t capacity = options->bound_max + options->running_max;
    assert(capacity > 0 && capacity < (size_t)1 << 31);
    struct idempotency *index = calloc(1, sizeof(*index));
    if (!index)
        return -ENOMEM;
    pthread_mutex_init(&index->lock, NULL);
    index->window_ms = options->window_ms;
    index->seed = options->seed;
    index->capacity = (uint32_t)capacity;
    index->oldest = index->newest = NONE;
    uint32_t buckets = 1;
    while (buckets < capacity)
        buckets <<= 1;
    index->bucket_mask = buckets - 1;
    index->buckets = malloc(buckets * sizeof(*index->buckets));
    index->entries = calloc(capacity, sizeof(*index->entries));
    if (!index->buckets || !index->entries) {
        idempotency_free(index);
        return -ENOMEM;
    }
    memset(index->buckets, 0xff, buckets * sizeof(*index->buckets)); /* NONE */
    index->first_free = NONE;
    *ret_index = index;
    return 0;
}

void idempotency_free(struct idempotency *index)
{
    if (!index)
        return;
    pthread_mutex_destroy(&index->lock);
    free(index->buckets);
    free(index->entries);
    free(index);
}

/*
 * From 500 on it says "not now". One 422 says that the id was used for another command: that must not count
 * as this entity's. A 422 that is an outcome binds by its event.
 */
bool idempotency_status_binds(int status)
{
    return status > 0 && status < 500 && status != 422;
}

/* ---- all below with `lock` held, but for the public functions ---- */

static uint32_t find(const struct idempotency *index, struct hash128 id)
{
    uint32_t at = index->buckets[id.low & index->bucket_mask];
    while (at != NONE && (index->entries[at].id.low != id.low || index->entries[at].id.high != id.high))
        at = index->entries[at].next;
    return at;
}

static void age_remove(struct idempotency *index, uint32_t at)
{
    struct entry *e = &index->entries[at];
    *(e->older == NONE ? &index->oldest : &index->entries[e->older].newer) = e->newer;
    *(e->newer == NONE ? &index->newest : &index->entries[e->newer].older) = e->older;
}

static void age_add(struct idempotency *index, uint32_t at)
{
    struct entry *e = &index->entries[at];
    e->older = index->newest;
    e->newer = NONE;
    *(e->older == NONE ? &index->oldest : &index->entries[e->older].newer) = at;
    index->newest = at;
}

/* It is in no list by age. */
static void release(struct idempotency *index, uint32_t at)
{
    struct entry *e = &index->entries[at];
    uint32_t *link = &index->buckets[e->id.low & index->bucket_mask];
    while (*link != at)
        link = &index->entries[*link].next;
    *link = e->next;
    *e = (struct entry){.next = index->first_free};
    index->first_free = at;
    index->count--;
}

static void release_fresh(struct idempotency *index)
{
    index->entries[index->fresh].next = index->first_free;
    index->first_free = index->fresh++;
}

/* A new entry, neither running nor bound yet; NONE: all are running. */
static uint32_t claim(struct idempotency *index, struct hash128 id)
{
    if (index->first_free == NONE && index->fresh < index->capacity)
        release_fresh(index);
    if (index->first_free == NONE && index->oldest != NONE) {
        uint32_t oldest = index->oldest;
        age_remove(index, oldest);
        release(index, oldest);
    }
    uint32_t at = index->first_free;
    if (at == NONE)
        return NONE;
    struct entry *e = &index->entries[at];
    uint32_t *bucket = &index->buckets[id.low & index->bucket_mask];
    index->first_free = e->next;
    *e = (struct entry){.id = id, .next = *bucket};
    *bucket = at;
    index->count++;
    return at;
}

static bool bound(const struct entry *e, int64_t now_ms)
{
    return e->until_ms > now_ms;
}

static void bind(struct entry *e, uint64_t entity, int64_t until_ms, int64_t now_ms)
{
    if (bound(e, now_ms) && e->bound_entity != entity)
        return;
    e->bound_entity = entity;
    e->until_ms = until_ms;
}

static enum idempotency_verdict judge(const struct entry *e, uint64_t entity, bool waits, int64_t now_ms)
{
    if ((bound(e, now_ms) && e->bound_entity != entity) || (e->running && e->running_entity != entity))
        return IDEMPOTENCY_OTHER;
    return e->running && !waits ? IDEMPOTENCY_RUNNING : IDEMPOTENCY_ENTERED;
}

static enum idempotency_verdict enter(struct idempotency *index, struct hash128 id, uint64_t entity,
                                      bool waits, int64_t now_ms)
{
    uint32_t at = find(index, id);
    if (at == NONE) {
        at = claim(index, id);
        if (at == NONE)
            return IDEMPOTENCY_FULL;
    } else {
        enum idempotency_verdict verdict = judge(&index->entries[at], entity, waits, now_ms);
        if (verdict != IDEMPOTENCY_ENTERED)
            return verdict;
        if (index->entries[at].running == 0)
            age_remove(index, at);
    }
    index->entries[at].running++;
    index->entries[at].running_entity = entity;
    return IDEMPOTENCY_ENTERED;
}

enum idempotency_verdict idempotency_enter(struct idempotency *index, struct slice id, struct slice entity,
                                           bool waits, int64_t now_ms)
{
    struct hash128 hash = hash_slice_128(id, index->seed);
    uint64_t entity_hash = hash_slice_128(entity, index->seed).low;
    pthread_mutex_lock(&index->lock);
    enum idempotency_verdict verdict = enter(index, hash, entity_hash, waits, now_ms);
    pthread_mutex_unlock(&index->lock);
    return verdict;
}

void idempotency_leave(struct idempotency *index, struct slice id, bool binds, int64_t now_ms)
{
    struct hash128 hash = hash_slice_128(id, index->seed);
    pthread_mutex_lock(&index->lock);
    uint32_t at = find(index, hash);
    assert(at != NONE && index->entries[at].running > 0);
    struct entry *e = &index->entries[at];
    /* what is bound keeps its end: this may be the repetition of an old outcome */
    if (binds && !bound(e, now_ms))
        bind(e, e->running_entity, now_ms + index->window_ms, now_ms);
    if (--e->running == 0) {
        if (bound(e, now_ms))
            age_add(index, at);
        else
            release(index, at);
    }
    pthread_mutex_unlock(&index->lock);
}

void idempotency_bind(struct idempotency *index, struct slice id, struct slice entity, int64_t event_ms,
                      int64_t now_ms)
{
    /* a writer whose clock is ahead does not bind longer */
    int64_t until_ms = (event_ms < now_ms ? event_ms : now_ms) + index->window_ms;
    if (until_ms <= now_ms)
        return;
    struct hash128 hash = hash_slice_128(id, index->seed);
    uint64_t entity_hash = hash_slice_128(entity, index->seed).low;
    pthread_mutex_lock(&index->lock);
    uint32_t at = find(index, hash);
    if (at == NONE)
        at = claim(index, hash);
    else if (index->entries[at].running == 0)
        age_remove(index, at);
    if (at != NONE) {
        bind(&index->entries[at], entity_hash, until_ms, now_ms);
        if (index->entries[at].running == 0)
            age_add(index, at);
    }
    pthread_mutex_unlock(&index->lock);
}

size_t idempotency_count(struct idempotency *index)
{
    pthread_mutex_lock(&index->lock);
    size_t count = index->count;
    pthread_mutex_unlock(&index->lock);
    return count;
}
