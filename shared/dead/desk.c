/* SPDX-License-Identifier: Apache-2.0 */
/* Reading letters and the control topic, and writing to it. What operators ask is answered with these: desk_letters.c, desk_jobs.c. */
#include "dead/desk_own.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "log.h"

#define POLL_MS          100
#define SEND_TIMEOUT_MS  30000
#define ROOM_BYTES       4096 /* for what a redriven command says of its death */

static void settled(void *arg, const struct delivery *delivery)
{
    struct dead_write *write = delivery->opaque;
    if (write) {
        write->too_large = delivery->too_large;
        write->settled(write, delivery->error_text);
    } else if (delivery->error_text) {
        log_warn("a record of the control topic was not written", "error=\"%s\"", delivery->error_text);
    }
}

int dead_desk_open(struct dead_desk *desk, const struct bus_settings *bus, const char *control, struct dead_error *ret_error)
{
    struct bus_error error = {""};
    const struct producer_options producer = {
        .settings = bus, .role = "dead-letters", .message_timeout_ms = SEND_TIMEOUT_MS, .extra_bytes = ROOM_BYTES, .delivered = settled};
    *desk = (struct dead_desk){.control = control, .control_next = -1};
    desk->book = dead_book_new();
    int err = desk->book ? reader_open(bus, "control", &desk->news, &error) : -ENOMEM;
    if (!err)
        err = reader_open_brief(bus, "dead-letters", &desk->reader, &error);
    if (!err)
        err = reader_open_brief(bus, "dead-letter", &desk->places, &error);
    if (!err)
        err = producer_open(&producer, &desk->producer, &error);
    if (!err)
        return 0;
    dead_error_set(ret_error, "%s", error.text[0] ? error.text : strerror(-err));
    dead_desk_close(desk);
    return err;
}

void dead_desk_close(struct dead_desk *desk)
{
    producer_close(desk->producer);
    reader_close(desk->reader);
    reader_close(desk->places);
    reader_close(desk->news);
    dead_book_free(desk->book);
    *desk = (struct dead_desk){.control_next = -1};
}

int dead_desk_write(struct dead_desk *desk, const char *kind, const char *name, struct slice value, struct dead_write *write)
{
    char key[DEAD_BOOK_KEY_SIZE];
    struct headers none;
    headers_init(&none);
    dead_book_key(kind, name, key);
    const struct record rec = {.topic = desk->control, .partition = 0, .offset = -1, .key = slice_of(key), .value = value};
    return producer_send(desk->producer, &rec, &none, write);
}

int dead_desk_follow(struct dead_desk *desk, int timeout_ms)
{
    struct message *msg = reader_poll(desk->news, timeout_ms);
    bool lost = reader_fatal(desk->news) != NULL;
    if (msg) {
        desk->control_next = msg->rec.offset + 1;
        lost |= !dead_book_apply(desk->book, &msg->rec);
        message_free(msg);
    }
    return lost ? -ENOMEM : 0;
}

/* The next record of what that reader reads, and what is new in the control topic. */
static struct message *take(struct dead_desk *desk, struct reader *reader, int timeout_ms, int *ret_err)
{
    struct message *msg = reader_poll(reader, timeout_ms);
    *ret_err = dead_desk_follow(desk, 0);
    if (reader_fatal(reader))
        *ret_err = -ENOMEM;
    if (!*ret_err)
        return msg;
    message_free(msg);
    return NULL;
}

int dead_desk_ends(struct dead_desk *desk, const char *topic, int32_t partition, int64_t *ret_low, int64_t *ret_high,
                   struct dead_error *ret_error)
{
    int err = reader_begin(desk->reader, topic, partition, DEAD_TIMEOUT_MS, ret_low);
    if (!err)
        err = reader_end(desk->reader, topic, partition, DEAD_TIMEOUT_MS, ret_high);
    if (err == -ENOENT)
        dead_error_set(ret_error, "there is no partition %s/%d", topic, partition);
    else if (err)
        dead_error_set(ret_error, "cannot find the ends of %s/%d: %s; is Kafka running?", topic, partition, strerror(-err));
    return err;
}

static int begin_control(struct dead_desk *desk, struct dead_error *ret_error)
{
    struct bus_error error = {""};
    if (desk->control_next >= 0)
        return 0;
    int32_t partitions = reader_partition_count(desk->news, desk->control, &error);
    if (partitions < 0) {
        dead_error_set(ret_error, "%s", error.text);
        return partitions;
    }
    int err = reader_add(desk->news, desk->control, 0, READER_BEGINNING);
    if (err)
        dead_error_set(ret_error, "cannot read topic %s: %s", desk->control, strerror(-err));
    else
        desk->control_next = 0;
    return err;
}

