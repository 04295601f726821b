/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending records and hearing what became of them.
 *
 * producer_send() either hands the record to librdkafka (idle) or keeps a copy in `gathered` (loaded); the serving thread
 * sends what has gathered when pace.h says so. `lock` guards the list and the pace, so order per partition is kept:
 * nothing is sent at once while something is gathered.
 */
#include "bus/producer.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bus/pace.h"
#include "clock.h"
#include "log.h"
#include "rk.h"

#define TOPICS_MAX 16
/** How often an unreachable cluster is looked for, and for how long each time. */
#define PROBE_EVERY_NS   (INT64_C(300) * CLOCK_NS_PER_MS)
#define PROBE_TIMEOUT_MS 50
#define CANCEL_TIMEOUT_MS 500

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
    bool corked, gapless;
    size_t max_bytes;
    /* any thread */
    _Atomic int64_t in_flight;
    _Atomic bool connected, suspect, failed;
    /* serving thread only */
    int64_t next_probe_ns;
    int64_t served;
    char fatal[BUS_ERROR_SIZE];
    /* guarded by lock */
    pthread_mutex_t lock;
    struct pace pace;
    struct gathered *first, **last;
    int64_t gathered_count;
    struct topic_handle topics[TOPICS_MAX];
    size_t topic_count;
};

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
    } else {
        atomic_store_explicit(&producer->connected, true, memory_order_relaxed);
    }
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
        {"enable.idempotence", "true"},
        {"enable.gapless.guarantee", options->gapless ? "true" : "false"},
        {"message.timeout.ms", timeout},
        {"partitioner", "murmur2_random"},
        {"retry.backoff.ms", "50"},
        {"queue.buffering.max.messages", "1000000"}, /* bounded by who sends: windows and pending tables */
        {NULL, NULL},
    };
    return rk_conf(options->settings, options->role, settings, ret_error);
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

static size_t record_bytes(const struct record *rec, const struct headers *headers)
{
    size_t size = 128 + rec->key.len + rec->value.len; /* 128: more than the framing of record and batch takes */
    for (size_t i = 0; i < headers->count; i++)
        size += strlen(headers->list[i].name) + headers->list[i].value.len + 8;
    return size;
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
    producer->gapless = options->gapless;
    producer->last = &producer->first;
    producer->connected = true;
    producer->fd = -1;
    pthread_mutex_init(&producer->lock, NULL);
    rd_kafka_conf_t *conf = make_conf(options, ret_error);
    if (!conf)
        goto fail;
    rd_kafka_conf_set_opaque(conf, producer);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_error_cb(conf, on_error);
    producer->rk = rk_new(RD_KAFKA_PRODUCER, conf, ret_error);
    if (!producer->rk)
        goto fail;
    producer->max_bytes = max_bytes(producer->rk);
    producer->queue = rd_kafka_queue_get_main(producer->rk);
    producer->fd = rk_queue_fd(producer->queue);
    if (producer->fd < 0) {
        err = producer->fd;
        rk_error_set(ret_error, "cannot make an eventfd: %s; raise the limit of open files", strerror(-err));
        goto fail;
    }
    *ret_producer = producer;
    return 0;
fail:
    producer_close(producer);
    return err;
}

/*
 * With `lock` held. Handles are made once a topic: looking one up by name inside librdkafka takes its global lock. NULL
 * when there are as many as are kept (callers choose reply topics, so their number is not ours): then by name.
 */
static rd_kafka_topic_t *topic_of(struct producer *producer, const char *name)
{
    for (size_t i = 0; i < producer->topic_count; i++) {
        if (strcmp(producer->topics[i].name, name) == 0)
            return producer->topics[i].rkt;
    }
    if (producer->topic_count == TOPICS_MAX)
        return NULL;
    char *copy = strdup(name);
    rd_kafka_topic_t *rkt = copy ? rd_kafka_topic_new(producer->rk, name, NULL) : NULL;
    if (!rkt) {
        free(copy);
        return NULL;
    }
    producer->topics[producer->topic_count++] = (struct topic_handle){copy, rkt};
    return rkt;
}

static rd_kafka_headers_t *native_headers(const struct headers *headers)
{
    rd_kafka_headers_t *list = rd_kafka_headers_new(headers->count);
    for (size_t i = 0; i < headers->count; i++) {
        const struct header *h = &headers->list[i];
        rd_kafka_header_add(list, h->name, -1, h->value.p, (ssize_t)h->value.len);
    }
    return list;
}

