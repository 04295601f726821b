/* SPDX-License-Identifier: Apache-2.0 */
/* Making librdkafka clients: configuration, log lines, wake-up descriptors, wrapped messages. */
#include "rk.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "log.h"

/* Measured: Nagle and the back-off defaults cost milliseconds per request on an idle connection. */
static const struct rk_setting common_settings[] = {
    {"socket.nagle.disable", "true"},
    {"socket.keepalive.enable", "true"},
    /* A machine that is gone says nothing: before Kafka gives its partitions to others, 9 s, its clients shall have stopped waiting. */
    {"socket.timeout.ms", "6000"},
    {"socket.connection.setup.timeout.ms", "3000"},
    {"reconnect.backoff.ms", "50"},
    {"reconnect.backoff.max.ms", "1000"},
    {"topic.metadata.refresh.interval.ms", "60000"},
    {"topic.metadata.refresh.fast.interval.ms", "100"},
    {"topic.metadata.propagation.max.ms", "5000"},
    {"log.connection.close", "false"},
    {"allow.auto.create.topics", "false"},
    {NULL, NULL},
};

int32_t bus_partition_of(struct slice key, int32_t partitions)
{
    return rd_kafka_msg_partitioner_murmur2(NULL, key.p, key.len, partitions, NULL, NULL);
}

void rk_error_set(struct bus_error *ret_error, const char *format, ...)
{
    if (!ret_error)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(ret_error->text, sizeof(ret_error->text), format, args);
    va_end(args);
}

/* syslog levels to ours; librdkafka's INFO is about its own workings, so it is our DEBUG. */
static void write_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    enum log_level ours = level <= 3 ? LOG_LEVEL_ERROR : level <= 5 ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG;
    /* A broker that cannot be reached is retried for ever and reported by whoever depends on it. */
    if (strcmp(facility, "FAIL") == 0 || strcmp(facility, "ERROR") == 0)
        ours = LOG_LEVEL_WARN;
    if (strcmp(facility, "CONFWARN") == 0 || strcmp(facility, "AUTOCREATE") == 0)
        ours = LOG_LEVEL_DEBUG;
    log_at(ours, "librdkafka", "client=%s facility=%s text=\"%s\"", rk ? rd_kafka_name(rk) : "-", facility, text);
}

static int set_one(rd_kafka_conf_t *conf, const char *name, const char *value, struct bus_error *ret_error)
{
    char text[BUS_ERROR_SIZE - 64];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) == RD_KAFKA_CONF_OK)
        return 0;
    rk_error_set(ret_error, "kafka.%s: %s", name, text);
    return -EINVAL;
}

static int set_list(rd_kafka_conf_t *conf, const struct rk_setting *settings, struct bus_error *ret_error)
{
    for (; settings->name; settings++) {
        int err = set_one(conf, settings->name, settings->value, ret_error);
        if (err)
            return err;
    }
    return 0;
}

rd_kafka_conf_t *rk_conf(const struct bus_settings *bus, const char *role, const struct rk_setting *settings,
                         struct bus_error *ret_error)
{
    char client_id[128];
    snprintf(client_id, sizeof(client_id), "%s-%s", bus->client_id, role);
    const struct rk_setting own[] = {
        {"bootstrap.servers", bus->bootstrap}, {"client.id", client_id}, {NULL, NULL}};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, write_log);
    if (set_list(conf, common_settings, ret_error) || set_list(conf, own, ret_error) ||
        set_list(conf, settings, ret_error))
        goto fail;
    for (size_t i = 0; i < bus->property_count; i++) {
        if (set_one(conf, bus->properties[i].name, bus->properties[i].value, ret_error))
            goto fail;
    }
    return conf;
fail:
    rd_kafka_conf_destroy(conf);
    return NULL;
}

rd_kafka_t *rk_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, struct bus_error *ret_error)
{
    char text[BUS_ERROR_SIZE];
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof(text));
    if (rk)
        return rk;
    rd_kafka_conf_destroy(conf); /* rd_kafka_new() takes it only on success */
    rk_error_set(ret_error, "%s", text);
    return NULL;
}

int rk_queue_fd(rd_kafka_queue_t *queue)
{
    static const uint64_t one = 1;
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (queue)
        rd_kafka_queue_io_event_enable(queue, fd, &one, sizeof(one));
    return fd;
}

void rk_fd_clear(int fd)
{
    uint64_t count;
    ssize_t n = read(fd, &count, sizeof(count));
    (void)n; /* EAGAIN: it was not signalled */
}

static void wrap_headers(struct message *msg, rd_kafka_message_t *native)
{
    rd_kafka_headers_t *list;
    if (rd_kafka_message_headers(native, &list) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    const char *name;
    const void *value;
    size_t len;
    for (size_t i = 0; rd_kafka_header_get_all(list, i, &name, &value, &len) == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        if (msg->rec.header_count == RECORD_HEADERS_IN_MAX) {
            msg->rec.truncated = true;
            break;
        }
        msg->headers[msg->rec.header_count++] = (struct header){name, slice_make(value, len)};
    }
    msg->rec.headers = msg->headers;
}

struct message *rk_message_wrap(rd_kafka_message_t *native)
{
    struct message *msg = malloc(sizeof(*msg));
    if (!msg) {
        rd_kafka_message_destroy(native);
        return NULL;
    }
    rd_kafka_timestamp_type_t type;
    int64_t timestamp = rd_kafka_message_timestamp(native, &type);
    msg->native = native;
    msg->rec = (struct record){.topic = rd_kafka_topic_name(native->rkt),
                               .partition = native->partition,
                               .offset = native->offset,
                               .timestamp_ms = timestamp > 0 ? timestamp : 0,
                               .key = slice_make(native->key, native->key_len),
                               .value = slice_make(native->payload, native->len)};
    wrap_headers(msg, native);
    return msg;
}

void message_free(struct message *msg)
{
    if (!msg)
        return;
    rd_kafka_message_destroy(msg->native);
    free(msg);
}

int rk_errno(rd_kafka_resp_err_t err)
{
    switch (err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return 0;
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
        return -ENOBUFS;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        return -EMSGSIZE;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        return -ENOENT;
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
        return -ETIMEDOUT;
    case RD_KAFKA_RESP_ERR__FATAL:
        return -EPIPE;
    default:
        return -EIO;
    }
}
