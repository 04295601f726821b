/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A group member over librdkafka's rebalance callback.
 *
 * On assignment: read the committed offsets, assign exactly there, pause, tell the owner, who resumes each partition when
 * it is ready. The order matters: the offsets are read before the owner can claim anything (ARCHITECTURE.md, The journal).
 * Where none is committed it starts at offset 0, not at the symbolic beginning: looking that up takes a request whose answer
 * a pause makes outdated, and librdkafka asks again only after 500 ms.
 */
#include "bus/consumer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "refill.h"
#include "rk.h"
#include "bus/statistics_own.h"

#define COMMITTED_TRIES      6
#define COMMITTED_TIMEOUT_MS 5000
#define SEEK_TIMEOUT_MS      5000
#define LEAVE_TIMEOUT_MS     3000
#define CLOSE_TIMEOUT_MS     1000
#define COMMIT_TIMEOUT_MS    500
#define WAKE_TIMEOUT_MS      200

struct consumer {
    struct consumer_options options;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    int fd;
    bool assigned, left;
    size_t flowing; /* partitions that are not paused */
    /* what assign() was given, by partition: a first resume there needs no seek */
    rd_kafka_topic_partition_list_t *assignment;
    struct refill refill;
    char fatal[BUS_ERROR_SIZE];
};

/* The coordinator may be moving: try for half a minute, then give up loudly. */
static bool read_committed(struct consumer *consumer, rd_kafka_topic_partition_list_t *parts)
{
    for (int i = 0; i < COMMITTED_TRIES; i++) {
        rd_kafka_resp_err_t err = rd_kafka_committed(consumer->rk, parts, COMMITTED_TIMEOUT_MS);
        for (int p = 0; !err && p < parts->cnt; p++)
            err = parts->elems[p].err;
        if (!err)
            return true;
        log_warn("cannot read committed offsets; trying again", "group=%s error=\"%s\"", consumer->options.group,
                 rd_kafka_err2str(err));
    }
    snprintf(consumer->fatal, sizeof(consumer->fatal), "cannot read the committed offsets of group %s",
             consumer->options.group);
    return false;
}

static void call_assigned(struct consumer *consumer, const rd_kafka_topic_partition_list_t *parts)
{
    size_t count = (size_t)parts->cnt;
    int32_t *partitions = calloc(count + 1, sizeof(*partitions));
    int64_t *committed = calloc(count + 1, sizeof(*committed));
    if (!partitions || !committed) {
        snprintf(consumer->fatal, sizeof(consumer->fatal), "out of memory");
    } else {
        for (size_t i = 0; i < count; i++) {
            partitions[i] = parts->elems[i].partition;
            committed[i] = parts->elems[i].offset >= 0 ? parts->elems[i].offset : -1;
        }
        consumer->options.assigned(consumer->options.arg, partitions, committed, count);
    }
    free(partitions);
    free(committed);
}

static void take(struct consumer *consumer, rd_kafka_topic_partition_list_t *parts)
{
    if (!read_committed(consumer, parts))
        return;
    rd_kafka_topic_partition_list_t *start = rd_kafka_topic_partition_list_copy(parts);
    for (int i = 0; i < start->cnt; i++) {
        if (start->elems[i].offset < 0)
            start->elems[i].offset = 0;
    }
    rd_kafka_resp_err_t err = rd_kafka_assign(consumer->rk, start);
    if (!err)
        err = rd_kafka_pause_partitions(consumer->rk, start);
    if (err) {
        snprintf(consumer->fatal, sizeof(consumer->fatal), "cannot take the assignment: %s", rd_kafka_err2str(err));
        rd_kafka_topic_partition_list_destroy(start);
        return;
    }
    consumer->assignment = start;
    consumer->assigned = true;
    consumer->flowing = 0;
    call_assigned(consumer, parts);
}

