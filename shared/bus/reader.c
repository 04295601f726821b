/* SPDX-License-Identifier: Apache-2.0 */
/* Reading chosen partitions into one queue, by librdkafka's simple consumer: no group, no rebalance. */
#include "bus/reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "log.h"
#include "refill.h"
#include "rk.h"
#include "bus/statistics_own.h"

#define TOPICS_MAX 64

struct reader {
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    int fd;
    const char *role;
    rd_kafka_topic_t *topics[TOPICS_MAX];
    size_t topic_count;
    rd_kafka_topic_partition_list_t *reading;
    struct refill refill;
    char *cluster_id;
    bool failed;
};

static void on_error(rd_kafka_t *rk, int err, const char *reason, void *opaque)
{
    const struct reader *reader = opaque;
    log_debug("reader error", "role=%s error=\"%s\" reason=\"%s\"", reader->role, rd_kafka_err2name(err), reason);
}

_Static_assert(READER_TAIL(7) == RD_KAFKA_OFFSET_TAIL(7), "librdkafka's own number");

static int open_with(const struct bus_settings *settings, const char *role, const char *min_bytes, const char *wait_ms,
                     struct reader **ret_reader, struct bus_error *ret_error)
{
    const struct rk_setting own[] = {
        {"enable.auto.commit", "false"},  {"enable.auto.offset.store", "false"},
        {"fetch.min.bytes", min_bytes},   {"fetch.error.backoff.ms", "5"},
        {"queued.min.messages", "10000"}, {"auto.offset.reset", "earliest"},
        {"fetch.wait.max.ms", wait_ms},   {refill_by_setting() ? REFILL_BACKOFF : NULL, "5"},
        {NULL, NULL},
    };
    struct reader *reader = calloc(1, sizeof(*reader));
    if (!reader)
        return -ENOMEM;
    int err = -EINVAL;
    reader->fd = -1;
    reader->role = role;
    rd_kafka_conf_t *conf = rk_conf(settings, role, own, ret_error);
    if (!conf)
        goto fail;
    rd_kafka_conf_set_opaque(conf, reader);
    rd_kafka_conf_set_error_cb(conf, on_error);
    if (settings->measured)
        statistics_configure(conf);
    reader->rk = rk_new(RD_KAFKA_CONSUMER, conf, ret_error);
    if (!reader->rk)
        goto fail;
    reader->queue = rd_kafka_queue_new(reader->rk);
    reader->reading = rd_kafka_topic_partition_list_new(8);
    refill_init(&reader->refill, reader->rk, reader->queue);
    reader->fd = rk_queue_fd(reader->queue);
    if (reader->fd < 0) {
        err = reader->fd;
        rk_error_set(ret_error, "cannot make an eventfd: %s; raise the limit of open files", strerror(-err));
        goto fail;
    }
    if (settings->measured)
        statistics_join(reader->rk, role, NULL);
    *ret_reader = reader;
    return 0;
fail:
    reader_close(reader);
    return err;
}

int reader_open(const struct bus_settings *settings, const char *role, struct reader **ret_reader,
                struct bus_error *ret_error)
{
    return open_with(settings, role, "1", "500", ret_reader, ret_error);
}

int reader_open_brief(const struct bus_settings *settings, const char *role, struct reader **ret_reader,
                      struct bus_error *ret_error)
{
    return open_with(settings, role, "1", "10", ret_reader, ret_error);
}

int reader_open_unhurried(const struct bus_settings *settings, const char *role, struct reader **ret_reader,
                          struct bus_error *ret_error)
{
    char wait_ms[12];
    snprintf(wait_ms, sizeof(wait_ms), "%d", READER_UNHURRIED_MS);
    return open_with(settings, role, "65536", wait_ms, ret_reader, ret_error);
}

void reader_close(struct reader *reader)
{
    if (!reader)
        return;
    statistics_leave(reader->rk);
    if (reader->queue)
        rd_kafka_queue_destroy(reader->queue);
    if (reader->reading)
        rd_kafka_topic_partition_list_destroy(reader->reading);
    for (size_t i = 0; i < reader->topic_count; i++)
        rd_kafka_topic_destroy(reader->topics[i]);
    if (reader->rk) {
        if (reader->cluster_id)
            rd_kafka_mem_free(reader->rk, reader->cluster_id);
        rd_kafka_destroy(reader->rk);
    }
    if (reader->fd >= 0)
        close(reader->fd);
    free(reader);
}

static rd_kafka_topic_t *topic_of(struct reader *reader, const char *name)
{
    for (size_t i = 0; i < reader->topic_count; i++) {
        if (strcmp(rd_kafka_topic_name(reader->topics[i]), name) == 0)
            return reader->topics[i];
    }
    if (reader->topic_count == TOPICS_MAX)
        return NULL;
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(reader->rk, name, NULL);
    if (rkt)
        reader->topics[reader->topic_count++] = rkt;
    return rkt;
}

int reader_add(struct reader *reader, const char *topic, int32_t partition, int64_t offset)
{
    rd_kafka_topic_t *rkt = topic_of(reader, topic);
    if (!rkt)
        return -ENOMEM;
    int64_t start = offset == READER_BEGINNING ? RD_KAFKA_OFFSET_BEGINNING
                    : offset == READER_END     ? RD_KAFKA_OFFSET_END
                                               : offset;
    if (rd_kafka_consume_start_queue(rkt, partition, start, reader->queue) != 0)
        return rk_errno(rd_kafka_last_error());
    rd_kafka_topic_partition_list_add(reader->reading, topic, partition);
    return 0;
}

