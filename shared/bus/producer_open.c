/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing a producer, and finding out whether Kafka can be reached. */
#include "bus/producer_own.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

/** How often an unreachable cluster is looked for, and for how long each time. */
#define PROBE_EVERY_NS   (INT64_C(300) * CLOCK_NS_PER_MS)
#define PROBE_TIMEOUT_MS 50

/* The topics' places are those of their handles, which are never taken away; a topic beyond them has none. */
static void measure(struct producer *producer, const rd_kafka_message_t *native)
{
    int64_t us = rd_kafka_message_latency(native);
    for (size_t i = 0; us >= 0 && i < STATISTICS_TOPICS_MAX; i++) {
        const char *topic = atomic_load_explicit(&producer->sends.topics[i].topic, memory_order_acquire);
        if (!topic)
            return;
        if (producer->topics[i].rkt != native->rkt)
            continue;
        metrics_observe(native->err ? &producer->sends.topics[i].failed : &producer->sends.topics[i].took, us * 1000);
        return;
    }
}

/* On the serving thread, from rd_kafka_poll(). */
static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *native, void *opaque)
{
    struct producer *producer = opaque;
    struct delivery delivery = {.opaque = native->_private,
                                .partition = native->partition,
                                .offset = native->offset >= 0 ? native->offset : -1};
    if (native->err) {
        delivery.error_text = rd_kafka_err2str(native->err);
        delivery.maybe_written = rd_kafka_message_status(native) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
        delivery.too_large = native->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    } else {
        producer->acknowledged = true;
        atomic_store_explicit(&producer->connected, true, memory_order_relaxed);
    }
    if (producer->measured)
        measure(producer, native);
    atomic_fetch_sub(&producer->in_flight, 1);
    producer->served++;
    if (producer->delivered)
        producer->delivered(producer->arg, &delivery);
}

static void on_error(rd_kafka_t *rk, int err, const char *reason, void *opaque)
{
    struct producer *producer = opaque;
    if (err == RD_KAFKA_RESP_ERR__FATAL) {
        rd_kafka_fatal_error(rk, producer->fatal, sizeof(producer->fatal));
        atomic_store(&producer->failed, true);
    } else if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        atomic_store(&producer->suspect, true);
    }
    log_at(err == RD_KAFKA_RESP_ERR__FATAL ? LOG_LEVEL_ERROR : LOG_LEVEL_DEBUG, "producer error",
           "role=%s error=\"%s\" reason=\"%s\"", producer->role, rd_kafka_err2name(err), reason);
}

static rd_kafka_conf_t *make_conf(const struct producer_options *options, struct bus_error *ret_error)
{
    char timeout[24];
    snprintf(timeout, sizeof(timeout), "%lld",
             (long long)(options->gapless ? 0 : options->message_timeout_ms ? options->message_timeout_ms : 300000));
    const struct rk_setting settings[] = {
        {"linger.ms", "0"},
        {"acks", "all"},
        {"enable.idempotence", options->repeatable ? "false" : "true"},
        {"enable.gapless.guarantee", options->gapless ? "true" : "false"},
        {"message.timeout.ms", timeout},
        {"partitioner", "murmur2_random"},
        {"retry.backoff.ms", "50"},
        {"queue.buffering.max.messages", "1000000"}, /* bounded by who sends: windows and pending tables */
        {NULL, NULL},
    };
    return rk_conf(options->settings, options->role, settings, ret_error);
}

static void raise_max_bytes(rd_kafka_conf_t *conf, int extra)
{
    char text[24];
    size_t size = sizeof(text);
    if (extra == 0 || rd_kafka_conf_get(conf, "message.max.bytes", text, &size) != RD_KAFKA_CONF_OK)
        return;
    snprintf(text, sizeof(text), "%lu", strtoul(text, NULL, 10) + (unsigned long)extra);
    (void)rd_kafka_conf_set(conf, "message.max.bytes", text, NULL, 0); /* refused: then it stays as it is */
}

/* librdkafka would refuse a gathered record only when its beat comes; its sender wants to know at once. */
static size_t max_bytes(rd_kafka_t *rk)
{
    char text[24];
    size_t size = sizeof(text);
    if (rd_kafka_conf_get(rd_kafka_conf(rk), "message.max.bytes", text, &size) != RD_KAFKA_CONF_OK)
        return 1000000;
    return strtoul(text, NULL, 10);
}

