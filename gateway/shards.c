/* SPDX-License-Identifier: Apache-2.0 */
/* Which libmicrohttpd gets a connection, and which of them are run. */
#include "shards.h"

#include <errno.h>
#include <stdlib.h>

#include "clock.h"
#include "log.h"

struct shard {
    struct shards *all;
    struct http *http;
    unsigned connections;
    bool stirred;   /* something may have happened */
    int64_t due_ns; /* as it was when it was last run */
};

static void on_active(void *arg, int change)
{
    const struct http_options *options = &((struct shard *)arg)->all->options.http;
    options->active(options->arg, change);
}

static void on_closed(void *arg)
{
    struct shard *shard = arg;
    const struct http_options *options = &shard->all->options.http;
    shard->connections--;
    options->closed(options->arg);
}

static bool make_room(struct shards *shards)
{
    if (shards->count < shards->capacity)
        return true;
    size_t capacity = shards->capacity ? 2 * shards->capacity : 8;
    struct shard **list = realloc(shards->list, capacity * sizeof(struct shard *));
    if (!list)
        return false;
    shards->list = list;
    shards->capacity = capacity;
    return true;
}

static int start_one(struct shards *shards)
{
    struct shard *shard = make_room(shards) ? calloc(1, sizeof(*shard)) : NULL;
    if (!shard)
        return -ENOMEM;
    struct http_options options = shards->options.http;
    options.active = on_active;
    options.closed = on_closed;
    options.arg = shard;
    shard->all = shards;
    shard->stirred = true;
    int err = http_open(&options, &shard->http);
    if (!err)
        err = loop_add(shards->options.loop, http_fd(shard->http), shards->options.first_tag + (uint32_t)shards->count);
    if (err) {
        http_close(shard->http);
        free(shard);
        return err;
    }
    shards->list[shards->count++] = shard;
    return 0;
}

int shards_open(struct shards *shards, const struct shards_options *options)
{
    *shards = (struct shards){.options = *options};
    return start_one(shards);
}

void shards_close(struct shards *shards)
{
    for (size_t i = 0; i < shards->count; i++) {
        http_close(shards->list[i]->http);
        free(shards->list[i]);
    }
    free(shards->list);
    *shards = (struct shards){0};
}

/* The first with room, or a new one; where that cannot be started, the last is better than none. */
static struct shard *choose(struct shards *shards)
{
    size_t at = 0;
    while (at < shards->count && shards->list[at]->connections >= SHARD_CONNECTIONS)
        at++;
    if (at < shards->count)
        return shards->list[at];
    int err = start_one(shards);
    if (err)
        log_debug("no further libmicrohttpd", "error=%d shards=%zu", err, shards->count);
    return shards->list[shards->count - 1];
}

bool shards_add(struct shards *shards, int fd, const struct sockaddr *address, socklen_t length)
{
    struct shard *shard = choose(shards);
    shard->stirred = true;
    shard->connections++;
    bool kept = http_add(shard->http, fd, address, length);
    if (!kept)
        shard->connections--;
    return kept;
}

void shards_resume(struct exchange *x)
{
    ((struct shard *)x->home)->stirred = true;
    http_resume(x);
}

void shards_stir(struct shards *shards, uint32_t tag)
{
    shards->list[tag - shards->options.first_tag]->stirred = true;
}

void shards_stir_all(struct shards *shards)
{
    for (size_t i = 0; i < shards->count; i++)
        shards->list[i]->stirred = true;
}

void shards_cut(struct shards *shards)
{
    for (size_t i = 0; i < shards->count; i++)
        http_cut(shards->list[i]->http);
}

void shards_run(struct shards *shards)
{
    int64_t now_ns = clock_mono_ns();
    for (size_t i = 0; i < shards->count; i++) {
        struct shard *shard = shards->list[i];
        if (!shard->stirred && shard->due_ns > now_ns)
            continue;
        shard->stirred = false;
        http_run(shard->http);
        shard->due_ns = http_due_ns(shard->http, clock_mono_ns());
    }
}

int64_t shards_due_ns(const struct shards *shards)
{
    int64_t due_ns = INT64_MAX;
    for (size_t i = 0; i < shards->count; i++) {
        const struct shard *shard = shards->list[i];
        int64_t its_ns = shard->stirred ? 0 : shard->due_ns;
        due_ns = its_ns < due_ns ? its_ns : due_ns;
    }
    return due_ns;
}

void *shard_owner(const void *home)
{
    return ((const struct shard *)home)->all->options.http.arg;
}
