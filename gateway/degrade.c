/* SPDX-License-Identifier: Apache-2.0 */
/* Breakers and the copy, put to work for requests. */
#include "degrade.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "bus/reader.h"
#include "clock.h"
#include "copy.h"
#include "copy_feed.h"
#include "envelope.h"
#include "log.h"

#define NS_PER_S INT64_C(1000000000)

struct service {
    const char *name; /* static */
    bool copied;
    struct circuit circuit;
    _Atomic int64_t known_ns; /* when its copy was last known to be right; INT64_MIN: never. May lie before the clock's 0 */
    struct copy_feed feed;    /* bus thread only */
    _Atomic uint64_t refused; /* requests */
};

struct degrade {
    struct degrade_options options;
    struct copy *copy; /* NULL: none */
    size_t service_count;
    struct service services[ROUTES_SERVICES_MAX];
};

int degrade_new(const struct degrade_options *options, struct degrade **ret_degrade)
{
    const char *names[ROUTES_SERVICES_MAX];
    struct degrade *degrade = calloc(1, sizeof(*degrade));
    if (!degrade)
        return -ENOMEM;
    degrade->options = *options;
    if (options->serve_stale && options->copy_bytes && copy_new(options->copy_bytes, options->seed, &degrade->copy) != 0) {
        free(degrade);
        return -ENOMEM;
    }
    degrade->service_count = routes_services(names);
    for (size_t i = 0; i < degrade->service_count; i++) {
        struct service *service = &degrade->services[i];
        service->name = names[i];
        service->copied = degrade->copy && routes_service_copied(names[i]);
        service->feed = (struct copy_feed){.copy = degrade->copy, .service = names[i]};
        atomic_init(&service->known_ns, INT64_MIN);
        circuit_init(&service->circuit);
    }
    *ret_degrade = degrade;
    return 0;
}

void degrade_free(struct degrade *degrade)
{
    if (!degrade)
        return;
    for (size_t i = 0; i < degrade->service_count; i++) {
        circuit_done(&degrade->services[i].circuit);
        copy_feed_done(&degrade->services[i].feed);
    }
    copy_free(degrade->copy);
    free(degrade);
}

/* NULL: a name that is none of ours. */
static struct service *service_of(struct degrade *degrade, struct slice name)
{
    for (size_t i = 0; i < degrade->service_count; i++) {
        if (slice_is(name, degrade->services[i].name))
            return &degrade->services[i];
    }
    return NULL;
}

static const char *cause_text(const struct circuit_view *view)
{
    switch (view->cause) {
    case CIRCUIT_BY_SLOWNESS:
        return "it answers too slowly";
    case CIRCUIT_BY_PROBE:
        return "a probe failed";
    case CIRCUIT_BY_FAILURES:
        break;
    }
    return view->silent ? "it does not answer" : "it fails";
}

static void note(struct degrade *degrade, struct service *service, enum circuit_change change)
{
    struct circuit_view view;
    switch (change) {
    case CIRCUIT_SAME:
        return;
    case CIRCUIT_OPENED:
        view = circuit_look(&service->circuit);
        stats_add(&degrade->options.stats->breaker_opened);
        log_warn("breaker opens: requests for this service are refused", "for_service=%s reason=\"%s\" calls=%u failed=%u slow=%u pause_ms=%" PRId64,
                 service->name, cause_text(&view), view.opened_by.calls, view.opened_by.failed, view.opened_by.slow,
                 view.pause_ns / CLOCK_NS_PER_MS);
        return;
    case CIRCUIT_HASTENED:
        log_info("breaker ends its pause: the service was heard of", "for_service=%s", service->name);
        return;
    case CIRCUIT_PROBES_NOW:
        log_info("breaker is half open: one request at a time is tried", "for_service=%s", service->name);
        return;
    case CIRCUIT_CLOSED_AGAIN:
        log_info("breaker closes: the service answers", "for_service=%s", service->name);
        return;
    }
}

/* ---- reads from the copy ---- */

static int64_t age_s(struct service *service, int64_t now_ns)
{
    int64_t known_ns = atomic_load_explicit(&service->known_ns, memory_order_relaxed);
    return known_ns >= now_ns ? 0 : (now_ns - known_ns) / NS_PER_S;
}