static void give_up(struct consumer *consumer)
{
    rd_kafka_topic_partition_list_t *parts = consumer->assignment;
    if (consumer->assigned && parts) {
        int32_t *partitions = calloc((size_t)parts->cnt + 1, sizeof(*partitions));
        for (int i = 0; partitions && i < parts->cnt; i++)
            partitions[i] = parts->elems[i].partition;
        if (partitions)
            consumer->options.revoked(consumer->options.arg, partitions, (size_t)parts->cnt,
                                      rd_kafka_assignment_lost(consumer->rk));
        free(partitions);
    }
    consumer->assigned = false;
    if (parts)
        rd_kafka_topic_partition_list_destroy(parts);
    consumer->assignment = NULL;
    rd_kafka_assign(consumer->rk, NULL);
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *parts,
                         void *opaque)
{
    struct consumer *consumer = opaque;
    log_info("rebalance", "group=%s event=%s partitions=%d", consumer->options.group,
             err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS ? "assign" : "revoke", parts->cnt);
    if (err != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
        give_up(consumer);
    else if (consumer->left) /* it crossed our leaving: nothing answers for these partitions any more, nor for their offsets */
        rd_kafka_assign(rk, NULL);
    else
        take(consumer, parts);
}

static void on_error(rd_kafka_t *rk, int err, const char *reason, void *opaque)
{
    struct consumer *consumer = opaque;
    if (err == RD_KAFKA_RESP_ERR__FATAL)
        rd_kafka_fatal_error(rk, consumer->fatal, sizeof(consumer->fatal));
    log_at(err == RD_KAFKA_RESP_ERR__FATAL ? LOG_LEVEL_ERROR : LOG_LEVEL_DEBUG, "consumer error",
           "group=%s error=\"%s\" reason=\"%s\"", consumer->options.group, rd_kafka_err2name(err), reason);
}

static void on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *parts, void *opaque)
{
    struct consumer *consumer = opaque;
    if (err && err != RD_KAFKA_RESP_ERR__NO_OFFSET)
        log_warn("offset commit failed; the next one covers it", "group=%s error=\"%s\"", consumer->options.group,
                 rd_kafka_err2str(err));
}

static rd_kafka_conf_t *make_conf(struct consumer *consumer, struct bus_error *ret_error)
{
    const struct consumer_options *options = &consumer->options;
    const struct rk_setting settings[] = {
        {"group.id", options->group},
        {"group.instance.id", options->instance_id && *options->instance_id ? options->instance_id : NULL},
        {"partition.assignment.strategy", "range"},
        {"session.timeout.ms", "6000"},
        {"heartbeat.interval.ms", "1000"},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "earliest"},
        {"fetch.min.bytes", "1"},
        {"fetch.wait.max.ms", "100"}, /* a partition that is resumed waits behind the fetch under way */
        {"fetch.error.backoff.ms", "5"},
        {"queued.min.messages", "10000"},
        {REFILL_BACKOFF, refill_by_setting() ? "5" : NULL},
        {NULL, NULL},
    };
    struct rk_setting used[sizeof(settings) / sizeof(settings[0])];
    size_t n = 0;
    for (size_t i = 0; settings[i].name; i++) {
        if (settings[i].value)
            used[n++] = settings[i];
    }
    used[n] = (struct rk_setting){NULL, NULL};
    return rk_conf(options->settings, "commands", used, ret_error);
}

