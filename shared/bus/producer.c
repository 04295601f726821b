/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending records and hearing what became of them.
 *
 * producer_send() either hands the record to librdkafka (idle) or keeps a copy in `gathered` (loaded); the serving thread
 * sends what has gathered when pace.h says so. `lock` guards the list and the pace, so order per partition is kept:
 * nothing is sent at once while something is gathered.
 */
#include "bus/producer_own.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"

#define CANCEL_TIMEOUT_MS 500
/** So long deliveries wait that nobody hurries for. Long against a round trip, so that mostly something else wakes the thread; short for who waits. */
#define UNHURRIED_NS (INT64_C(1) * CLOCK_NS_PER_MS)

static size_t record_bytes(const struct record *rec, const struct headers *headers)
{
    size_t size = 128 + rec->key.len + rec->value.len; /* 128: more than the framing of record and batch takes */
    for (size_t i = 0; i < headers->count; i++)
        size += strlen(headers->list[i].name) + headers->list[i].value.len + 8;
    return size;
}

/*
 * With `lock` held. Handles are made once a topic: looking one up by name inside librdkafka takes its global lock. NULL
 * when there are as many as are kept (callers choose reply topics, so their number is not ours): then by name.
 */
rd_kafka_topic_t *producer_topic(struct producer *producer, const char *name)
{
    for (size_t i = 0; i < producer->topic_count; i++) {
        if (strcmp(producer->topics[i].name, name) == 0)
            return producer->topics[i].rkt;
    }
    if (producer->topic_count == PRODUCER_TOPICS_MAX)
        return NULL;
    char *copy = strdup(name);
    rd_kafka_topic_t *rkt = copy ? rd_kafka_topic_new(producer->rk, name, NULL) : NULL;
    if (!rkt) {
        free(copy);
        return NULL;
    }
    size_t at = producer->topic_count++;
    producer->topics[at] = (struct topic_handle){copy, rkt};
    atomic_store_explicit(&producer->sends.topics[at].topic, copy, memory_order_release);
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
    int64_t before = atomic_fetch_add(&producer->in_flight, 1), now_ns = clock_mono_ns();
    if (before == 0)
        atomic_store_explicit(&producer->heard_ns, now_ns, memory_order_relaxed);
    pthread_mutex_lock(&producer->lock);
    rd_kafka_topic_t *rkt = producer_topic(producer, rec->topic);
    bool at_once = !producer->corked && pace_may_send(&producer->pace, before, producer->gathered_count, now_ns);
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
void producer_cancel_all(struct producer *producer)
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

int producer_fd(const struct producer *producer)
{
    return producer->fd;
}

/* When deliveries are to be looked at, though the descriptor says nothing. Serving thread. */
static int64_t serve_due_ns(const struct producer *producer)
{
    if (!producer->unhurried || atomic_load(&producer->in_flight) == 0)
        return INT64_MAX;
    int64_t heard_ns = atomic_load_explicit(&producer->heard_ns, memory_order_relaxed);
    return (heard_ns > producer->served_ns ? heard_ns : producer->served_ns) + UNHURRIED_NS;
}

int64_t producer_due_ns(const struct producer *producer)
{
    struct producer *mutable = (struct producer *)producer; /* the lock is not part of its value */
    pthread_mutex_lock(&mutable->lock);
    int64_t due = pace_due_ns(&producer->pace, producer->gathered_count);
    pthread_mutex_unlock(&mutable->lock);
    int64_t serve = serve_due_ns(producer);
    due = serve < due ? serve : due;
    if (!atomic_load(&producer->connected) || atomic_load(&producer->suspect))
        due = due < producer->next_probe_ns ? due : producer->next_probe_ns;
    return due;
}

static void send_due(struct producer *producer, int64_t now_ns)
{
    pthread_mutex_lock(&producer->lock);
    bool due = pace_due_ns(&producer->pace, producer->gathered_count) <= now_ns;
    pthread_mutex_unlock(&producer->lock);
    if (due)
        beat(producer, now_ns);
    if (!atomic_load(&producer->connected) || atomic_load(&producer->suspect))
        producer_probe(producer, now_ns);
}

/* A broker that is frozen, or that no packet reaches, is lost only when librdkafka's own time-outs are over. */
static void notice_silence(struct producer *producer, int64_t now_ns)
{
    if (producer->acknowledged)
        atomic_store_explicit(&producer->heard_ns, now_ns, memory_order_relaxed);
    else if (pace_is_silent(atomic_load(&producer->in_flight),
                            atomic_load_explicit(&producer->heard_ns, memory_order_relaxed), now_ns))
        atomic_store(&producer->suspect, true);
}

int producer_serve(struct producer *producer, int64_t now_ns)
{
    rk_fd_clear(producer->fd);
    producer->served = 0;
    producer->acknowledged = false;
    rd_kafka_poll(producer->rk, 0);
    producer->served_ns = now_ns;
    notice_silence(producer, now_ns);
    send_due(producer, now_ns);
    return (int)producer->served;
}

void producer_push(struct producer *producer, int64_t now_ns)
{
    send_due(producer, now_ns); /* first: somebody may wait for it */
    if (serve_due_ns(producer) <= now_ns)
        producer_serve(producer, now_ns);
}

void producer_answered(struct producer *producer, int64_t took_ns)
{
    pthread_mutex_lock(&producer->lock);
    pace_answered(&producer->pace, took_ns);
    pthread_mutex_unlock(&producer->lock);
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
