/* SPDX-License-Identifier: Apache-2.0 */
/* From what the gateway counts and knows to families. */
#include "metrics_page.h"

#include <stddef.h>
#include <stdio.h>

static const struct metrics_family ready = {"roundtrip_ready", METRICS_GAUGE, "1: it is ready for work, as /health/ready says.", {NULL}};
static const struct metrics_family requests = {
    "http_server_request_duration_seconds", METRICS_HISTOGRAM,
    "From a request's head until its answer is sent; without a status: its client left, or it was cut off.",
    {"http_request_method", "http_route", "http_response_status_code", "url_scheme", "error_type"}};
static const struct metrics_family active = {"http_server_active_requests", METRICS_GAUGE, "Requests that are not over.", {"url_scheme"}};
static const struct metrics_family connections = {"roundtrip_http_connections", METRICS_GAUGE, "Open connections of clients.", {NULL}};
static const struct metrics_family hops = {
    "roundtrip_request_hop_duration_seconds", METRICS_HISTOGRAM,
    "Requests that were answered by a worker, hop by hop: receive, round_trip (of it: work), answer.", {"roundtrip_service", "roundtrip_hop"}};
static const struct metrics_family pending = {"roundtrip_pending_requests", METRICS_GAUGE, "Requests that wait for a worker.", {NULL}};
static const struct metrics_family pending_max = {
    "roundtrip_pending_requests_limit", METRICS_GAUGE, "How many may (setting max-pending).", {NULL}};
static const struct metrics_family limit = {
    "roundtrip_admission_limit_requests", METRICS_GAUGE, "Requests that may be under way at a service, as measured.",
    {"roundtrip_service", "kind"}};
static const struct metrics_family in_flight = {
    "roundtrip_admission_in_flight_requests", METRICS_GAUGE, "Requests that are under way at a service.", {"roundtrip_service", "kind"}};
static const struct metrics_family refusals = {
    "roundtrip_refusals", METRICS_COUNTER, "Good requests that were refused without being sent, by reason.",
    {"roundtrip_service", "reason"}};
static const struct metrics_family circuit = {
    "roundtrip_circuit_state", METRICS_GAUGE, "1 for the state in which the service's circuit breaker is.", {"roundtrip_service", "state"}};
static const struct metrics_family lag = {
    "roundtrip_consumer_group_lag_records", METRICS_GAUGE,
    "Commands that a service's workers have not done, as the brokers say: also when no worker runs.",
    {"messaging_destination_name", "messaging_destination_partition_id"}};
static const struct metrics_family replies = {
    "roundtrip_replies", METRICS_COUNTER, "Records of the replies topic, by what became of them.", {"result"}};
static const struct metrics_family copied = {"roundtrip_copy_bytes", METRICS_GAUGE, "Memory of the copy that answers while a service fails.", {NULL}};

/* Counters of stats.h that are a family each. */
#define COUNTER(member, name, help) {{name, METRICS_COUNTER, help, {NULL}}, offsetof(struct stats, member)}
static const struct {
    struct metrics_family family;
    size_t at;
} counters[] = {
    COUNTER(commands, "roundtrip_commands_sent", "Commands handed to the producer."),
    COUNTER(undelivered, "roundtrip_commands_undelivered", "Commands that Kafka did not take or did not confirm."),
    COUNTER(repeated, "roundtrip_commands_repeated", "Commands sent again because Kafka did not take them."),
    COUNTER(expired, "roundtrip_requests_expired", "Requests whose time was over before their answer came."),
    COUNTER(left, "roundtrip_requests_abandoned", "Requests whose client left while they waited."),
    COUNTER(stale, "roundtrip_stale_answers", "Requests answered from the copy, since their service fails."),
    COUNTER(reused, "roundtrip_reused_answers", "Computations answered with the answer that the same one had."),
    COUNTER(breaker_opened, "roundtrip_circuit_openings", "Times that a circuit breaker opened."),
    COUNTER(slow, "roundtrip_http_slow_connections", "Connections closed since their request was not complete in time."),
    COUNTER(turned_away, "roundtrip_http_refused_connections", "Connections beyond max-connections."),
};

static double counted(const _Atomic uint64_t *counter)
{
    return (double)atomic_load_explicit(counter, memory_order_relaxed);
}

/* ---- requests ---- */

/* Statuses from 500 on are errors of the server's, by the conventions; so is no answer at all. */
static void write_request(struct metrics_page *page, const struct metrics_histogram *histogram, struct measures_key key, bool tls)
{
    char status[12] = "";
    const char *method = key.method == METHOD_OTHER ? "_OTHER" : request_method_name(key.method);
    if (key.status > 0)
        snprintf(status, sizeof(status), "%d", key.status);
    metrics_sample_histogram(page, histogram,
                             METRICS_VALUES(method, key.route ? key.route->pattern : NULL, status, tls ? "https" : "http",
                                            key.status >= 500 ? status : key.status == 0 ? "cancelled" : NULL));
}