static int subscribe(struct consumer *consumer, struct bus_error *ret_error)
{
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, consumer->options.topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t err = rd_kafka_subscribe(consumer->rk, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    if (err)
        rk_error_set(ret_error, "cannot subscribe to %s: %s", consumer->options.topic, rd_kafka_err2str(err));
    return rk_errno(err);
}

int consumer_open(const struct consumer_options *options, struct consumer **ret_consumer, struct bus_error *ret_error)
{
    struct consumer *consumer = calloc(1, sizeof(*consumer));
    if (!consumer)
        return -ENOMEM;
    int err = -EINVAL;
    consumer->options = *options;
    consumer->fd = -1;
    rd_kafka_conf_t *conf = make_conf(consumer, ret_error);
    if (!conf)
        goto fail;
    rd_kafka_conf_set_opaque(conf, consumer);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_offset_commit_cb(conf, on_commit);
    if (options->settings->measured)
        statistics_configure(conf);
    consumer->rk = rk_new(RD_KAFKA_CONSUMER, conf, ret_error);
    if (!consumer->rk)
        goto fail;
    rd_kafka_poll_set_consumer(consumer->rk);
    consumer->queue = rd_kafka_queue_get_consumer(consumer->rk);
    refill_init(&consumer->refill, consumer->rk, consumer->queue);
    consumer->fd = rk_queue_fd(consumer->queue);
    err = consumer->fd < 0 ? consumer->fd : subscribe(consumer, ret_error);
    if (err)
        goto fail;
    if (options->settings->measured)
        statistics_join(consumer->rk, "commands", NULL);
    *ret_consumer = consumer;
    return 0;
fail:
    consumer_close(consumer);
    return err;
}

/* KIP-345: closing keeps a static member in the group for a restart; unsubscribing first really leaves. */
static void leave(struct consumer *consumer)
{
    int64_t deadline = clock_mono_ns() + LEAVE_TIMEOUT_MS * CLOCK_NS_PER_MS;
    rd_kafka_unsubscribe(consumer->rk);
    while (consumer->assigned && clock_mono_ns() < deadline) {
        rd_kafka_message_t *native = rd_kafka_consumer_poll(consumer->rk, 20);
        if (native)
            rd_kafka_message_destroy(native);
    }
}

/* rd_kafka_consumer_close() waits for a broker for ever. */
static void close_within(struct consumer *consumer, int timeout_ms)
{
    int64_t deadline = clock_mono_ns() + timeout_ms * CLOCK_NS_PER_MS;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(consumer->rk);
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(consumer->rk, queue);
    while (!error && !rd_kafka_consumer_closed(consumer->rk) && clock_mono_ns() < deadline)
        rd_kafka_queue_poll_callback(queue, 20);
    if (!error && !rd_kafka_consumer_closed(consumer->rk))
        log_warn("left the group without its confirmation", "group=%s", consumer->options.group);
    if (error)
        rd_kafka_error_destroy(error);
    rd_kafka_queue_destroy(queue);
}

void consumer_leave(struct consumer *consumer)
{
    if (!consumer || !consumer->rk || consumer->left || consumer->fatal[0])
        return;
    consumer->left = true;
    leave(consumer);
    close_within(consumer, CLOSE_TIMEOUT_MS);
}

void consumer_close(struct consumer *consumer)
{
    if (!consumer)
        return;
    statistics_leave(consumer->rk);
    if (consumer->fatal[0] && consumer->rk)
        return; /* librdkafka never finishes destroying a fenced member; the process ends, which frees it all */
    consumer_leave(consumer);
    if (consumer->queue)
        rd_kafka_queue_destroy(consumer->queue);
    if (consumer->rk)
        rd_kafka_destroy_flags(consumer->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE); /* done by consumer_leave() */
    if (consumer->fd >= 0)
        close(consumer->fd);
    if (consumer->assignment)
        rd_kafka_topic_partition_list_destroy(consumer->assignment);
    free(consumer);
}

int consumer_fd(const struct consumer *consumer)
{
    return consumer->fd;
}

struct message *consumer_poll(struct consumer *consumer)
{
    bool cleared = false;
    for (;;) {
        rd_kafka_message_t *native = rd_kafka_consumer_poll(consumer->rk, 0);
        if (!native && !cleared) { /* empty: take the signal back, then look once more for what came meanwhile */
            cleared = true;
            rk_fd_clear(consumer->fd);
            continue;
        }
        if (!native)
            return NULL;
        if (!native->err) {
            refill_took(&consumer->refill, native->len, consumer->assignment);
            struct message *msg = rk_message_wrap(native);
            if (!msg) /* it must not be skipped unseen */
                snprintf(consumer->fatal, sizeof(consumer->fatal), "out of memory");
            return msg;
        }
        log_at(native->err == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN,
               "consumer event", "group=%s error=\"%s\"", consumer->options.group, rd_kafka_message_errstr(native));
        if (native->err == RD_KAFKA_RESP_ERR__FATAL) /* a fenced static member hears of it here, not in on_error() */
            rd_kafka_fatal_error(consumer->rk, consumer->fatal, sizeof(consumer->fatal));
        rd_kafka_message_destroy(native);
    }
}

static rd_kafka_topic_partition_list_t *one_partition(struct consumer *consumer, int32_t partition, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, consumer->options.topic, partition)->offset = offset;
    return list;
}

