/* SPDX-License-Identifier: Apache-2.0 */
/* Bus and pool in memory; see fake_bus.h. */
#include "fake_bus.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define SENT_MAX    8192
#define LOG_MAX     8192
#define TASKS_MAX   64
#define CLIENTS_MAX 32

/* A record and the memory of everything in it. */
struct copy {
    struct record rec;
    struct header headers[RECORD_HEADERS_MAX];
    char *memory;
};

struct sent {
    struct copy *copy;
    void *opaque;
    bool delivered, landed;
    int64_t offset;
};

struct producer {
    struct worker *worker;
    bool events;
    int refuse;
    struct sent sent[SENT_MAX];
    size_t count;
};

struct reader {
    bool active;
    int64_t position;
};

struct consumer {
    char unused;
};

static struct producer *producers[CLIENTS_MAX];
static struct reader readers[CLIENTS_MAX];
static struct consumer consumers[CLIENTS_MAX];
static size_t producer_count, client_count;
static struct copy *event_log[LOG_MAX];
static int64_t log_count;
static struct pool_task *tasks[TASKS_MAX];
static size_t task_count;
static struct pool_task *begun;
static int64_t resumed_at;
static int pauses;
static long messages_alive;

/* ---- copies ---- */

static size_t bytes_of(const struct record *rec)
{
    size_t size = strlen(rec->topic) + 1 + rec->key.len + rec->value.len;
    for (size_t i = 0; i < rec->header_count; i++)
        size += strlen(rec->headers[i].name) + 1 + rec->headers[i].value.len;
    return size + 1;
}

static struct slice keep(char **at, struct slice s)
{
    if (!s.p)
        return SLICE_NONE;
    char *to = *at;
    if (s.len)
        memcpy(to, s.p, s.len);
    *at += s.len;
    return slice_make(to, s.len);
}

static const char *keep_text(char **at, const char *text)
{
    return keep(at, slice_make(text, strlen(text) + 1)).p;
}

static char *copy_record(const struct record *rec, struct record *ret_rec, struct header *ret_headers)
{
    char *memory = malloc(bytes_of(rec)), *at = memory;
    assert(memory);
    *ret_rec = *rec;
    ret_rec->topic = keep_text(&at, rec->topic);
    ret_rec->key = keep(&at, rec->key);
    ret_rec->value = keep(&at, rec->value);
    for (size_t i = 0; i < rec->header_count; i++)
        ret_headers[i] =
            (struct header){keep_text(&at, rec->headers[i].name), keep(&at, rec->headers[i].value)};
    ret_rec->headers = ret_headers;
    return memory;
}

static struct copy *copy_new(const struct record *rec)
{
    struct copy *copy = calloc(1, sizeof(*copy));
    assert(copy);
    copy->memory = copy_record(rec, &copy->rec, copy->headers);
    return copy;
}

static void copy_free(struct copy *copy)
{
    if (copy)
        free(copy->memory);
    free(copy);
}

struct message *fake_message(const struct record *rec)
{
    struct message *msg = calloc(1, sizeof(*msg));
    assert(msg && rec->header_count <= sizeof(msg->headers) / sizeof(msg->headers[0]));
    msg->native = copy_record(rec, &msg->rec, msg->headers);
    messages_alive++;
    return msg;
}

void message_free(struct message *msg)
{
    if (!msg)
        return;
    messages_alive--;
    free(msg->native);
    free(msg);
}

long fake_messages_alive(void)
{
    return messages_alive;
}

/* ---- connecting ---- */

static struct producer *producer_new(struct worker *worker, bool events)
{
    struct producer *producer = calloc(1, sizeof(*producer));
    assert(producer && producer_count < CLIENTS_MAX);
    producer->worker = worker;
    producer->events = events;
    producers[producer_count++] = producer;
    return producer;
}

void fake_bus_connect(struct worker *worker)
{
    assert(client_count < CLIENTS_MAX);
    worker->events = producer_new(worker, true);
    worker->replies = producer_new(worker, false);
    readers[client_count] = (struct reader){0};
    consumers[client_count] = (struct consumer){0};
    worker->reader = &readers[client_count];
    worker->consumer = &consumers[client_count++];
}

void fake_bus_reset(void)
{
    for (size_t i = 0; i < producer_count; i++) {
        for (size_t s = 0; s < producers[i]->count; s++)
            copy_free(producers[i]->sent[s].copy);
        free(producers[i]);
    }
    for (int64_t o = 0; o < log_count; o++)
        copy_free(event_log[o]);
    producer_count = client_count = task_count = 0;
    log_count = 0;
    begun = NULL;
    pauses = 0;
    resumed_at = 0;
}

/* ---- producers ---- */

int producer_send(struct producer *producer, const struct record *rec, const struct headers *headers,
                  void *opaque)
{
    int err = producer->refuse;
    producer->refuse = 0;
    if (err)
        return err;
    if (headers->overflow)
        return -EINVAL;
    assert(producer->count < SENT_MAX);
    struct record whole = *rec;
    whole.headers = headers->list;
    whole.header_count = headers->count;
    if (bytes_of(&whole) > FAKE_MAX_BYTES)
        return -EMSGSIZE;
    producer->sent[producer->count++] =
        (struct sent){.copy = copy_new(&whole), .opaque = opaque, .offset = -1};
    return 0;
}

bool producer_connected(const struct producer *producer)
{
    return true;
}