void reader_remove(struct reader *reader, const char *topic, int32_t partition)
{
    rd_kafka_topic_t *rkt = topic_of(reader, topic);
    rd_kafka_topic_partition_list_del(reader->reading, topic, partition);
    if (rkt && rd_kafka_consume_stop(rkt, partition) != 0)
        log_debug("reader stop", "topic=%s partition=%d error=\"%s\"", topic, partition,
                  rd_kafka_err2str(rd_kafka_last_error()));
}

int reader_fd(const struct reader *reader)
{
    return reader->fd;
}

struct message *reader_poll(struct reader *reader, int timeout_ms)
{
    bool cleared = false;
    for (;;) {
        rd_kafka_message_t *native = rd_kafka_consume_queue(reader->queue, cleared ? 0 : timeout_ms);
        if (!native && !cleared) { /* empty: take the signal back, then look once more for what came meanwhile */
            cleared = true;
            rk_fd_clear(reader->fd);
            rd_kafka_poll(reader->rk, 0); /* error callbacks live on another queue */
            continue;
        }
        if (!native)
            return NULL;
        if (!native->err) {
            refill_took(&reader->refill, native->len, reader->reading);
            struct message *msg = rk_message_wrap(native);
            reader->failed |= msg == NULL; /* it must not be skipped unseen */
            return msg;
        }
        if (native->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
            log_warn("reader event", "role=%s error=\"%s\"", reader->role, rd_kafka_message_errstr(native));
        rd_kafka_message_destroy(native);
    }
}

/*
 * Who leads the topic's partitions, asked anew. A broker that does not lead one says so, but librdkafka (2.0 to 2.8) goes on to ask it for
 * rd_kafka_offsets_for_times() until what it knows of the topic is too old: minutes, where a broker was lost and has come back.
 */
static void refresh_leaders(struct reader *reader, const char *topic, int timeout_ms)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *rkt = topic_of(reader, topic);
    if (rkt && rd_kafka_metadata(reader->rk, 0, rkt, &metadata, timeout_ms) == RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_metadata_destroy(metadata);
}

/* RD_KAFKA_OFFSET_BEGINNING or _END of partitions first to first + count - 1 as offsets: in one request to each leader. The first error. */
static int look_up(struct reader *reader, const char *topic, int32_t first, int32_t count, int64_t which, int timeout_ms, int64_t *ret_offsets)
{
    /* not rd_kafka_query_watermark_offsets(): whatever its time-out, it waits until the broker answers that it believes to lead the partition */
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    for (int32_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, topic, first + i)->offset = which; /* ListOffsets' own "earliest" and "latest", where others have a time */
    rd_kafka_resp_err_t err = rd_kafka_offsets_for_times(reader->rk, list, timeout_ms);
    for (int32_t i = 0; i < count; i++) { /* librdkafka keeps their order */
        const rd_kafka_topic_partition_t *found = &list->elems[i];
        rd_kafka_resp_err_t own = err ? err : found->err ? found->err : found->offset < 0 ? RD_KAFKA_RESP_ERR__NO_OFFSET : RD_KAFKA_RESP_ERR_NO_ERROR;
        if (!own)
            ret_offsets[i] = found->offset;
        else if (!err)
            err = own;
    }
    if (err)
        refresh_leaders(reader, topic, timeout_ms);
    rd_kafka_topic_partition_list_destroy(list);
    return rk_errno(err);
}

int reader_end(struct reader *reader, const char *topic, int32_t partition, int timeout_ms, int64_t *ret_high)
{
    return look_up(reader, topic, partition, 1, RD_KAFKA_OFFSET_END, timeout_ms, ret_high);
}

int reader_ends(struct reader *reader, const char *topic, int32_t partitions, int timeout_ms, int64_t *ret_high)
{
    for (int32_t p = 0; p < partitions; p++)
        ret_high[p] = READER_END;
    return look_up(reader, topic, 0, partitions, RD_KAFKA_OFFSET_END, timeout_ms, ret_high);
}

int reader_begin(struct reader *reader, const char *topic, int32_t partition, int timeout_ms, int64_t *ret_low)
{
    return look_up(reader, topic, partition, 1, RD_KAFKA_OFFSET_BEGINNING, timeout_ms, ret_low);
}

int32_t reader_partition_count(struct reader *reader, const char *topic, struct bus_error *ret_error)
{
    rd_kafka_topic_t *rkt = topic_of(reader, topic);
    if (!rkt)
        return -ENOMEM;
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t err = rd_kafka_metadata(reader->rk, 0, rkt, &metadata, BUS_TIMEOUT_MS);
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

int reader_each_topic(struct reader *reader, void (*each)(void *arg, const char *topic, int32_t partitions), void *arg,
                      struct bus_error *ret_error)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t err = rd_kafka_metadata(reader->rk, 1, NULL, &metadata, BUS_TIMEOUT_MS);
    if (err) {
        rk_error_set(ret_error, "cannot list the topics: %s; is Kafka running at that address?", rd_kafka_err2str(err));
        return rk_errno(err);
    }
    for (int i = 0; i < metadata->topic_cnt; i++) {
        if (!metadata->topics[i].err)
            each(arg, metadata->topics[i].topic, metadata->topics[i].partition_cnt);
    }
    rd_kafka_metadata_destroy(metadata);
    return 0;
}

const char *reader_cluster_id(struct reader *reader)
{
    if (!reader->cluster_id)
        reader->cluster_id = rd_kafka_clusterid(reader->rk, BUS_TIMEOUT_MS);
    return reader->cluster_id;
}

const char *reader_fatal(const struct reader *reader)
{
    return reader->failed ? "out of memory" : NULL;
}