int producer_open(const struct producer_options *options, struct producer **ret_producer, struct bus_error *ret_error)
{
    struct producer *producer = calloc(1, sizeof(*producer));
    if (!producer)
        return -ENOMEM;
    int err = -EINVAL;
    producer->role = options->role;
    producer->delivered = options->delivered;
    producer->arg = options->arg;
    producer->corked = options->corked;
    producer->unhurried = options->unhurried;
    producer->gapless = options->gapless;
    producer->measured = options->settings->measured;
    producer->pace.limits = options->pace.interval_ns ? options->pace : PACE_TURNS;
    producer->last = &producer->first;
    producer->connected = true;
    producer->fd = -1;
    pthread_mutex_init(&producer->lock, NULL);
    rd_kafka_conf_t *conf = make_conf(options, ret_error);
    if (!conf)
        goto fail;
    raise_max_bytes(conf, options->extra_bytes);
    if (producer->measured)
        statistics_configure(conf);
    rd_kafka_conf_set_opaque(conf, producer);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_error_cb(conf, on_error);
    producer->rk = rk_new(RD_KAFKA_PRODUCER, conf, ret_error);
    if (!producer->rk)
        goto fail;
    producer->max_bytes = max_bytes(producer->rk);
    producer->queue = rd_kafka_queue_get_main(producer->rk);
    producer->fd = rk_queue_fd(options->unhurried ? NULL : producer->queue);
    if (producer->fd < 0) {
        err = producer->fd;
        rk_error_set(ret_error, "cannot make an eventfd: %s; raise the limit of open files", strerror(-err));
        goto fail;
    }
    if (producer->measured)
        statistics_join(producer->rk, producer->role, &producer->sends);
    *ret_producer = producer;
    return 0;
fail:
    producer_close(producer);
    return err;
}

void producer_close(struct producer *producer)
{
    if (!producer)
        return;
    statistics_leave(producer->rk);
    if (producer->rk)
        producer_cancel_all(producer);
    if (producer->queue)
        rd_kafka_queue_destroy(producer->queue);
    for (size_t i = 0; i < producer->topic_count; i++) {
        rd_kafka_topic_destroy(producer->topics[i].rkt);
        free(producer->topics[i].name);
    }
    if (producer->rk)
        rd_kafka_destroy(producer->rk);
    if (producer->fd >= 0)
        close(producer->fd);
    pthread_mutex_destroy(&producer->lock);
    free(producer);
}

/* librdkafka says when it has lost every broker, not when it has one again: ask. */
void producer_probe(struct producer *producer, int64_t now_ns)
{
    if (now_ns < producer->next_probe_ns)
        return;
    producer->next_probe_ns = now_ns + PROBE_EVERY_NS;
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t err = rd_kafka_metadata(producer->rk, 0, NULL, &metadata, PROBE_TIMEOUT_MS);
    if (!err)
        rd_kafka_metadata_destroy(metadata);
    bool connected = !err, before = atomic_exchange(&producer->connected, connected);
    atomic_store(&producer->suspect, false);
    if (connected != before)
        log_warn(connected ? "Kafka is reachable again" : "Kafka cannot be reached; retrying", "role=%s",
                 producer->role);
}

int32_t producer_warm(struct producer *producer, const char *topic, int64_t timeout_ms, struct bus_error *ret_error)
{
    pthread_mutex_lock(&producer->lock);
    rd_kafka_topic_t *rkt = producer_topic(producer, topic);
    pthread_mutex_unlock(&producer->lock);
    if (!rkt)
        return -ENOMEM;
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t err = rd_kafka_metadata(producer->rk, 0, rkt, &metadata, (int)timeout_ms);
    if (err) {
        rk_error_set(ret_error, "no metadata of topic %s: %s; is Kafka running at that address?", topic,
                     rd_kafka_err2str(err));
        return rk_errno(err);
    }
    const rd_kafka_metadata_topic_t *found = metadata->topic_cnt == 1 ? &metadata->topics[0] : NULL;
    int32_t count = found && !found->err ? found->partition_cnt : -ENOENT;
    if (count <= 0) {
        rk_error_set(ret_error, "topic %s does not exist; make it with roundtrip-topics", topic);
        count = -ENOENT;
    }
    rd_kafka_metadata_destroy(metadata);
    return count;
}
