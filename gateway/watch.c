/* SPDX-License-Identifier: Apache-2.0 */
/* The table of watchers: chained buckets over a fixed array. */
#include "watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "hash.h"

struct entry {
    uint64_t hash;
    uint32_t next; /* in its bucket, or among the free; 0: the last */
    bool parked, fired;
    struct ticket ticket;
};

struct watch {
    struct pending *pending; /* fixed */
    uint32_t capacity, mask;
    _Atomic uint32_t count;
    /* guarded by lock; entry 0 is not used */
    pthread_mutex_t lock;
    bool closed;
    uint32_t first_free;
    struct entry *entries;
    uint32_t *buckets;
};

int watch_new(struct pending *pending, size_t capacity, struct watch **ret_watch)
{
    struct watch *watch = calloc(1, sizeof(*watch));
    if (!watch)
        return -ENOMEM;
    pthread_mutex_init(&watch->lock, NULL);
    watch->pending = pending;
    watch->capacity = (uint32_t)capacity;
    watch->mask = 1;
    while (watch->mask < capacity)
        watch->mask = watch->mask << 1 | 1;
    watch->entries = calloc(capacity + 1, sizeof(*watch->entries));
    watch->buckets = calloc((size_t)watch->mask + 1, sizeof(*watch->buckets));
    if (!watch->entries || !watch->buckets) {
        watch_free(watch);
        return -ENOMEM;
    }
    for (uint32_t i = 1; i <= watch->capacity; i++)
        watch->entries[i].next = i < watch->capacity ? i + 1 : 0;
    watch->first_free = capacity ? 1 : 0;
    *ret_watch = watch;
    return 0;
}

void watch_free(struct watch *watch)
{
    if (!watch)
        return;
    pthread_mutex_destroy(&watch->lock);
    free(watch->entries);
    free(watch->buckets);
    free(watch);
}

watch_id watch_enter(struct watch *watch, struct slice command_id)
{
    pthread_mutex_lock(&watch->lock);
    watch_id id = watch->first_free;
    if (id) {
        struct entry *entry = &watch->entries[id];
        watch->first_free = entry->next;
        *entry = (struct entry){.hash = hash_slice(command_id)};
        uint32_t *bucket = &watch->buckets[entry->hash & watch->mask];
        entry->next = *bucket;
        *bucket = id;
        atomic_fetch_add(&watch->count, 1);
    }
    pthread_mutex_unlock(&watch->lock);
    return id;
}

void watch_leave(struct watch *watch, watch_id id)
{
    if (!id)
        return;
    pthread_mutex_lock(&watch->lock);
    struct entry *entry = &watch->entries[id];
    uint32_t *at = &watch->buckets[entry->hash & watch->mask];
    while (*at != id)
        at = &watch->entries[*at].next;
    *at = entry->next;
    entry->next = watch->first_free;
    watch->first_free = id;
    atomic_fetch_sub(&watch->count, 1);
    pthread_mutex_unlock(&watch->lock);
}

/* With `lock` held. The news is taken: what is decided after this fires anew. Who has come out by itself takes it when it parks again. */
static void tell(struct watch *watch, struct entry *entry)
{
    entry->parked = false;
    entry->fired = !pending_fail(watch->pending, entry->ticket, OUTCOME_NEWS);
}

void watch_park(struct watch *watch, watch_id id, struct ticket ticket)
{
    pthread_mutex_lock(&watch->lock);
    struct entry *entry = &watch->entries[id];
    entry->ticket = ticket;
    entry->parked = true;
    if (entry->fired)
        tell(watch, entry);
    else if (watch->closed)
        pending_fail(watch->pending, ticket, OUTCOME_DRAINED);
    pthread_mutex_unlock(&watch->lock);
}

void watch_fire(struct watch *watch, struct slice command_id)
{
    if (atomic_load_explicit(&watch->count, memory_order_relaxed) == 0)
        return; /* one that is entered now asks its worker after this */
    uint64_t hash = hash_slice(command_id);
    pthread_mutex_lock(&watch->lock);
    for (uint32_t i = watch->buckets[hash & watch->mask]; i; i = watch->entries[i].next) {
        struct entry *entry = &watch->entries[i];
        if (entry->hash != hash)
            continue;
        entry->fired = true;
        if (entry->parked)
            tell(watch, entry);
    }
    pthread_mutex_unlock(&watch->lock);
}

void watch_close(struct watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    watch->closed = true;
    for (uint32_t i = 1; i <= watch->capacity; i++) {
        if (watch->entries[i].parked) /* one that has left, too: its ticket is worth nothing any more */
            pending_fail(watch->pending, watch->entries[i].ticket, OUTCOME_DRAINED);
    }
    pthread_mutex_unlock(&watch->lock);
}
