/* SPDX-License-Identifier: Apache-2.0 */
/* Internal to bus/: what a producer is made of, shared by opening (producer_open.c) and sending (producer.c). */
#ifndef ROUNDTRIP_BUS_PRODUCER_OWN_H
#define ROUNDTRIP_BUS_PRODUCER_OWN_H

#include <pthread.h>
#include <stdatomic.h>

#include "bus/pace.h"
#include "bus/producer.h"
#include "bus/statistics_own.h"
#include "rk.h"

#define PRODUCER_TOPICS_MAX STATISTICS_TOPICS_MAX

struct topic_handle {
    char *name;
    rd_kafka_topic_t *rkt;
};

/* A record that waits for the next beat; key, value and the topic's name follow the struct in the same allocation. */
struct gathered {
    struct gathered *next;
    rd_kafka_topic_t *rkt; /* NULL: by name */
    rd_kafka_headers_t *headers;
    void *opaque;
    int32_t partition;
    bool has_key, has_value;
    size_t key_len, value_len;
    char bytes[];
};

struct producer {
    /* fixed after open */
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    int fd;
    producer_delivered_fn *delivered;
    void *arg;
    const char *role;
    bool corked, gapless, unhurried, measured;
    size_t max_bytes;
    /* any thread */
    _Atomic int64_t in_flight, heard_ns;
    _Atomic bool connected, suspect, failed;
    /* serving thread only */
    int64_t next_probe_ns;
    int64_t served_ns; /* when deliveries were last looked at */
    int64_t served;
    bool acknowledged; /* one of what was served */
    char fatal[BUS_ERROR_SIZE];
    struct statistics_sends sends; /* any thread reads */
    /* guarded by lock */
    pthread_mutex_t lock;
    struct pace pace;
    struct gathered *first, **last;
    int64_t gathered_count;
    struct topic_handle topics[PRODUCER_TOPICS_MAX];
    size_t topic_count;
};

/** With `lock` held: the topic's handle; NULL when it is to be used by name. */
rd_kafka_topic_t *producer_topic(struct producer *producer, const char *name);
/** Tells the senders of what has gathered that it was not sent. */
void producer_cancel_all(struct producer *producer);
/** Asks whether a broker can be reached, from time to time. Serving thread. */
void producer_probe(struct producer *producer, int64_t now_ns);

#endif
