/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor's worker: answers every command, a write after its event was acknowledged.
 *
 * Events have a producer of their own, as in the item-worker. A second thread serves its delivery reports, so
 * that a reply leaves as soon as the acknowledgement is there while the first thread waits for commands.
 */
#include "floor.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define POLL_MS 100

struct responder {
    rd_kafka_t *commands, *events, *replies;
    rd_kafka_topic_t *events_topic, *replies_topic;
    _Atomic bool stop;
};

static void reply(struct responder *responder, const struct floor_correlation *correlation, const void *value,
                  size_t value_len)
{
    floor_send(responder->replies, responder->replies_topic, 0, NULL, 0, value, value_len, correlation, false,
               NULL);
}

/* On the delivery thread. The message is the event, so its value is the reply's. */
static void on_event(rd_kafka_t *rk, const rd_kafka_message_t *msg, void *opaque)
{
    struct floor_correlation *correlation = msg->_private;
    if (msg->err)
        floor_die("an event was not delivered", rd_kafka_err2str(msg->err));
    reply(opaque, correlation, msg->payload, msg->len);
    free(correlation);
}

static void answer(struct responder *responder, const rd_kafka_message_t *msg)
{
    struct floor_correlation correlation;
    if (!floor_correlation_of(msg, &correlation))
        return;
    rd_kafka_headers_t *headers;
    const void *value;
    size_t size;
    if (rd_kafka_message_headers(msg, &headers) ||
        rd_kafka_header_get_last(headers, FLOOR_WRITE, &value, &size)) {
        reply(responder, &correlation, msg->payload, msg->len);
        return;
    }
    struct floor_correlation *kept = malloc(sizeof(*kept));
    if (!kept)
        floor_die("responder", "out of memory");
    *kept = correlation;
    floor_send(responder->events, responder->events_topic, msg->partition, msg->key, msg->key_len,
               msg->payload, msg->len, &correlation, false, kept);
}

static void *serve_deliveries(void *arg)
{
    struct responder *responder = arg;
    while (!atomic_load(&responder->stop))
        rd_kafka_poll(responder->events, POLL_MS);
    return NULL;
}

int floor_responder(const struct floor_options *options)
{
    struct responder responder = {0};
    responder.replies = floor_producer(options, NULL, NULL);
    responder.events = floor_producer(options, on_event, &responder);
    responder.replies_topic = floor_topic(responder.replies, FLOOR_REPLIES);
    responder.events_topic = floor_topic(responder.events, FLOOR_EVENTS);
    responder.commands = floor_consumer(options, FLOOR_COMMANDS, -1);
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve_deliveries, &responder) != 0)
        floor_die("responder", "cannot start a thread");
    floor_ready(options);
    for (uint64_t n = 0; !floor_stop; n++) {
        rd_kafka_message_t *msg = rd_kafka_consumer_poll(responder.commands, POLL_MS);
        if (msg && msg->err)
            fprintf(stderr, "responder: %s\n", rd_kafka_message_errstr(msg));
        else if (msg)
            answer(&responder, msg);
        if (msg)
            rd_kafka_message_destroy(msg);
        if (!msg || n % 1024 == 0)
            rd_kafka_poll(responder.replies, 0); /* failed deliveries only */
    }
    atomic_store(&responder.stop, true);
    pthread_join(thread, NULL);
    rd_kafka_topic_destroy(responder.events_topic);
    rd_kafka_topic_destroy(responder.replies_topic);
    rd_kafka_destroy(responder.events);
    rd_kafka_destroy(responder.replies);
    rd_kafka_consumer_close(responder.commands);
    rd_kafka_destroy(responder.commands);
    return EXIT_SUCCESS;
}
