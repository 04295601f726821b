/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows the logs of events on the bus thread: tells who waits that a command is decided (watch.h), the key index what
 * other gateways' keys were used for, and degrade.h that the service lives and how its entities stand.
 *
 * Of services that have a route whose body names the entity, or that is answered from the copy, it begins EVENTS_TAIL
 * records of each partition before the end, of the others at the end.
 */
#ifndef ROUNDTRIP_GATEWAY_EVENTS_H
#define ROUNDTRIP_GATEWAY_EVENTS_H

#include "bus/reader.h"
#include "clock.h"
#include "degrade.h"
#include "health.h"
#include "idempotency.h"
#include "journal.h"
#include "link.h"
#include "stats.h"
#include "watch.h"

/** Records of each partition that are read at the start. */
#define EVENTS_TAIL 2000
/** Readiness waits this long at most for them. */
#define EVENTS_WAIT_NS (INT64_C(5000) * CLOCK_NS_PER_MS)

struct events_options {
    const struct bus_settings *bus;
    const struct link *link;
    struct idempotency *keys;
    struct watch *watch;
    struct degrade *degrade;
    struct health *health; /* HEALTH_KEYS: set when what was written before the start is read, or after EVENTS_WAIT_NS */
    struct stats *stats;
};

struct event_log {
    const struct service_topic *service;
    char topic[128];
    bool binds; /* for the key index, too */
    bool tail;  /* its newest records are read at the start */
    int32_t partitions;            /* 0: not read yet */
    struct journal_reader *claims; /* of each partition */
    int64_t *ends;                 /* of each partition: the log's end at the start; 0: it has been read */
};

/** Bus thread only, but for events_open() before and events_close() after it runs. */
struct events {
    struct events_options options;
    struct reader *reader;
    struct event_log logs[ROUTES_SERVICES_MAX];
    size_t log_count;
    int64_t deadline_ns; /* 0: not begun */
};

/** After link_open(). 0 or -errno and `ret_error`; waits for nothing. */
int events_open(struct events *events, const struct events_options *options, struct bus_error *ret_error)
    __attribute__((warn_unused_result));
void events_close(struct events *events);
int events_fd(const struct events *events); /* edge: read until events_read() says that there is no more */

/** Begins to read the logs whose partitions have become known: asks the broker for their ends. Says when it is done. */
void events_advance(struct events *events, int64_t now_ns);
/** Takes what has come, some of it; true when there may be more. `now_ms`: wall clock. */
bool events_read(struct events *events, int64_t now_ms);

/**
 * Does this record bind the Idempotency-Key of the command id `*ret_id`, which it borrows, to its own key?
 * Moves `reader` on. Void events do not bind; before the first claim it has met the claim in force is not
 * known, and any is taken: a void event's command comes again for the same entity, so that is no great harm.
 */
bool events_binds(struct journal_reader *reader, const struct record *rec, struct slice *ret_id);

#endif
