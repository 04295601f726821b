/* SPDX-License-Identifier: Apache-2.0 */
/* The floor's clients: the settings of shared/bus, on librdkafka alone. */
#include "floor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_MS 10000
#define RETRY_MS   100

void floor_die(const char *what, const char *why)
{
    fprintf(stderr, "roundtrip-bench-floor: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

void floor_ready(const struct floor_options *options)
{
    if (!options->ready_file)
        return;
    FILE *file = fopen(options->ready_file, "w");
    if (!file || fputs("ready\n", file) < 0 || fclose(file) != 0)
        floor_die(options->ready_file, "cannot be written");
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char error[256];
    if (rd_kafka_conf_set(conf, name, value, error, sizeof(error)) != RD_KAFKA_CONF_OK)
        floor_die(name, error);
}

static rd_kafka_conf_t *common_conf(const struct floor_options *options)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", options->bootstrap);
    set(conf, "client.id", "roundtrip-bench-floor");
    set(conf, "socket.nagle.disable", "true");
    return conf;
}

static void on_failure(rd_kafka_t *rk, const rd_kafka_message_t *msg, void *opaque)
{
    if (msg->err)
        floor_die("a record was not delivered", rd_kafka_err2str(msg->err));
}

rd_kafka_t *floor_producer(const struct floor_options *options,
                           void (*on_delivery)(rd_kafka_t *, const rd_kafka_message_t *, void *),
                           void *opaque)
{
    rd_kafka_conf_t *conf = common_conf(options);
    set(conf, "linger.ms", "0");
    set(conf, "acks", "all");
    set(conf, "enable.idempotence", "true");
    set(conf, "partitioner", "murmur2_random");
    set(conf, "queue.buffering.max.messages", "1000000");
    if (!on_delivery)
        set(conf, "delivery.report.only.error", "true");
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery ? on_delivery : on_failure);
    rd_kafka_conf_set_opaque(conf, opaque);
    char error[256];
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
    if (!rk)
        floor_die("producer", error);
    return rk;
}

/* A topic just made has no leader for a moment. */
static int64_t end_of(rd_kafka_t *rk, const char *topic, int32_t partition)
{
    int64_t low, high;
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int tries = 0; tries < TIMEOUT_MS / RETRY_MS; tries++) {
        err = rd_kafka_query_watermark_offsets(rk, topic, partition, &low, &high, TIMEOUT_MS);
        if (!err)
            return high;
        usleep(RETRY_MS * 1000);
    }
    floor_die(topic, rd_kafka_err2str(err));
}

static void assign_at_end(rd_kafka_t *rk, const char *topic, int32_t first, int32_t count)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    for (int32_t p = first; p < first + count; p++)
        rd_kafka_topic_partition_list_add(list, topic, p)->offset = end_of(rk, topic, p);
    rd_kafka_resp_err_t err = rd_kafka_assign(rk, list);
    if (err)
        floor_die("assign", rd_kafka_err2str(err));
    rd_kafka_topic_partition_list_destroy(list);
}

rd_kafka_t *floor_consumer(const struct floor_options *options, const char *topic, int32_t partition)
{
    rd_kafka_conf_t *conf = common_conf(options);
    set(conf, "group.id", "roundtrip-bench-floor"); /* assign() asks for one; no group is joined */
    set(conf, "enable.auto.commit", "false");
    set(conf, "enable.auto.offset.store", "false");
    set(conf, "fetch.min.bytes", "1");
    set(conf, "fetch.error.backoff.ms", "10");
    char error[256];
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof(error));
    if (!rk)
        floor_die("consumer", error);
    rd_kafka_poll_set_consumer(rk);
    if (partition >= 0)
        assign_at_end(rk, topic, partition, 1);
    else
        assign_at_end(rk, topic, 0, FLOOR_PARTITIONS);
    return rk;
}

/* Fetches the metadata too: the first record otherwise waits up to 1 s. */
rd_kafka_topic_t *floor_topic(rd_kafka_t *rk, const char *name)
{
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, name, NULL);
    if (!rkt)
        floor_die(name, "no topic handle");
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t err = rd_kafka_metadata(rk, 0, rkt, &metadata, TIMEOUT_MS);
    if (err)
        floor_die(name, rd_kafka_err2str(err));
    rd_kafka_metadata_destroy(metadata);
    return rkt;
}

bool floor_correlation_of(const rd_kafka_message_t *msg, struct floor_correlation *ret_correlation)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t size;
    if (rd_kafka_message_headers(msg, &headers) ||
        rd_kafka_header_get_last(headers, FLOOR_CORRELATION, &value, &size) ||
        size != sizeof(*ret_correlation))
        return false;
    memcpy(ret_correlation, value, size);
    return true;
}

void floor_send(rd_kafka_t *rk, rd_kafka_topic_t *rkt, int32_t partition, const void *key, size_t key_len,
                const void *value, size_t value_len, const struct floor_correlation *correlation, bool write,
                void *opaque)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(2);
    rd_kafka_header_add(headers, FLOOR_CORRELATION, -1, correlation, sizeof(*correlation));
    if (write)
        rd_kafka_header_add(headers, FLOOR_WRITE, -1, "1", 1);
    rd_kafka_vu_t vus[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = rkt},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_BLOCK},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)key, key_len}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)value, value_len}},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = opaque},
    };
    rd_kafka_error_t *error = rd_kafka_produceva(rk, vus, sizeof(vus) / sizeof(vus[0]));
    if (error)
        floor_die("produce", rd_kafka_error_string(error));
}

static bool create(rd_kafka_t *rk, rd_kafka_queue_t *queue, rd_kafka_NewTopic_t **topics, size_t count)
{
    rd_kafka_AdminOptions_t *admin = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_AdminOptions_set_operation_timeout(admin, TIMEOUT_MS, NULL, 0);
    rd_kafka_CreateTopics(rk, topics, count, admin, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 3 * TIMEOUT_MS);
    if (!event || rd_kafka_event_error(event))
        floor_die("cannot make the topics", event ? rd_kafka_event_error_string(event) : "no answer");
    size_t results;
    const rd_kafka_topic_result_t **result =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &results);
    bool ok = results == count;
    for (size_t i = 0; i < results; i++) {
        rd_kafka_resp_err_t err = rd_kafka_topic_result_error(result[i]);
        if (err && err != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
            fprintf(stderr, "%s: %s\n", rd_kafka_topic_result_name(result[i]), rd_kafka_err2str(err));
            ok = false;
        }
    }
    rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(admin);
    return ok;
}

int floor_topics(const struct floor_options *options)
{
    static const struct {
        const char *name;
        int partitions;
        const char *cleanup;
    } wanted[] = {
        {FLOOR_COMMANDS, FLOOR_PARTITIONS, "delete"},
        {FLOOR_EVENTS, FLOOR_PARTITIONS, "compact"},
        {FLOOR_REPLIES, FLOOR_REPLY_PARTITIONS, "delete"},
    };
    enum { COUNT = sizeof(wanted) / sizeof(wanted[0]) };
    char error[256];
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, common_conf(options), error, sizeof(error));
    if (!rk)
        floor_die("admin client", error);
    rd_kafka_NewTopic_t *topics[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        topics[i] = rd_kafka_NewTopic_new(wanted[i].name, wanted[i].partitions, -1, error, sizeof(error));
        if (!topics[i])
            floor_die(wanted[i].name, error);
        rd_kafka_NewTopic_set_config(topics[i], "cleanup.policy", wanted[i].cleanup);
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    bool ok = create(rk, queue, topics, COUNT);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy_array(topics, COUNT);
    rd_kafka_destroy(rk);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
