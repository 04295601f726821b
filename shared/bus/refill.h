/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internal to bus/. Keeps librdkafka fetching when a queue was full.
 *
 * librdkafka stops fetching a partition while the queue it feeds holds queued.min.messages or
 * queued.max.messages.kbytes. That the queue has room again it notices late: a second later by default.
 * From 2.2 on fetch.queue.backoff.ms shortens that second (REFILL_BACKOFF); before, the broker's thread
 * sleeps unless a request wakes it, so one is sent when the queue has drained to the half.
 */
#ifndef ROUNDTRIP_BUS_REFILL_H
#define ROUNDTRIP_BUS_REFILL_H

#include "rk.h"

#define REFILL_BACKOFF "fetch.queue.backoff.ms"

/** How much librdkafka lets a queue hold, and whether it held the half of it. */
struct refill_level {
    size_t max_count, max_bytes;
    bool was_high;
};
/** True once each time a queue that was half full has drained below the quarter. Pure. */
bool refill_due(struct refill_level *level, size_t count, size_t bytes);

/** Belongs to the thread that takes from `queue`. */
struct refill {
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    bool by_request; /* the library has no REFILL_BACKOFF */
    struct refill_level level;
    size_t count, bytes; /* taken since the last look */
};

/** Whether the library knows REFILL_BACKOFF: then set it. */
bool refill_by_setting(void);
/** Borrows both. */
void refill_init(struct refill *refill, rd_kafka_t *rk, rd_kafka_queue_t *queue);
/** A message of `len` bytes was taken; may ask the brokers of `parts`, waiting for at most 100 ms. */
void refill_took(struct refill *refill, size_t len, const rd_kafka_topic_partition_list_t *parts);

#endif
