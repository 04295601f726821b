/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What callers get while a service fails: a circuit breaker for each service (circuit.h), and reads from the copy of
 * its entities (copy.h), marked as stale, for who takes them.
 *
 * One request: degrade_admits() before anything is sent; degrade_ended() once its wait is over, or at once when it does
 * not come to wait. The bus thread tells of every reply and event, which are signs of life.
 *
 * Age of the copy: the time since this gateway last read an event or a reply of the service. Events that it reads
 * at its start are as old as their timestamp.
 */
#ifndef ROUNDTRIP_GATEWAY_DEGRADE_H
#define ROUNDTRIP_GATEWAY_DEGRADE_H

#include "caching.h"
#include "circuit.h"
#include "exchange.h"
#include "record.h"
#include "stats.h"

struct degrade;

struct degrade_options {
    struct circuit_settings circuit;
    size_t copy_bytes; /* 0: no copy */
    bool serve_stale;
    int64_t fresh_s;   /* freshness of answers, against which max-stale counts */
    uint64_t seed;     /* random */
    struct stats *stats;
};

/** For the services of the routes. 0 or -ENOMEM. */
int degrade_new(const struct degrade_options *options, struct degrade **ret_degrade) __attribute__((warn_unused_result));
void degrade_free(struct degrade *degrade); /* NULL is allowed */

/**
 * HTTP thread: may the exchange's command, which is ready, be sent? False: the answer is set, from the copy or 503. True:
 * degrade_ended() must follow; a read that is a probe, and could be answered from the copy, waits less.
 */
bool degrade_admits(struct degrade *degrade, struct exchange *x, int64_t now_ns) __attribute__((warn_unused_result));
/** Its owner: the wait for the command that was admitted ended so; OUTCOME_NONE: it was not sent. Else does nothing. */
void degrade_ended(struct degrade *degrade, struct exchange *x, enum outcome outcome, int64_t now_ns);
/** HTTP thread: a read that was a probe failed: true when it is answered from the copy instead. */
bool degrade_rescues(struct degrade *degrade, struct exchange *x, int64_t now_ns);

/** Bus thread: a record of the replies topic, whomever it is for. */
void degrade_saw_reply(struct degrade *degrade, const struct record *rec, int64_t now_ns);
/** Bus thread: a record of the service's events, `old`: from before this gateway started. `now_ms`: wall clock. */
void degrade_saw_event(struct degrade *degrade, const char *service, const struct record *rec, bool old, int64_t now_ns,
                       int64_t now_ms);

/** When this gateway last had a sign of life of the service, as far as it knows from before it started; INT64_MIN: never. Any
 * thread. */
int64_t degrade_heard_ns(struct degrade *degrade, const char *service);
/** How the service's breaker stands, how many requests it refused, and the memory of the copy in bytes. Any thread. */
enum circuit_phase degrade_phase(struct degrade *degrade, const char *service);
uint64_t degrade_refused(struct degrade *degrade, const char *service);
size_t degrade_copy_bytes(struct degrade *degrade);
/** Appends `"services":{"item":{"breaker":"closed"},…}`. Any thread. */
void degrade_describe(void *degrade, struct buf *out);

/** How the end of a wait counts. Pure. `parts`: of OUTCOME_REPLIED. */
enum circuit_end degrade_end_of(enum outcome outcome, bool async, const struct received *parts, size_t count);

#endif