int dead_desk_refresh(struct dead_desk *desk, struct dead_error *ret_error)
{
    int64_t low = 0, high = 0, until_ns = clock_mono_ns() + DEAD_TIMEOUT_MS * CLOCK_NS_PER_MS;
    int err = begin_control(desk, ret_error);
    if (!err)
        err = dead_desk_ends(desk, desk->control, 0, &low, &high, ret_error);
    while (!err && desk->control_next < high && low < high) {
        int64_t before = desk->control_next;
        err = dead_desk_follow(desk, POLL_MS);
        if (desk->control_next > before)
            until_ns = clock_mono_ns() + DEAD_TIMEOUT_MS * CLOCK_NS_PER_MS;
        if (!err && clock_mono_ns() > until_ns)
            err = -ETIMEDOUT;
        if (err)
            dead_error_set(ret_error, "topic %s cannot be read to its end: %s", desk->control, strerror(-err));
    }
    return err;
}

struct found_topics {
    char services[DEAD_SERVICES_MAX][DEAD_SERVICE_SIZE];
    int32_t partitions[DEAD_SERVICES_MAX];
    size_t count;
    bool more;
};

static void note_topic(void *arg, const char *topic, int32_t partitions)
{
    struct found_topics *found = arg;
    char service[DEAD_SERVICE_SIZE];
    if (!dead_topic_service(slice_of(topic), service))
        return;
    if (found->count == DEAD_SERVICES_MAX) {
        found->more = true;
        return;
    }
    size_t at = found->count++;
    for (; at > 0 && strcmp(found->services[at - 1], service) > 0; at--) { /* sorted by name */
        memcpy(found->services[at], found->services[at - 1], DEAD_SERVICE_SIZE);
        found->partitions[at] = found->partitions[at - 1];
    }
    memcpy(found->services[at], service, DEAD_SERVICE_SIZE);
    found->partitions[at] = partitions;
}

static int add_topic(struct dead_desk *desk, const char *service, int32_t partitions, struct dead_spans *spans,
                     struct dead_error *ret_error)
{
    char topic[DEAD_TOPIC_SIZE];
    dead_topic_of(service, topic);
    for (int32_t p = 0; p < partitions; p++) {
        int64_t low, high;
        int err = dead_desk_ends(desk, topic, p, &low, &high, ret_error);
        if (!err && low < high && !dead_spans_add(spans, service, p, low, high))
            err = -ENOMEM;
        if (err)
            return err;
    }
    return 0;
}

int dead_desk_spans(struct dead_desk *desk, const char *service, struct dead_spans *ret_spans, struct dead_error *ret_error)
{
    struct bus_error error = {""};
    struct found_topics found = {.count = 0};
    bool known = !*service;
    int err = reader_each_topic(desk->reader, note_topic, &found, &error);
    *ret_spans = (struct dead_spans){NULL, 0};
    if (err)
        dead_error_set(ret_error, "%s", error.text);
    for (size_t i = 0; !err && i < found.count; i++) {
        if (*service && strcmp(service, found.services[i]) != 0)
            continue;
        known = true;
        err = add_topic(desk, found.services[i], found.partitions[i], ret_spans, ret_error);
    }
    if (!err && !known) {
        err = -ENOENT;
        dead_error_set(ret_error, "there is no service \"%.60s\": no topic dlq.%.60s.commands", service, service);
    } else if (!err && found.more) {
        err = -E2BIG;
        dead_error_set(ret_error, "there are more than %d topics of dead letters: name a service", DEAD_SERVICES_MAX);
    }
    if (err)
        dead_spans_done(ret_spans);
    return err;
}

static void end_span(struct dead_desk *desk, struct dead_scan *scan)
{
    dead_desk_stop(desk, scan);
    scan->span++;
    scan->offset = 0;
}

void dead_desk_stop(struct dead_desk *desk, struct dead_scan *scan)
{
    char topic[DEAD_TOPIC_SIZE];
    if (!scan->reading)
        return;
    const struct dead_span *span = &scan->spans->list[scan->span];
    dead_topic_of(span->service, topic);
    reader_remove(desk->reader, topic, span->partition);
    scan->reading = false;
}