/*
 * False: the answer is not touched, or to be set anew. Never 304, whatever If-None-Match says: that condition is about the
 * present state, which nobody knows, and a cache that asked with it would take its old answer for validated (nginx then
 * gives it to all as fresh, though the 304 says no-store).
 */
static bool answer_from_copy(struct degrade *degrade, struct service *service, struct exchange *x, int64_t now_ns)
{
    char etag[24];
    int64_t version, age;
    if (!x->route->copied || !service->copied || atomic_load(&service->known_ns) == INT64_MIN)
        return false;
    age = age_s(service, now_ns);
    if (!caching_takes_stale(&x->req, degrade->options.fresh_s, age))
        return false;
    answer_json(&x->answer, 200, SLICE(""));
    if (!copy_get(degrade->copy, service->name, x->draft.key, &version, &x->answer.own_body))
        return false;
    struct slice tag = slice_make(etag, (size_t)snprintf(etag, sizeof(etag), "\"%" PRId64 "\"", version));
    answer_header(&x->answer, "ETag", tag);
    caching_mark_stale(&x->answer, age);
    stats_add(&degrade->options.stats->stale);
    log_debug("answered from the copy", "id=\"%.*s\" age_s=%" PRId64, (int)x->draft.id_len, x->draft.id, age);
    return true;
}

/* Would answer_from_copy() do now? */
static bool has_copy(struct degrade *degrade, struct service *service, const struct exchange *x, int64_t now_ns)
{
    struct buf unused = {0};
    int64_t version;
    bool has = x->route->copied && service->copied && caching_takes_stale(&x->req, degrade->options.fresh_s, age_s(service, now_ns)) &&
               copy_get(degrade->copy, service->name, x->draft.key, &version, &unused);
    buf_done(&unused);
    return has;
}

/* ---- one request ---- */

static void refuse(struct degrade *degrade, struct service *service, struct exchange *x, int64_t retry_ns)
{
    struct circuit_view view = circuit_look(&service->circuit);
    int64_t seconds = (retry_ns + NS_PER_S - 1) / NS_PER_S;
    const char *how = view.cause == CIRCUIT_BY_SLOWNESS ? "answers too slowly" : "does not answer as it should";
    stats_add(&degrade->options.stats->breaker_refused);
    stats_add(&service->refused);
    answer_unavailable(&x->answer, seconds < 1 ? 1 : seconds > INT32_MAX ? INT32_MAX : (int)seconds,
                       "The service \"%s\" %s at present. The request was not sent and nothing was changed: repeat it after "
                       "Retry-After seconds.",
                       service->name, how);
}

bool degrade_admits(struct degrade *degrade, struct exchange *x, int64_t now_ns)
{
    struct service *service = service_of(degrade, slice_of(x->draft.service));
    const struct circuit_settings *settings = &degrade->options.circuit;
    enum circuit_change change;
    int64_t retry_ns = 0;
    if (!service)
        return true;
    bool admitted = circuit_admits(&service->circuit, settings, x->route->heavy, now_ns, &x->call, &retry_ns, &change);
    note(degrade, service, change);
    if (!admitted) {
        if (!answer_from_copy(degrade, service, x, now_ns))
            refuse(degrade, service, x, retry_ns);
        return false;
    }
    /* a later answer is too slow for a probe, and there is another */
    if (x->call.probe && x->wait_ms > settings->slow_ns / CLOCK_NS_PER_MS && has_copy(degrade, service, x, now_ns)) {
        x->wait_ms = settings->slow_ns / CLOCK_NS_PER_MS;
        x->preferred = false;
    }
    return true;
}

static bool failed(const struct received *part)
{
    return part->status == 0 || part->status == 503;
}

enum circuit_end degrade_end_of(enum outcome outcome, bool async, const struct received *parts, size_t count)
{
    if (outcome == OUTCOME_DEADLINE) /* one that would have been accepted waited for Kafka, not for the service */
        return async ? CIRCUIT_UNTRIED : CIRCUIT_UNANSWERED;
    if (outcome != OUTCOME_REPLIED)
        return CIRCUIT_UNTRIED;
    for (size_t i = 0; i < count; i++) {
        if (failed(&parts[i]))
            return CIRCUIT_REFUSED;
    }
    return CIRCUIT_ANSWERED;
}

