/* SPDX-License-Identifier: Apache-2.0 */
/* One partition as a client of the simulated Kafka fetches it, and questions to the broker. */
#ifndef ROUNDTRIP_SIM_FEED_H
#define ROUNDTRIP_SIM_FEED_H

#include "broker.h"
#include "bus/consumer.h"

/* One partition as a client fetches it. */
struct feed {
    struct process *process;
    int incarnation;
    enum topic topic;
    int32_t partition;
    bool open, fetching;
    int64_t position, fetched; /* of the log: everything before it has been fetched */
};

/** Opens it for the running process at `position` (negative: the beginning); the first fetch is on its way. */
void feed_open(struct feed *feed, enum topic topic, int32_t partition, int64_t position);
/** There is something new; a fetch sets out, unless one is on its way. */
void feed_notify(struct feed *feed);
/** The next record that was fetched, or NULL. */
struct message *feed_poll(struct feed *feed);
/** The running process's commands are fetched by these, one a partition. */
struct feed *consumer_feed(struct consumer *c, int32_t partition);

/** A question to the broker and its answer, as of the moment it arrived; false when there is none in time. */
bool broker_ask(int64_t timeout_ns, int64_t (*question)(int32_t), int32_t partition, int64_t *ret_answer);
#define BROKER_PATIENCE_NS (10 * SIM_S)

#endif