/* Takes `headers` over in any case. */
static int produce(struct producer *producer, rd_kafka_topic_t *rkt, const struct record *rec,
                   rd_kafka_headers_t *headers, void *opaque)
{
    struct slice key = rec->key, value = rec->value;
    rd_kafka_vu_t vus[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = rkt},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = rec->partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)key.p, key.len}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)value.p, value.len}},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = opaque},
    };
    if (!rkt)
        vus[0] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = rec->topic};
    rd_kafka_error_t *error = rd_kafka_produceva(producer->rk, vus, sizeof(vus) / sizeof(vus[0]));
    if (!error)
        return 0;
    int err = rk_errno(rd_kafka_error_code(error));
    rd_kafka_error_destroy(error);
    rd_kafka_headers_destroy(headers); /* librdkafka takes them only on success */
    return err;
}

/* With `lock` held. */
static int gather(struct producer *producer, rd_kafka_topic_t *rkt, const struct record *rec,
                  rd_kafka_headers_t *headers, void *opaque)
{
    size_t topic_size = rkt ? 0 : strlen(rec->topic) + 1;
    struct gathered *item = malloc(sizeof(*item) + rec->key.len + rec->value.len + topic_size);
    if (!item)
        return -ENOMEM;
    *item = (struct gathered){.rkt = rkt,
                              .headers = headers,
                              .opaque = opaque,
                              .partition = rec->partition,
                              .has_key = rec->key.p != NULL,
                              .has_value = rec->value.p != NULL,
                              .key_len = rec->key.len,
                              .value_len = rec->value.len};
    if (rec->key.len)
        memcpy(item->bytes, rec->key.p, rec->key.len);
    if (rec->value.len)
        memcpy(item->bytes + rec->key.len, rec->value.p, rec->value.len);
    if (topic_size)
        memcpy(item->bytes + rec->key.len + rec->value.len, rec->topic, topic_size);
    *producer->last = item;
    producer->last = &item->next;
    if (producer->gathered_count++ == 0 && !producer->corked) {
        uint64_t one = 1; /* the serving thread must learn of the beat */
        ssize_t n = write(producer->fd, &one, sizeof(one));
        (void)n;
    }
    return 0;
}

int producer_send(struct producer *producer, const struct record *rec, const struct headers *headers, void *opaque)
{
    if (headers->overflow)
        return -EINVAL;
    if (atomic_load_explicit(&producer->failed, memory_order_relaxed))
        return -EPIPE;
    if (record_bytes(rec, headers) > producer->max_bytes)
        return -EMSGSIZE;
    rd_kafka_headers_t *list = native_headers(headers);
    int64_t before = atomic_fetch_add(&producer->in_flight, 1);
    pthread_mutex_lock(&producer->lock);
    rd_kafka_topic_t *rkt = topic_of(producer, rec->topic);
    bool at_once =
        !producer->corked && pace_may_send(&producer->pace, before, producer->gathered_count, clock_mono_ns());
    int err = at_once ? produce(producer, rkt, rec, list, opaque) : gather(producer, rkt, rec, list, opaque);
    pthread_mutex_unlock(&producer->lock);
    if (err) {
        if (!at_once)
            rd_kafka_headers_destroy(list);
        atomic_fetch_sub(&producer->in_flight, 1);
    }
    return err;
}

/* A gathered record that librdkafka refuses was accepted from its sender: it hears of it like of a failed delivery. */
static void refuse(struct producer *producer, struct gathered *item, int err)
{
    struct delivery delivery = {.opaque = item->opaque,
                                .partition = item->partition,
                                .offset = -1,
                                .error_text = err == -ENOBUFS ? "the producer's queue is full" : strerror(-err)};
    atomic_fetch_sub(&producer->in_flight, 1);
    producer->served++;
    if (producer->delivered)
        producer->delivered(producer->arg, &delivery);
}

static int send_gathered(struct producer *producer, const struct gathered *item)
{
    const char *value = item->bytes + item->key_len, *topic = value + item->value_len;
    const struct record rec = {.topic = topic,
                               .partition = item->partition,
                               .key = item->has_key ? slice_make(item->bytes, item->key_len) : SLICE_NONE,
                               .value = item->has_value ? slice_make(value, item->value_len) : SLICE_NONE};
    return produce(producer, item->rkt, &rec, item->headers, item->opaque);
}

/*
 * Sends what has gathered, in order. The lock is held while handing over, so that nothing overtakes. Once one is refused
 * a gapless producer refuses the rest too: a later record may build on it.
 */