/* Where the partition stands by assign() or an earlier seek; seeking there again would only cost a fetch. */
static bool stands_at(struct consumer *consumer, int32_t partition, int64_t offset)
{
    rd_kafka_topic_partition_t *found =
        rd_kafka_topic_partition_list_find(consumer->assignment, consumer->options.topic, partition);
    if (!found)
        return false;
    bool same = found->offset == offset;
    found->offset = INT64_MIN; /* it moves from here on */
    return same;
}

/* A resume alone does not wake a broker thread that fetches nothing: it may sleep for a second. A request does. */
static void wake_fetcher(struct consumer *consumer, int32_t partition)
{
    int64_t low, high;
    rd_kafka_query_watermark_offsets(consumer->rk, consumer->options.topic, partition, &low, &high, WAKE_TIMEOUT_MS);
}

int consumer_resume(struct consumer *consumer, int32_t partition, int64_t offset)
{
    if (!consumer->assigned)
        return -ENOENT;
    int64_t start = offset < 0 && offset != CONSUMER_CONTINUE ? 0 : offset;
    rd_kafka_topic_partition_list_t *list = one_partition(consumer, partition, start);
    int err = 0;
    if (offset != CONSUMER_CONTINUE && !stands_at(consumer, partition, start)) {
        rd_kafka_error_t *error = rd_kafka_seek_partitions(consumer->rk, list, SEEK_TIMEOUT_MS);
        err = error ? rk_errno(rd_kafka_error_code(error)) : rk_errno(list->elems[0].err);
        rd_kafka_error_destroy(error);
    }
    if (!err)
        err = rk_errno(rd_kafka_resume_partitions(consumer->rk, list));
    if (!err && consumer->flowing++ == 0)
        wake_fetcher(consumer, partition);
    rd_kafka_topic_partition_list_destroy(list);
    return err;
}

int consumer_pause(struct consumer *consumer, int32_t partition)
{
    rd_kafka_topic_partition_list_t *list = one_partition(consumer, partition, RD_KAFKA_OFFSET_INVALID);
    int err = rk_errno(rd_kafka_pause_partitions(consumer->rk, list));
    if (!err && consumer->flowing > 0)
        consumer->flowing--;
    rd_kafka_topic_partition_list_destroy(list);
    return err;
}

void consumer_commit(struct consumer *consumer, int32_t partition, int64_t next_offset)
{
    rd_kafka_topic_partition_list_t *list = one_partition(consumer, partition, next_offset);
    rd_kafka_resp_err_t err = rd_kafka_commit(consumer->rk, list, 1);
    if (err)
        log_warn("offset commit failed; the next one covers it", "partition=%d error=\"%s\"", partition,
                 rd_kafka_err2str(err));
    rd_kafka_topic_partition_list_destroy(list);
}

int consumer_commit_sync(struct consumer *consumer, int32_t partition, int64_t next_offset)
{
    rd_kafka_topic_partition_list_t *list = one_partition(consumer, partition, next_offset);
    rd_kafka_queue_t *answer = rd_kafka_queue_new(consumer->rk); /* rd_kafka_commit() waits for a broker for ever */
    int err = rk_errno(rd_kafka_commit_queue(consumer->rk, list, answer, NULL, NULL));
    if (!err) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(answer, COMMIT_TIMEOUT_MS);
        err = event ? rk_errno(rd_kafka_event_error(event)) : -ETIMEDOUT;
        if (event)
            rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(answer);
    rd_kafka_topic_partition_list_destroy(list);
    return err;
}

int64_t consumer_end(struct consumer *consumer, int32_t partition)
{
    int64_t low, high;
    if (rd_kafka_get_watermark_offsets(consumer->rk, consumer->options.topic, partition, &low, &high) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return -1;
    return high >= 0 ? high : -1;
}

const char *consumer_fatal(struct consumer *consumer)
{
    return consumer->fatal[0] ? consumer->fatal : NULL;
}