size_t producer_max_bytes(const struct producer *producer)
{
    return FAKE_MAX_BYTES;
}

size_t fake_sent_count(const struct producer *producer)
{
    return producer->count;
}

const struct record *fake_sent(const struct producer *producer, size_t n)
{
    assert(n < producer->count);
    return &producer->sent[n].copy->rec;
}

size_t fake_waiting(const struct producer *producer)
{
    size_t waiting = 0;
    for (size_t i = 0; i < producer->count; i++)
        waiting += !producer->sent[i].delivered;
    return waiting;
}

static void land(struct producer *producer, struct sent *sent)
{
    if (producer->events && !sent->landed)
        sent->offset = fake_log_append(&sent->copy->rec);
    sent->landed = true;
}

void fake_land(struct producer *producer)
{
    size_t i = 0;
    while (i < producer->count && (producer->sent[i].delivered || producer->sent[i].landed))
        i++;
    assert(i < producer->count);
    land(producer, &producer->sent[i]);
}

static const char too_large[] = "too large";

static void deliver(struct producer *producer, bool written, bool offset_known, const char *error_text)
{
    size_t i = 0;
    while (i < producer->count && producer->sent[i].delivered)
        i++;
    assert(i < producer->count);
    struct sent *sent = &producer->sent[i];
    if (written)
        land(producer, sent);
    sent->delivered = true;
    struct delivery delivery = {.opaque = sent->opaque,
                                .partition = sent->copy->rec.partition,
                                .offset = offset_known ? sent->offset : -1,
                                .error_text = error_text,
                                .maybe_written = error_text && written,
                                .too_large = error_text == too_large};
    partition_delivered(producer->worker, &delivery);
}

void fake_acknowledge(struct producer *producer)
{
    deliver(producer, true, true, NULL);
}

void fake_acknowledge_blindly(struct producer *producer)
{
    deliver(producer, true, false, NULL);
}

void fake_fail(struct producer *producer)
{
    deliver(producer, false, false, "failed by the test");
}

void fake_fail_too_large(struct producer *producer)
{
    deliver(producer, false, false, too_large);
}

void fake_fail_written(struct producer *producer)
{
    deliver(producer, true, false, "failed by the test");
}

void fake_refuse(struct producer *producer, int err)
{
    producer->refuse = err;
}

/* ---- the log and its reader ---- */

int64_t fake_log_append(const struct record *rec)
{
    assert(log_count < LOG_MAX);
    struct copy *copy = copy_new(rec);
    copy->rec.offset = log_count;
    copy->rec.partition = 0;
    event_log[log_count] = copy;
    return log_count++;
}

int64_t fake_log_end(void)
{
    return log_count;
}

const struct record *fake_log(int64_t offset)
{
    assert(offset >= 0 && offset < log_count);
    return &event_log[offset]->rec;
}

int reader_add(struct reader *reader, const char *topic, int32_t partition, int64_t offset)
{
    reader->active = true;
    reader->position = offset < 0 ? 0 : offset;
    return 0;
}

void reader_remove(struct reader *reader, const char *topic, int32_t partition)
{
    reader->active = false;
}

struct message *reader_poll(struct reader *reader, int timeout_ms)
{
    if (!reader->active || reader->position >= log_count)
        return NULL;
    return fake_message(&event_log[reader->position++]->rec);
}

int reader_begin(struct reader *reader, const char *topic, int32_t partition, int timeout_ms, int64_t *ret_low)
{
    *ret_low = 0;
    return 0;
}

int reader_end(struct reader *reader, const char *topic, int32_t partition, int timeout_ms, int64_t *ret_high)
{
    *ret_high = strstr(topic, ".events") ? log_count : 0;
    return 0;
}

const char *reader_cluster_id(struct reader *reader)
{
    return "fake";
}

/* ---- the consumer ---- */

int consumer_resume(struct consumer *consumer, int32_t partition, int64_t offset)
{
    resumed_at = offset;
    return 0;
}

int consumer_pause(struct consumer *consumer, int32_t partition)
{
    pauses++;
    return 0;
}

int64_t fake_resumed_at(void)
{
    return resumed_at;
}

int fake_pauses(void)
{
    return pauses;
}

int32_t bus_partition_of(struct slice key, int32_t partitions)
{
    return key.len && key.p[0] == '9' ? 1 % partitions : 0;
}

/* ---- the pool ---- */

int pool_submit(struct pool *pool, struct pool_task *task)
{
    if (task_count == TASKS_MAX)
        return -EAGAIN;
    tasks[task_count++] = task;
    return 0;
}

struct pool_load pool_load(struct pool *pool)
{
    return (struct pool_load){.threads = 1, .waiting = (int)task_count, .running = begun != NULL};
}

size_t fake_tasks(void)
{
    return task_count;
}

void fake_begin_task(void)
{
    assert(task_count > 0 && !begun);
    begun = tasks[0];
    memmove(tasks, tasks + 1, --task_count * sizeof(tasks[0]));
    begun->run(begun->arg);
    begun->ran = true;
}

void fake_end_task(void)
{
    struct pool_task *task = begun;
    begun = NULL;
    task->done(task->arg, task->ran);
}

void fake_run_task(void)
{
    fake_begin_task();
    fake_end_task();
}

void worker_fail(struct worker *worker, const char *what, const char *why)
{
    worker->failed = true;
}

int64_t consumer_end(struct consumer *consumer, int32_t partition)
{
    return -1;
}
