/* SPDX-License-Identifier: Apache-2.0 */
/* The table of measured clients, and their families. */
#include "bus/statistics_own.h"

#include <json-c/json_tokener.h>
#include <json-c/linkhash.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "json.h"

#define CLIENTS_MAX 12
#define BROKERS_MAX 64

struct client {
    rd_kafka_t *rk; /* NULL: free */
    const char *role;
    const struct statistics_sends *sends;
    char *text; /* the newest statistics; NULL: none yet */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct client clients[CLIENTS_MAX]; /* guarded by lock */

/* ---- joining ---- */

/* On the serving thread, every few seconds. 1: the text is ours. */
static int on_statistics(rd_kafka_t *rk, char *text, size_t len, void *opaque)
{
    char *old = text;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        if (clients[i].rk != rk)
            continue;
        old = clients[i].text;
        clients[i].text = text;
        break;
    }
    pthread_mutex_unlock(&lock);
    rd_kafka_mem_free(NULL, old);
    return 1;
}

void statistics_configure(rd_kafka_conf_t *conf)
{
    char text[24] = "";
    size_t size = sizeof(text);
    if (rd_kafka_conf_get(conf, "statistics.interval.ms", text, &size) == RD_KAFKA_CONF_OK && strcmp(text, "0") == 0) {
        snprintf(text, sizeof(text), "%d", BUS_STATISTICS_MS);
        (void)rd_kafka_conf_set(conf, "statistics.interval.ms", text, NULL, 0);
    }
    rd_kafka_conf_set_stats_cb(conf, on_statistics);
}

void statistics_join(rd_kafka_t *rk, const char *role, const struct statistics_sends *sends)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        if (clients[i].rk)
            continue;
        clients[i] = (struct client){.rk = rk, .role = role, .sends = sends};
        break;
    }
    pthread_mutex_unlock(&lock);
}

void statistics_leave(rd_kafka_t *rk)
{
    char *text = NULL;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        if (!rk || clients[i].rk != rk)
            continue;
        text = clients[i].text;
        clients[i] = (struct client){.rk = NULL};
    }
    pthread_mutex_unlock(&lock);
    rd_kafka_mem_free(NULL, text);
}

const char *bus_library_version(void)
{
    return rd_kafka_version_str();
}

/* ---- families from the JSON ---- */

enum source {
    OF_CLIENT,     /* a member of the whole */
    SUM_BROKERS,   /* summed over its brokers */
    COUNT_UP,      /* brokers it is connected to */
    GREATEST_WINDOW, /* the greatest p99 of a rolling window of its brokers, in us */
    OF_GROUP,      /* a member of "cgrp" */
};