static void write_requests(const struct metrics_sources *from, struct metrics_page *page)
{
    metrics_family(page, &requests);
    for (size_t i = 0; i < METRICS_SERIES; i++) {
        const struct metrics_series *series = &from->measures->requests.series[i];
        uint32_t key = atomic_load_explicit(&series->key, memory_order_relaxed);
        if (key)
            write_request(page, &series->histogram, measures_unpack(&routes_public, key), from->tls);
    }
    if (metrics_count(&from->measures->requests.other) > 0)
        metrics_sample_histogram(page, &from->measures->requests.other, METRICS_VALUES("_OTHER", NULL, NULL, NULL, "_OTHER"));
    struct pool *pool = atomic_load(&from->pool);
    metrics_family(page, &active);
    metrics_sample(page, pool ? (double)pool_active(pool) : 0, METRICS_VALUES(from->tls ? "https" : "http"));
    metrics_single(page, &connections, pool ? (double)pool_connections(pool) : 0);
}

static void write_hops(const struct metrics_sources *from, struct metrics_page *page)
{
    static const char *const names[MEASURES_HOPS] = {"receive", "round_trip", "work", "answer"};
    metrics_family(page, &hops);
    for (size_t s = 0; s < from->link->service_count; s++) {
        for (int hop = 0; hop < MEASURES_HOPS; hop++)
            metrics_sample_histogram(page, &from->measures->hops[s][hop], METRICS_VALUES(from->link->services[s].service, names[hop]));
    }
}

/* ---- admission ---- */

static void write_limits(const struct admission *admission, struct metrics_page *page)
{
    metrics_family(page, &limit);
    for (size_t i = 0; i < admission->service_count; i++) {
        metrics_sample(page, limit_now(&admission->services[i].quick), METRICS_VALUES(admission->services[i].name, "quick"));
        metrics_sample(page, limit_now(&admission->services[i].heavy), METRICS_VALUES(admission->services[i].name, "heavy"));
    }
    metrics_family(page, &in_flight);
    for (size_t i = 0; i < admission->service_count; i++) {
        metrics_sample(page, limit_in_flight(&admission->services[i].quick), METRICS_VALUES(admission->services[i].name, "quick"));
        metrics_sample(page, limit_in_flight(&admission->services[i].heavy), METRICS_VALUES(admission->services[i].name, "heavy"));
    }
}

static void write_refusals(const struct metrics_sources *from, struct metrics_page *page)
{
    metrics_family(page, &refusals);
    for (size_t i = 0; i < from->admission->service_count; i++) {
        const struct admission_service *service = &from->admission->services[i];
        metrics_sample(page, counted(&service->refused_backlog), METRICS_VALUES(service->name, "backlog"));
        metrics_sample(page, counted(&service->refused_limit), METRICS_VALUES(service->name, "limit"));
        metrics_sample(page, (double)degrade_refused(from->degrade, service->name), METRICS_VALUES(service->name, "breaker"));
    }
    metrics_sample(page, counted(&from->stats->throttled), METRICS_VALUES(NULL, "client_rate"));
    metrics_sample(page, counted(&from->stats->unable), METRICS_VALUES(NULL, "not_ready"));
    metrics_sample(page, counted(&from->stats->full), METRICS_VALUES(NULL, "pending_full"));
}

static void write_circuits(const struct metrics_sources *from, struct metrics_page *page)
{
    metrics_family(page, &circuit);
    for (size_t i = 0; i < from->admission->service_count; i++) {
        const char *name = from->admission->services[i].name;
        enum circuit_phase phase = degrade_phase(from->degrade, name);
        for (int p = CIRCUIT_CLOSED; p <= CIRCUIT_HALF_OPEN; p++)
            metrics_sample(page, (int)phase == p, METRICS_VALUES(name, circuit_phase_name((enum circuit_phase)p)));
    }
    metrics_single(page, &copied, (double)degrade_copy_bytes(from->degrade));
}

static void write_lag(const struct metrics_sources *from, struct metrics_page *page)
{
    metrics_family(page, &lag);
    for (size_t i = 0; i < from->admission->service_count; i++) {
        const struct admission_service *service = &from->admission->services[i];
        const char *topic = link_service(from->link, service->name)->commands;
        for (int32_t p = 0; p < BACKLOG_PARTITIONS_MAX; p++) {
            int64_t behind = backlog_behind(&service->backlog, p);
            char number[12];
            snprintf(number, sizeof(number), "%d", (int)p);
            if (behind >= 0)
                metrics_sample(page, (double)behind, METRICS_VALUES(topic, number));
        }
    }
}

static void write_replies(const struct stats *stats, struct metrics_page *page)
{
    metrics_family(page, &replies);
    metrics_sample(page, counted(&stats->matched), METRICS_VALUES("matched"));
    metrics_sample(page, counted(&stats->late), METRICS_VALUES("late"));
    metrics_sample(page, counted(&stats->foreign), METRICS_VALUES("foreign"));
    metrics_sample(page, counted(&stats->duplicate), METRICS_VALUES("duplicate"));
    metrics_sample(page, counted(&stats->malformed), METRICS_VALUES("malformed"));
}

void metrics_page_write(void *sources, struct metrics_page *page)
{
    struct metrics_sources *from = sources;
    metrics_single(page, &ready, health_has(from->health, HEALTH_ALL));
    write_requests(from, page);
    write_hops(from, page);
    metrics_single(page, &pending, (double)pending_count(from->pending));
    metrics_single(page, &pending_max, (double)from->pending_max);
    write_limits(from->admission, page);
    write_refusals(from, page);
    write_circuits(from, page);
    write_lag(from, page);
    write_replies(from->stats, page);
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
        metrics_single(page, &counters[i].family,
                       counted((const _Atomic uint64_t *)((const char *)from->stats + counters[i].at)));
}
