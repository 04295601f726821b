/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libmicrohttpds of one HTTP thread: several small ones instead of one.
 *
 * Each resume costs libmicrohttpd a walk over all suspended connections of the daemon it happens in (0.6 ms at 5,000). So a
 * daemon gets at most SHARD_CONNECTIONS: a new connection goes to the first that has room, and another is started when none
 * has. Few connections thus cost what they cost one daemon, and of many only those are run that have something to do.
 *
 * One thread only.
 */
#ifndef ROUNDTRIP_GATEWAY_SHARDS_H
#define ROUNDTRIP_GATEWAY_SHARDS_H

#include "http.h"
#include "loop.h"

#define SHARD_CONNECTIONS 128

struct shard;

struct shards_options {
    struct http_options http; /* `arg` is the thread: what the callbacks get, and shard_owner() says */
    struct loop *loop;        /* borrowed */
    uint32_t first_tag;       /* in the loop: of the first shard; the others' follow */
};

struct shards {
    struct shards_options options;
    struct shard **list;
    size_t count, capacity;
};

/** With one shard to begin with. 0 or -errno. */
int shards_open(struct shards *shards, const struct shards_options *options) __attribute__((warn_unused_result));
/** Closes every connection; nothing may be suspended. */
void shards_close(struct shards *shards);

/** As http_add(). */
bool shards_add(struct shards *shards, int fd, const struct sockaddr *address, socklen_t length);
/** Resumes an exchange of one of these shards. */
void shards_resume(struct exchange *x);

/** The loop says that this one is readable. */
void shards_stir(struct shards *shards, uint32_t tag);
/** Something may have happened in each. */
void shards_stir_all(struct shards *shards);
/** http_cut() for each. */
void shards_cut(struct shards *shards);
/** Runs those that have something to do. */
void shards_run(struct shards *shards);
/** When shards_run() must be called at the latest. */
int64_t shards_due_ns(const struct shards *shards);

/** Any thread: what an exchange's `home` belongs to. */
void *shard_owner(const void *home);

#endif