static const struct row {
    enum source source;
    const char *member;
    double scale;
    struct metrics_family family;
} rows[] = {
    {OF_CLIENT, "msg_cnt", 1,
     {"roundtrip_kafka_client_queued_messages", METRICS_GAUGE, "Records in a producer's queues, in librdkafka.", {"roundtrip_client"}}},
    {OF_CLIENT, "msg_size", 1,
     {"roundtrip_kafka_client_queued_bytes", METRICS_GAUGE, "Bytes in a producer's queues, in librdkafka.", {"roundtrip_client"}}},
    {OF_CLIENT, "replyq", 1,
     {"roundtrip_kafka_client_unserved_operations", METRICS_GAUGE, "What librdkafka has for us and we have not taken.", {"roundtrip_client"}}},
    {OF_CLIENT, "tx", 1, {"roundtrip_kafka_client_requests", METRICS_COUNTER, "Requests sent to brokers.", {"roundtrip_client"}}},
    {OF_CLIENT, "tx_bytes", 1,
     {"roundtrip_kafka_client_sent_bytes", METRICS_COUNTER, "Bytes sent to brokers.", {"roundtrip_client"}}},
    {OF_CLIENT, "rx_bytes", 1,
     {"roundtrip_kafka_client_received_bytes", METRICS_COUNTER, "Bytes received from brokers.", {"roundtrip_client"}}},
    {OF_CLIENT, "txmsgs", 1,
     {"roundtrip_kafka_client_sent_messages", METRICS_COUNTER, "Records sent to brokers.", {"roundtrip_client"}}},
    {OF_CLIENT, "rxmsgs", 1,
     {"roundtrip_kafka_client_received_messages", METRICS_COUNTER, "Records received from brokers.", {"roundtrip_client"}}},
    {SUM_BROKERS, "txerrs", 1,
     {"roundtrip_kafka_client_request_errors", METRICS_COUNTER, "Requests that could not be sent.", {"roundtrip_client"}}},
    {SUM_BROKERS, "rxerrs", 1,
     {"roundtrip_kafka_client_response_errors", METRICS_COUNTER, "Responses that said an error or could not be read.", {"roundtrip_client"}}},
    {SUM_BROKERS, "txretries", 1,
     {"roundtrip_kafka_client_request_retries", METRICS_COUNTER, "Requests sent again by librdkafka.", {"roundtrip_client"}}},
    {SUM_BROKERS, "req_timeouts", 1,
     {"roundtrip_kafka_client_request_timeouts", METRICS_COUNTER, "Requests that no broker answered in time.", {"roundtrip_client"}}},
    {SUM_BROKERS, "disconnects", 1,
     {"roundtrip_kafka_client_disconnects", METRICS_COUNTER, "Connections to brokers that ended.", {"roundtrip_client"}}},
    {COUNT_UP, "state", 1,
     {"roundtrip_kafka_client_connected_brokers", METRICS_GAUGE, "Brokers that it has a connection to.", {"roundtrip_client"}}},
    {GREATEST_WINDOW, "rtt", 1e-6,
     {"roundtrip_kafka_client_round_trip_seconds", METRICS_GAUGE,
      "99th percentile of what requests took at the slowest broker, lately; a fetch may wait there for records.", {"roundtrip_client"}}},
    {GREATEST_WINDOW, "int_latency", 1e-6,
     {"roundtrip_kafka_client_queueing_seconds", METRICS_GAUGE,
      "99th percentile of how long records waited in a producer before they were sent, lately.", {"roundtrip_client"}}},
    {OF_GROUP, "rebalance_cnt", 1,
     {"roundtrip_kafka_client_rebalances", METRICS_COUNTER, "Rebalances of the group that it has seen.", {"roundtrip_client"}}},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static double number_of(struct json_object *object, const char *member)
{
    struct json_object *value;
    return json_object_object_get_ex(object, member, &value) ? json_object_get_double(value) : 0;
}

/* Of one broker; those that are only a bootstrap address have a negative id. */
static double of_broker(const struct row *row, struct json_object *broker)
{
    struct json_object *value;
    switch (row->source) {
    case COUNT_UP:
        return number_of(broker, "nodeid") >= 0 && json_object_object_get_ex(broker, "state", &value) &&
               strcmp(json_object_get_string(value), "UP") == 0;
    case GREATEST_WINDOW:
        return json_object_object_get_ex(broker, row->member, &value) ? number_of(value, "p99") : 0;
    default:
        return number_of(broker, row->member);
    }
}

static double over_brokers(const struct row *row, struct json_object *all)
{
    struct json_object *brokers;
    double result = 0;
    if (!json_object_object_get_ex(all, "brokers", &brokers))
        return 0;
    json_object_object_foreach(brokers, name, broker)
    {
        double value = of_broker(row, broker);
        (void)name;
        if (row->source != GREATEST_WINDOW)
            result += value;
        else if (value > result)
            result = value;
    }
    return result;
}

static double value_of(const struct row *row, struct json_object *all)
{
    struct json_object *group;
    switch (row->source) {
    case OF_CLIENT:
        return number_of(all, row->member);
    case OF_GROUP:
        return json_object_object_get_ex(all, "cgrp", &group) ? number_of(group, row->member) : 0;
    default:
        return over_brokers(row, all);
    }
}

/* ---- the page ---- */

static void write_sends(struct metrics_page *page, const struct client *client)
{
    for (size_t i = 0; client->sends && i < STATISTICS_TOPICS_MAX; i++) {
        const char *topic = atomic_load_explicit(&client->sends->topics[i].topic, memory_order_acquire);
        if (!topic)
            return;
        metrics_sample_histogram(page, &client->sends->topics[i].took, METRICS_VALUES("kafka", "send", topic, client->role, NULL));
        metrics_sample_histogram(page, &client->sends->topics[i].failed,
                                 METRICS_VALUES("kafka", "send", topic, client->role, "_OTHER"));
    }
}

void bus_statistics_write(struct metrics_page *page)
{
    static const struct metrics_family sends = {
        "messaging_client_operation_duration_seconds", METRICS_HISTOGRAM,
        "From handing a record to librdkafka until it was seen that every in-sync replica had it, or that it failed; of commands and replies that may be a millisecond later.",
        {"messaging_system", "messaging_operation_name", "messaging_destination_name", "roundtrip_client", "error_type"}};
    struct json_object *parsed[CLIENTS_MAX] = {NULL};
    const char *roles[CLIENTS_MAX] = {NULL};
    char *texts[CLIENTS_MAX] = {NULL};
    metrics_family(page, &sends);
    pthread_mutex_lock(&lock); /* a serving thread may wait for it: copies only */
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        if (!clients[i].rk)
            continue;
        roles[i] = clients[i].role;
        write_sends(page, &clients[i]);
        texts[i] = clients[i].text ? strdup(clients[i].text) : NULL;
    }
    pthread_mutex_unlock(&lock);
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        parsed[i] = texts[i] ? json_tokener_parse(texts[i]) : NULL;
        free(texts[i]);
    }
    for (size_t r = 0; r < ROWS; r++) {
        metrics_family(page, &rows[r].family);
        for (size_t i = 0; i < CLIENTS_MAX; i++) {
            if (parsed[i] && (rows[r].source != OF_GROUP || json_object_object_get_ex(parsed[i], "cgrp", NULL)))
                metrics_sample(page, value_of(&rows[r], parsed[i]) * rows[r].scale, METRICS_VALUES(roles[i]));
        }
    }
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        json_object_put(parsed[i]);
}
