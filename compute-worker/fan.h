/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How coordinators talk to all workers: they send commands to compute.commands, and their replies come back to this process.
 *
 * A thread of its own reads one partition of the reply topic and serves the producer; coordinators are on threads of the pool. Clients of
 * Kafka are opened when the first job needs them, and replies are read only while jobs are under way, since others' come through the same
 * partition. Commands and replies may be lost here: who waits sends them again (spread.h).
 */
#ifndef ROUNDTRIP_COMPUTE_FAN_H
#define ROUNDTRIP_COMPUTE_FAN_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "config.h"
#include "envelope.h"

struct fan;

/** An answer to a command of a call. Owned by who took it: fan_reply_free(). */
struct fan_reply {
    struct fan_reply *next;
    size_t part;
    unsigned place;
    int status;
    bool replayed;     /* an outcome from before */
    int64_t worked_us; /* on a pool thread; 0: not said */
    struct buf body;
};
void fan_reply_free(struct fan_reply *reply); /* NULL is allowed */

/** One job's. Its coordinator's, from fan_begin() to fan_end(). */
struct fan_call {
    struct fan_call *next;
    uint64_t number;
    pthread_cond_t changed; /* an answer came, or the fan got ready */
    struct fan_reply *first, **last; /* guarded by the fan's lock */
};

/** Starts the thread. `config` outlives the fan. 0 or -errno. */
int fan_open(const struct config *config, struct fan **ret_fan) __attribute__((warn_unused_result));
/** No call may be open. NULL is allowed. */
void fan_close(struct fan *fan);

/** From now on replies are taken. False: out of memory. */
bool fan_begin(struct fan *fan, struct fan_call *call) __attribute__((warn_unused_result));
/** What was not taken is freed; what comes later is dropped. */
void fan_end(struct fan *fan, struct fan_call *call);
/** Partitions of the command topic once replies can come; 0: not by `until_ns` (clock_mono_ns()). */
int32_t fan_ready(struct fan *fan, struct fan_call *call, int64_t until_ns);
/** Sends `cmd` with this process as its source and, with a call, where to answer; copies. What is not accepted is sent again by who waits. */
void fan_send(struct fan *fan, const struct fan_call *call, const struct command *cmd, size_t part, unsigned place);
/** Takes the answers there are, in the order they came; waits until there is one or `until_ns` has come: NULL. */
struct fan_reply *fan_wait(struct fan *fan, struct fan_call *call, int64_t until_ns);

#endif