/* Begins to read the span the scan stands at; true when there is nothing of it (any more). */
static bool begin_span(struct dead_desk *desk, struct dead_scan *scan, int *ret_err, struct dead_error *ret_error)
{
    const struct dead_span *span = &scan->spans->list[scan->span];
    char topic[DEAD_TOPIC_SIZE];
    int64_t low, high, next = scan->offset > span->begin ? scan->offset : span->begin;
    dead_topic_of(span->service, topic);
    *ret_err = dead_desk_ends(desk, topic, span->partition, &low, &high, ret_error);
    if (*ret_err == -ENOENT) { /* the topic was deleted: a job must not wait for it, and others behind the job */
        *ret_err = 0;
        return true;
    }
    if (*ret_err)
        return false;
    scan->offset = next > low ? next : low;
    if (scan->offset >= span->end || scan->offset >= high)
        return true;
    *ret_err = reader_add(desk->reader, topic, span->partition, scan->offset);
    if (*ret_err)
        dead_error_set(ret_error, "cannot read %s/%d: %s", topic, span->partition, strerror(-*ret_err));
    else
        scan->reading = true;
    scan->heard_ns = clock_mono_ns();
    return false;
}

int dead_desk_next(struct dead_desk *desk, struct dead_scan *scan, int timeout_ms, struct message **ret_msg,
                   struct dead_error *ret_error)
{
    int64_t until_ns = clock_mono_ns() + timeout_ms * CLOCK_NS_PER_MS;
    int err = 0;
    while (scan->span < scan->spans->count) {
        const struct dead_span *span = &scan->spans->list[scan->span];
        if (scan->reading ? scan->offset >= span->end : begin_span(desk, scan, &err, ret_error)) {
            end_span(desk, scan);
            continue;
        }
        struct message *msg = err ? NULL : take(desk, desk->reader, timeout_ms < POLL_MS ? timeout_ms : POLL_MS, &err);
        if (err)
            return err;
        if (!msg && clock_mono_ns() - scan->heard_ns > DEAD_TIMEOUT_MS * CLOCK_NS_PER_MS)
            dead_desk_stop(desk, scan); /* has Kafka deleted what is left of it? */
        if (!msg && clock_mono_ns() >= until_ns)
            return -EAGAIN;
        if (!msg)
            continue;
        scan->heard_ns = clock_mono_ns();
        scan->offset = msg->rec.offset + 1;
        if (msg->rec.offset < span->end) {
            *ret_msg = msg;
            return 1;
        }
        message_free(msg);
    }
    return 0;
}

int dead_desk_next_or_fail(struct dead_desk *desk, struct dead_scan *scan, struct message **ret_msg, struct dead_error *ret_error)
{
    int got = dead_desk_next(desk, scan, DEAD_TIMEOUT_MS, ret_msg, ret_error);
    if (got != -EAGAIN)
        return got;
    dead_error_set(ret_error, "Kafka gave no dead letter within %d s; is it running at that address?", DEAD_TIMEOUT_MS / 1000);
    return -ETIMEDOUT;
}

struct message *dead_desk_record(struct dead_desk *desk, const char *topic, int32_t partition, int64_t offset,
                                 struct dead_error *ret_error)
{
    int64_t low, high, until_ns = clock_mono_ns() + DEAD_TIMEOUT_MS * CLOCK_NS_PER_MS;
    struct message *msg = NULL;
    int err = dead_desk_ends(desk, topic, partition, &low, &high, ret_error);
    if (err)
        return NULL;
    if (offset < low || offset >= high || reader_add(desk->places, topic, partition, offset) != 0) {
        dead_error_set(ret_error, "there is nothing at %s/%d/%lld (any more)", topic, partition, (long long)offset);
        return NULL;
    }
    while (!msg && !err && clock_mono_ns() < until_ns)
        msg = take(desk, desk->places, POLL_MS, &err);
    reader_remove(desk->places, topic, partition);
    if (msg && msg->rec.offset == offset)
        return msg;
    dead_error_set(ret_error, "there is nothing at %s/%d/%lld (any more)", topic, partition, (long long)offset);
    message_free(msg);
    return NULL;
}

struct message *dead_desk_original(struct dead_desk *desk, const struct dead_letter *letter, struct dead_error *ret_error)
{
    char topic[DEAD_TOPIC_SIZE];
    dead_commands_topic_of(letter->id.service, topic); /* whatever the header says: nothing else is ours to read */
    return dead_desk_record(desk, topic, (int32_t)letter->origin_partition, letter->origin_offset, ret_error);
}
