/* SPDX-License-Identifier: Apache-2.0 */
/* Entities by key: chained hashing, and a list by last use. */
#include "copy.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "hash.h"

/** What malloc takes for itself, about. */
#define MALLOC_BYTES 16
/** One bucket for so many bytes of the bound. */
#define BYTES_PER_BUCKET 512

struct entity {
    struct entity *next; /* in its bucket */
    struct entity *older, *newer;
    const char *service;
    uint64_t hash;
    int64_t version;
    size_t key_len, state_len;
    char bytes[]; /* key, state */
};

struct copy {
    /* fixed after copy_new() */
    uint64_t seed;
    size_t bytes_max, bucket_mask;
    /* guarded by lock */
    pthread_mutex_t lock;
    size_t bytes, count;
    struct entity *oldest, *newest;
    struct entity **buckets;
};

int copy_new(size_t bytes_max, uint64_t seed, struct copy **ret_copy)
{
    struct copy *copy = calloc(1, sizeof(*copy));
    if (!copy)
        return -ENOMEM;
    size_t buckets = 1;
    while (buckets * BYTES_PER_BUCKET < bytes_max)
        buckets <<= 1;
    copy->buckets = calloc(buckets, sizeof(struct entity *));
    if (!copy->buckets) {
        free(copy);
        return -ENOMEM;
    }
    pthread_mutex_init(&copy->lock, NULL);
    copy->seed = seed;
    copy->bytes_max = bytes_max;
    copy->bucket_mask = buckets - 1;
    copy->bytes = buckets * sizeof(struct entity *);
    *ret_copy = copy;
    return 0;
}

void copy_free(struct copy *copy)
{
    if (!copy)
        return;
    for (struct entity *e = copy->oldest, *newer; e; e = newer) {
        newer = e->newer;
        free(e);
    }
    pthread_mutex_destroy(&copy->lock);
    free(copy->buckets);
    free(copy);
}

static size_t size_of(size_t key_len, size_t state_len)
{
    return sizeof(struct entity) + key_len + state_len;
}

/* ---- all below with `lock` held, but for the public functions ---- */

/* The place that points to it, or where it would be entered. */
static struct entity **find(struct copy *copy, const char *service, struct slice key, uint64_t hash)
{
    struct entity **at = &copy->buckets[hash & copy->bucket_mask];
    for (; *at; at = &(*at)->next) {
        const struct entity *e = *at;
        if (e->hash == hash && e->key_len == key.len && memcmp(e->bytes, key.p, key.len) == 0 &&
            strcmp(e->service, service) == 0)
            break;
    }
    return at;
}

static void age_remove(struct copy *copy, struct entity *e)
{
    *(e->older ? &e->older->newer : &copy->oldest) = e->newer;
    *(e->newer ? &e->newer->older : &copy->newest) = e->older;
}

static void age_add(struct copy *copy, struct entity *e)
{
    e->older = copy->newest;
    e->newer = NULL;
    *(e->older ? &e->older->newer : &copy->oldest) = e;
    copy->newest = e;
}

/* `at` points to it. */
static void drop(struct copy *copy, struct entity **at)
{
    struct entity *e = *at;
    *at = e->next;
    age_remove(copy, e);
    copy->bytes -= size_of(e->key_len, e->state_len) + MALLOC_BYTES;
    copy->count--;
    free(e);
}

static void drop_oldest(struct copy *copy)
{
    struct entity *e = copy->oldest, **at = &copy->buckets[e->hash & copy->bucket_mask];
    while (*at != e)
        at = &(*at)->next;
    drop(copy, at);
}

static void add(struct copy *copy, const char *service, struct slice key, uint64_t hash, int64_t version, struct slice state)
{
    size_t size = size_of(key.len, state.len);
    size_t fixed = (copy->bucket_mask + 1) * sizeof(struct entity *);
    if (fixed + size + MALLOC_BYTES > copy->bytes_max)
        return; /* larger than all there may be */
    while (copy->oldest && copy->bytes + size + MALLOC_BYTES > copy->bytes_max)
        drop_oldest(copy);
    struct entity *e = malloc(size);
    if (!e)
        return;
    struct entity **bucket = &copy->buckets[hash & copy->bucket_mask];
    *e = (struct entity){*bucket, NULL, NULL, service, hash, version, key.len, state.len};
    memcpy(e->bytes, key.p, key.len);
    if (state.len)
        memcpy(e->bytes + key.len, state.p, state.len);
    *bucket = e;
    age_add(copy, e);
    copy->bytes += size + MALLOC_BYTES;
    copy->count++;
}

void copy_put(struct copy *copy, const char *service, struct slice key, int64_t version, struct slice state)
{
    uint64_t hash = hash_slice_128(key, copy->seed).low;
    pthread_mutex_lock(&copy->lock);
    struct entity **at = find(copy, service, key, hash);
    if (!*at || (*at)->version <= version) {
        if (*at)
            drop(copy, at);
        add(copy, service, key, hash, version, state);
    }
    pthread_mutex_unlock(&copy->lock);
}

void copy_remove(struct copy *copy, const char *service, struct slice key)
{
    uint64_t hash = hash_slice_128(key, copy->seed).low;
    pthread_mutex_lock(&copy->lock);
    struct entity **at = find(copy, service, key, hash);
    if (*at)
        drop(copy, at);
    pthread_mutex_unlock(&copy->lock);
}

void copy_forget(struct copy *copy, const char *service)
{
    pthread_mutex_lock(&copy->lock);
    for (size_t i = 0; i <= copy->bucket_mask; i++) {
        struct entity **at = &copy->buckets[i];
        while (*at) {
            if (strcmp((*at)->service, service) == 0)
                drop(copy, at);
            else
                at = &(*at)->next;
        }
    }
    pthread_mutex_unlock(&copy->lock);
}

bool copy_get(struct copy *copy, const char *service, struct slice key, int64_t *ret_version, struct buf *state)
{
    uint64_t hash = hash_slice_128(key, copy->seed).low;
    pthread_mutex_lock(&copy->lock);
    struct entity *e = *find(copy, service, key, hash);
    if (e) {
        age_remove(copy, e);
        age_add(copy, e);
        *ret_version = e->version;
        buf_append(state, e->bytes + e->key_len, e->state_len);
    }
    pthread_mutex_unlock(&copy->lock);
    return e != NULL;
}

size_t copy_bytes(struct copy *copy)
{
    pthread_mutex_lock(&copy->lock);
    size_t bytes = copy->bytes;
    pthread_mutex_unlock(&copy->lock);
    return bytes;
}

size_t copy_count(struct copy *copy)
{
    pthread_mutex_lock(&copy->lock);
    size_t count = copy->count;
    pthread_mutex_unlock(&copy->lock);
    return count;
}
