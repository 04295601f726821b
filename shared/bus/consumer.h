/* SPDX-License-Identifier: Apache-2.0 */
/* A member of a consumer group: takes what the group assigns, commits what is done. One thread only. */
#ifndef ROUNDTRIP_BUS_CONSUMER_H
#define ROUNDTRIP_BUS_CONSUMER_H

#include "bus/bus.h"
#include "record.h"

struct consumer;

/** A consumed record and the memory it points into. Owned by the caller: message_free(). */
struct message {
    struct record rec;
    struct header headers[RECORD_HEADERS_IN_MAX];
    void *native;
};
/** NULL is allowed. */
void message_free(struct message *msg);

struct consumer_options {
    const struct bus_settings *settings;
    const char *topic, *group;
    const char *instance_id; /* static membership (KIP-345); NULL or "": dynamic */
    /**
     * Called from consumer_poll(). On assigned: the offsets to start from are committed[i] (-1: none committed), read
     * before this call; every partition is paused until consumer_resume(). On revoked: finish, then return; after it the
     * partitions are somebody else's. `lost`: they already are.
     */
    void (*assigned)(void *arg, const int32_t *partitions, const int64_t *committed, size_t count);
    void (*revoked)(void *arg, const int32_t *partitions, size_t count, bool lost);
    void *arg;
};

int consumer_open(const struct consumer_options *options, struct consumer **ret_consumer, struct bus_error *ret_error)
    __attribute__((warn_unused_result));
/** Leaves the group (a static member too, so that a peer takes over at once). Calls `revoked`. NULL is allowed. */
void consumer_leave(struct consumer *consumer);
/** Leaves if that was not done, and closes. Waits for ever while a message of its is not freed. After a fatal error it frees nothing:
 * the process must end (librdkafka does not finish destroying a fenced member). NULL is allowed. */
void consumer_close(struct consumer *consumer);

/** Readable (edge: drain until consumer_poll() gives nothing). */
int consumer_fd(const struct consumer *consumer);
/** The next record, or NULL when none is waiting. Never blocks except inside the callbacks. */
struct message *consumer_poll(struct consumer *consumer);
/** As an offset: on from where consumer_pause() stopped it. */
#define CONSUMER_CONTINUE INT64_C(-1000)
/** Lets records of the partition flow, from `offset` (-1: the beginning; CONSUMER_CONTINUE). */
int consumer_resume(struct consumer *consumer, int32_t partition, int64_t offset) __attribute__((warn_unused_result));
/** Stops the flow; records already fetched come again after the resume. */
int consumer_pause(struct consumer *consumer, int32_t partition) __attribute__((warn_unused_result));
/** Commits "everything before `next_offset` is done", asynchronously; failures are logged and mended by the next commit. */
void consumer_commit(struct consumer *consumer, int32_t partition, int64_t next_offset);
/** Commits and waits half a second at most, for a revocation: 0 or -errno. */
int consumer_commit_sync(struct consumer *consumer, int32_t partition, int64_t next_offset);
/** Where the partition's log ends, as far as a fetch has told: the next record's offset; -1: none has. Does not wait. */
int64_t consumer_end(struct consumer *consumer, int32_t partition);
const char *consumer_fatal(struct consumer *consumer);

#endif
