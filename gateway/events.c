/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the logs of events for the key index. */
#include "events.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "envelope.h"
#include "log.h"

/** Events taken in a row before replies are looked after. */
#define BURST 64
#define END_TIMEOUT_MS 500

int events_open(struct events *events, const struct events_options *options, struct bus_error *ret_error)
{
    const char *services[ROUTES_SERVICES_MAX];
    *events = (struct events){.options = *options};
    events->log_count = routes_services(services);
    for (size_t i = 0; i < events->log_count; i++) {
        struct event_log *log = &events->logs[i];
        log->service = link_service(options->link, services[i]);
        log->binds = routes_service_binds(services[i]);
        log->tail = log->binds || routes_service_copied(services[i]);
        snprintf(log->topic, sizeof(log->topic), "%s.events", services[i]);
    }
    return reader_open_unhurried(options->bus, "events", &events->reader, ret_error);
}

void events_close(struct events *events)
{
    for (size_t i = 0; i < events->log_count; i++) {
        struct event_log *log = &events->logs[i];
        for (int32_t p = 0; p < log->partitions; p++)
            reader_remove(events->reader, log->topic, p);
        free(log->claims);
        free(log->ends);
    }
    reader_close(events->reader);
    *events = (struct events){.reader = NULL};
}

int events_fd(const struct events *events)
{
    return reader_fd(events->reader);
}

/* As many partitions as commands have: a worker does not start when they differ. False: tried again at the next turn. */
static bool learn_ends(struct events *events, struct event_log *log, int32_t partitions)
{
    free(log->claims);
    free(log->ends);
    log->claims = calloc((size_t)partitions, sizeof(*log->claims));
    log->ends = calloc((size_t)partitions, sizeof(*log->ends));
    if (!log->claims || !log->ends)
        return false;
    /* asked for now: the end by the time Kafka is read may lie behind what is waited for */
    int err = reader_ends(events->reader, log->topic, partitions, END_TIMEOUT_MS, log->ends);
    if (err)
        log_debug("not all ends of a log of events are known", "topic=%s error=\"%s\"", log->topic, strerror(-err));
    return true;
}

static void follow(struct events *events, struct event_log *log, int32_t partitions)
{
    log->partitions = partitions;
    for (int32_t p = 0; p < partitions; p++) {
        int err = reader_add(events->reader, log->topic, p, log->tail ? READER_TAIL(EVENTS_TAIL) : log->ends[p]);
        if (!log->tail || log->ends[p] == READER_END)
            log->ends[p] = 0; /* nothing is waited for */
        if (err)
            log_warn("a log of events is not followed: keys used at other gateways and ends of operations are not all seen", "topic=%s partition=%d error=\"%s\"",
                     log->topic, (int)p, strerror(-err));
    }
}

/* All ends before the first partition is followed: reader_ends(). */
static void begin(struct events *events)
{
    int32_t found[ROUTES_SERVICES_MAX];
    for (size_t i = 0; i < events->log_count; i++) {
        struct event_log *log = &events->logs[i];
        found[i] = log->partitions > 0 ? 0 : atomic_load(&log->service->partitions);
        if (found[i] > 0 && !learn_ends(events, log, found[i]))
            found[i] = 0;
    }
    for (size_t i = 0; i < events->log_count; i++) {
        if (found[i] > 0)
            follow(events, &events->logs[i], found[i]);
    }
}

static bool all_read(const struct events *events)
{
    for (size_t i = 0; i < events->log_count; i++) {
        const struct event_log *log = &events->logs[i];
        for (int32_t p = 0; p < log->partitions; p++) {
            if (log->ends[p] > 0)
                return false;
        }
        if (log->partitions == 0)
            return false;
    }
    return true;
}

void events_advance(struct events *events, int64_t now_ns)
{
    struct health *health = events->options.health;
    if (health_has(health, HEALTH_KEYS))
        return;
    begin(events);
    for (size_t i = 0; i < events->log_count; i++) {
        if (events->logs[i].partitions > 0 && events->deadline_ns == 0)
            events->deadline_ns = now_ns + EVENTS_WAIT_NS;
    }
    bool late = events->deadline_ns && now_ns >= events->deadline_ns, read = all_read(events);
    if (!read && !late)
        return;
    if (!read)
        log_warn("not all keys used before the start are known; others' second use may not be refused", "waited_ms=%d",
                 (int)(EVENTS_WAIT_NS / CLOCK_NS_PER_MS));
    health_set(health, HEALTH_KEYS, true);
}

bool events_binds(struct journal_reader *reader, const struct record *rec, struct slice *ret_id)
{
    struct slice claim = envelope_claim_of(rec);
    if (claim.p) {
        journal_read_claim(reader, claim);
        return false;
    }
    struct slice id = record_header(rec, "ce_id");
    if (!rec->value.p || !rec->key.p || !id.p || !routes_entity_in_body(id) ||
        slice_is(record_header(rec, "ce_binding"), "false"))
        return false;
    if (reader->last.len > 0 && !journal_event_valid(reader, record_header(rec, "ce_claim")))
        return false;
    *ret_id = id;
    return true;
}

static void take(struct events *events, const struct record *rec, int64_t now_ms)
{
    struct slice id;
    for (size_t i = 0; i < events->log_count; i++) {
        struct event_log *log = &events->logs[i];
        if (strcmp(rec->topic, log->topic) != 0)
            continue;
        watch_fire(events->options.watch, record_header(rec, "ce_id"));
        degrade_saw_event(events->options.degrade, log->service->service, rec, log->ends[rec->partition] > 0, clock_mono_ns(),
                          now_ms);
        bool binds = log->binds && events_binds(&log->claims[rec->partition], rec, &id);
        if (rec->offset + 1 >= log->ends[rec->partition])
            log->ends[rec->partition] = 0;
        if (!binds)
            continue;
        idempotency_bind(events->options.keys, id, rec->key, rec->timestamp_ms, now_ms);
        stats_add(&events->options.stats->bound);
        log_debug("key seen", "id=\"%.*s\" partition=%d offset=%" PRId64, SLICE_ARG(id), (int)rec->partition,
                  rec->offset);
    }
}

bool events_read(struct events *events, int64_t now_ms)
{
    for (int i = 0; i < BURST; i++) {
        struct message *msg = reader_poll(events->reader, 0);
        if (!msg)
            return false;
        take(events, &msg->rec, now_ms);
        message_free(msg);
    }
    return true;
}