static void beat(struct producer *producer, int64_t now_ns)
{
    struct gathered *refused = NULL, **refused_last = &refused;
    pthread_mutex_lock(&producer->lock);
    struct gathered *item = producer->first;
    producer->first = NULL;
    producer->last = &producer->first;
    producer->gathered_count = 0;
    if (item)
        pace_beat(&producer->pace, atomic_load(&producer->in_flight), now_ns);
    while (item) {
        struct gathered *next = item->next;
        int err = -ECANCELED;
        if (producer->gapless && refused)
            rd_kafka_headers_destroy(item->headers);
        else
            err = send_gathered(producer, item);
        if (err) {
            item->partition = err; /* kept for refuse() below, outside the lock */
            item->next = NULL;
            *refused_last = item;
            refused_last = &item->next;
        } else {
            free(item);
        }
        item = next;
    }
    pthread_mutex_unlock(&producer->lock);
    while (refused) {
        struct gathered *next = refused->next;
        refuse(producer, refused, refused->partition);
        free(refused);
        refused = next;
    }
}

/* Senders may hold things until they hear of their record: the consumed message that it answers, for one. */
static void cancel_all(struct producer *producer)
{
    struct gathered *item = producer->first;
    producer->first = NULL;
    producer->last = &producer->first;
    while (item) {
        struct gathered *next = item->next;
        rd_kafka_headers_destroy(item->headers);
        refuse(producer, item, -ECANCELED);
        free(item);
        item = next;
    }
    int64_t deadline = clock_mono_ns() + CANCEL_TIMEOUT_MS * CLOCK_NS_PER_MS;
    rd_kafka_purge(producer->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    while (atomic_load(&producer->in_flight) > 0 && clock_mono_ns() < deadline)
        rd_kafka_poll(producer->rk, 5);
}

void producer_close(struct producer *producer)
{
    if (!producer)
        return;
    if (producer->rk)
        cancel_all(producer);
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

int producer_fd(const struct producer *producer)
{
    return producer->fd;
}

int64_t producer_due_ns(const struct producer *producer)
{
    struct producer *mutable = (struct producer *)producer; /* the lock is not part of its value */
    pthread_mutex_lock(&mutable->lock);
    int64_t due = pace_due_ns(&producer->pace, producer->gathered_count);
    pthread_mutex_unlock(&mutable->lock);
    if (!atomic_load(&producer->connected) || atomic_load(&producer->suspect))
        due = due < producer->next_probe_ns ? due : producer->next_probe_ns;
    return due;
}

/* librdkafka says when it has lost every broker, not when it has one again: ask. */
static void probe(struct producer *producer, int64_t now_ns)
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

void producer_push(struct producer *producer, int64_t now_ns)
{
    pthread_mutex_lock(&producer->lock);
    bool due = pace_due_ns(&producer->pace, producer->gathered_count) <= now_ns;
    pthread_mutex_unlock(&producer->lock);
    if (due)
        beat(producer, now_ns);
}

int producer_serve(struct producer *producer, int64_t now_ns)
{
    rk_fd_clear(producer->fd);
    producer->served = 0;
    rd_kafka_poll(producer->rk, 0);
    producer_push(producer, now_ns);
    if (!atomic_load(&producer->connected) || atomic_load(&producer->suspect))
        probe(producer, now_ns);
    return (int)producer->served;
}

int producer_flush(struct producer *producer, int64_t timeout_ms)
{
    int64_t deadline = clock_mono_ns() + timeout_ms * CLOCK_NS_PER_MS;
    beat(producer, clock_mono_ns());
    while (atomic_load(&producer->in_flight) > 0) {
        if (clock_mono_ns() >= deadline)
            return -ETIMEDOUT;
        rd_kafka_poll(producer->rk, 5);
        beat(producer, clock_mono_ns());
    }
    return 0;
}

const char *producer_fatal(struct producer *producer)
{
    return atomic_load(&producer->failed) ? producer->fatal : NULL;
}

bool producer_connected(const struct producer *producer)
{
    return atomic_load_explicit(&producer->connected, memory_order_relaxed);
}

size_t producer_max_bytes(const struct producer *producer)
{
    return producer->max_bytes;
}

int64_t producer_in_flight(const struct producer *producer)
{
    return atomic_load_explicit(&producer->in_flight, memory_order_relaxed);
}

int32_t producer_warm(struct producer *producer, const char *topic, int64_t timeout_ms, struct bus_error *ret_error)
{
    pthread_mutex_lock(&producer->lock);
    rd_kafka_topic_t *rkt = topic_of(producer, topic);
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
