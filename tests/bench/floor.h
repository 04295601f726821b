/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor: the same path as Roundtrip's with nothing but librdkafka at both ends, as fast as the library
 * goes.
 *
 * Two processes, as gateway and worker are two: the driver sends commands and waits for their replies, the
 * responder answers them. The clients' settings are those of shared/bus, so that a difference is our code and
 * not a setting.
 */
#ifndef ROUNDTRIP_BENCH_FLOOR_H
#define ROUNDTRIP_BENCH_FLOOR_H

#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#define FLOOR_COMMANDS         "bench.commands"
#define FLOOR_EVENTS           "bench.events"
#define FLOOR_REPLIES          "bench.replies"
#define FLOOR_PARTITIONS       6
#define FLOOR_REPLY_PARTITIONS 12
#define FLOOR_CORRELATION      "kafka_correlationId"
/** Present on a command that wants an event before its reply. */
#define FLOOR_WRITE "write"

struct floor_options {
    const char *bootstrap;
    const char *ready_file; /* NULL: none */
    bool write;             /* driver: an event before the reply */
    int in_flight;
    int rate; /* driver: requests a second, whatever becomes of them; 0: as fast as they are answered */
    int seconds, warmup_seconds;
    int value_bytes;
};

/** Set by SIGTERM and SIGINT; any thread reads it. */
extern volatile sig_atomic_t floor_stop;

/** A correlation id: the driver's slot and the number of the request in it. Copied byte for byte. */
struct floor_correlation {
    uint32_t slot;
    uint32_t run;
    uint64_t number;
};

/** Exits with a message on standard error: a benchmark that cannot measure has nothing to go on with. */
void floor_die(const char *what, const char *why) __attribute__((noreturn));
void floor_ready(const struct floor_options *options);

/** `on_delivery` may be NULL: then only failures are reported, and end the process. `opaque` is its last
 * argument. */
rd_kafka_t *floor_producer(const struct floor_options *options,
                           void (*on_delivery)(rd_kafka_t *, const rd_kafka_message_t *, void *),
                           void *opaque);
/** Reads `topic` from its present end: all its partitions (`partition` -1) or one. No group takes part. */
rd_kafka_t *floor_consumer(const struct floor_options *options, const char *topic, int32_t partition);
rd_kafka_topic_t *floor_topic(rd_kafka_t *rk, const char *name);
/** False when the record has no such header of that size. */
bool floor_correlation_of(const rd_kafka_message_t *msg, struct floor_correlation *ret_correlation);
/** `value` may be NULL. Copies everything. A full queue is waited for; anything else ends the process. */
void floor_send(rd_kafka_t *rk, rd_kafka_topic_t *rkt, int32_t partition, const void *key, size_t key_len,
                const void *value, size_t value_len, const struct floor_correlation *correlation, bool write,
                void *opaque);

int floor_topics(const struct floor_options *options);
int floor_responder(const struct floor_options *options);
int floor_driver(const struct floor_options *options);

#endif