void degrade_ended(struct degrade *degrade, struct exchange *x, enum outcome outcome, int64_t now_ns)
{
    if (x->call.generation == 0)
        return;
    struct service *service = service_of(degrade, slice_of(x->draft.service));
    if (service)
        note(degrade, service,
             circuit_ended(&service->circuit, &degrade->options.circuit, &x->call,
                           degrade_end_of(outcome, x->async, x->parts, x->part_count), now_ns));
    x->call.generation = 0; /* what it asks after this is about another command, and no call of its own */
}

bool degrade_rescues(struct degrade *degrade, struct exchange *x, int64_t now_ns)
{
    bool lost = x->outcome == OUTCOME_DEADLINE || (x->outcome == OUTCOME_REPLIED && failed(&x->parts[0]));
    if (!x->call.probe || !lost)
        return false;
    struct service *service = service_of(degrade, slice_of(x->draft.service));
    return service && answer_from_copy(degrade, service, x, now_ns);
}

/* ---- signs of life ---- */

/* Bus thread only. */
static void heard(struct degrade *degrade, struct service *service, int64_t at_ns)
{
    if (at_ns > atomic_load_explicit(&service->known_ns, memory_order_relaxed))
        atomic_store_explicit(&service->known_ns, at_ns, memory_order_relaxed);
    note(degrade, service, circuit_heard(&service->circuit, at_ns));
}

int64_t degrade_heard_ns(struct degrade *degrade, const char *name)
{
    struct service *service = service_of(degrade, slice_of(name));
    return service ? atomic_load_explicit(&service->known_ns, memory_order_relaxed) : INT64_MIN;
}

enum circuit_phase degrade_phase(struct degrade *degrade, const char *name)
{
    struct service *service = service_of(degrade, slice_of(name));
    return service ? circuit_look(&service->circuit).phase : CIRCUIT_CLOSED;
}

uint64_t degrade_refused(struct degrade *degrade, const char *name)
{
    struct service *service = service_of(degrade, slice_of(name));
    return service ? atomic_load_explicit(&service->refused, memory_order_relaxed) : 0;
}

size_t degrade_copy_bytes(struct degrade *degrade)
{
    return degrade->copy ? copy_bytes(degrade->copy) : 0;
}

void degrade_saw_reply(struct degrade *degrade, const struct record *rec, int64_t now_ns)
{
    struct slice type = record_header(rec, "ce_type"); /* "<service>.<verb>.reply" */
    const char *dot = type.len ? memchr(type.p, '.', type.len) : NULL;
    struct service *service = dot ? service_of(degrade, slice_make(type.p, (size_t)(dot - type.p))) : NULL;
    if (service)
        heard(degrade, service, now_ns);
}

/* A claim, a repair or a tombstone is not: a worker that writes them need not serve yet. */
static bool is_life(const struct record *rec)
{
    return rec->value.p && !envelope_claim_of(rec).p && (record_header(rec, "ce_id").p || envelope_key_reserved(rec->key));
}

void degrade_saw_event(struct degrade *degrade, const char *name, const struct record *rec, bool old, int64_t now_ns,
                       int64_t now_ms)
{
    struct service *service = service_of(degrade, slice_of(name));
    if (!service)
        return;
    if (service->copied)
        copy_feed_take(&service->feed, rec);
    if (!is_life(rec))
        return;
    if (!old) {
        heard(degrade, service, now_ns - READER_UNHURRIED_MS * CLOCK_NS_PER_MS); /* as long as it may have waited for its fetch */
        return;
    }
    int64_t ago_ms = now_ms - rec->timestamp_ms;
    int64_t known_ns = ago_ms > 0 ? now_ns - ago_ms * CLOCK_NS_PER_MS : now_ns;
    if (rec->timestamp_ms > 0 && known_ns > atomic_load(&service->known_ns))
        atomic_store(&service->known_ns, known_ns);
}

void degrade_describe(void *arg, struct buf *out)
{
    struct degrade *degrade = arg;
    buf_append_text(out, "\"services\":{");
    for (size_t i = 0; i < degrade->service_count; i++) {
        struct service *service = &degrade->services[i];
        buf_printf(out, "%s\"%s\":{\"breaker\":\"%s\"}", i ? "," : "", service->name,
                   circuit_phase_name(circuit_look(&service->circuit).phase));
    }
    buf_append_text(out, "}");
}
