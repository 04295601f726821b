/* SPDX-License-Identifier: Apache-2.0 */
/* The listener's routes, and the worker's metrics page. */
#include "worker/ops.h"

#include <errno.h>
#include <stdio.h>

#include "log.h"
#include "ops/debug.h"
#include "ops/pages.h"
#include "ops/server.h"
#include "settings.h"
#include "worker/look.h"

/** So long /debug/state waits for the loop. */
#define LOOK_MS 2000
/** The loop turns at least every 50 ms; so long beside what a handler may take says that it stands. */
#define STALLED_NS (INT64_C(60) * 1000 * CLOCK_NS_PER_MS)

/* ---- families ---- */

static const struct metrics_family ready = {"roundtrip_ready", METRICS_GAUGE, "1: it is ready for work, as /health/ready says.", {NULL}};
static const struct metrics_family consumed = {
    "messaging_client_consumed_messages", METRICS_COUNTER, "Commands taken up.",
    {"messaging_system", "messaging_operation_name", "messaging_destination_name", "messaging_consumer_group_name"}};
static const struct metrics_family processed = {
    "messaging_process_duration_seconds", METRICS_HISTOGRAM, "From taking a command up until its answer and its event are acknowledged.",
    {"messaging_system", "messaging_operation_name", "messaging_destination_name", "roundtrip_command_type", "roundtrip_outcome"}};
static const struct metrics_family waited = {
    "roundtrip_command_wait_duration_seconds", METRICS_HISTOGRAM, "From a command's timestamp (its producer's clock) until it was taken up.",
    {"messaging_destination_name", "roundtrip_command_type"}};
static const struct metrics_family handled = {
    "roundtrip_handler_duration_seconds", METRICS_HISTOGRAM, "What handlers took: inline, or on the pool.", {"roundtrip_command_type"}};
static const struct metrics_family dead = {
    "roundtrip_dead_letters", METRICS_COUNTER, "Commands put aside as dead letters.", {"messaging_destination_name", "roundtrip_dead_class"}};
static const struct metrics_family breaker = {
    "roundtrip_breaker_state", METRICS_GAUGE, "1 for the state in which the operation's breaker is.", {"roundtrip_command_type", "state"}};
static const struct metrics_family serving = {
    "roundtrip_partition_serving", METRICS_GAUGE, "1: the partition is ours and serves; 0: it is ours and does not yet.",
    {"messaging_destination_name", "messaging_destination_partition_id"}};
static const struct metrics_family lag = {
    "roundtrip_partition_lag_records", METRICS_GAUGE, "Commands of a partition of ours that are not done, as far as its consumer knows the log.",
    {"messaging_destination_name", "messaging_destination_partition_id"}};
static const struct metrics_family under_way = {
    "roundtrip_partition_commands", METRICS_GAUGE, "Commands of a partition of ours that are under way, in any stage.",
    {"messaging_destination_name", "messaging_destination_partition_id"}};
static const struct metrics_family held = {
    "roundtrip_partition_held_commands", METRICS_GAUGE, "Commands of a partition of ours that wait: behind another of the same key, or for another attempt.",
    {"messaging_destination_name", "messaging_destination_partition_id", "reason"}};
static const struct metrics_family state_bytes = {
    "roundtrip_state_bytes", METRICS_GAUGE, "The local copy's file: bytes in use, and the map it may fill before it is enlarged.",
    {"messaging_destination_partition_id", "kind"}};
static const struct metrics_family pool_threads = {"roundtrip_pool_threads", METRICS_GAUGE, "Threads for pooled operations, in each of the lanes short and long.", {NULL}};
static const struct metrics_family pool_tasks = {
    "roundtrip_pool_tasks", METRICS_GAUGE, "Pooled operations that run, and that wait for a thread, by lane.", {"roundtrip_lane", "state"}};

/* Counters of the loop, each a family. */
#define COUNTER(member, name, help) {{name, METRICS_COUNTER, help, {NULL}}, offsetof(struct worker_counters, member)}
static const struct {
    struct metrics_family family;
    size_t at;
} counters[] = {
    COUNTER(events, "roundtrip_events_appended", "Records appended to the event log, counts and tombstones too."),
    COUNTER(replies, "roundtrip_replies_sent", "Answers sent."),
    COUNTER(no_reply, "roundtrip_commands_unanswered", "Commands that said nowhere to answer to, or to a topic that is not allowed."),
    COUNTER(replayed, "roundtrip_commands_replayed", "Repeated commands, answered from their outcome."),
    COUNTER(refused, "roundtrip_commands_conflicting", "Commands whose id was used for another command."),
    COUNTER(expired, "roundtrip_commands_expired", "Commands whose deadline had passed before they were worked on."),
    COUNTER(forwarded, "roundtrip_commands_forwarded", "Commands that stood in the wrong partition."),
    COUNTER(faults, "roundtrip_faults", "Handlers that could not decide: a dependency failed."),
    COUNTER(retries, "roundtrip_retries", "Further attempts that were planned."),
    COUNTER(claims, "roundtrip_journal_claims", "Claims of partitions sent."),
    COUNTER(losses, "roundtrip_journal_claims_lost", "Claims given up before the partition was: a failed delivery, or another writer."),
    COUNTER(gaps, "roundtrip_journal_gaps", "Claims given up because another writer's record stood in the log."),
    COUNTER(void_events, "roundtrip_journal_void_events", "Events of deposed owners, met in replays: they count for nothing."),
};

static double counted(const _Atomic uint64_t *counter)
{
    return (double)atomic_load_explicit(counter, memory_order_relaxed);
}

static const char *type_of(const struct worker *worker, size_t i)
{
    return i < worker->meters->operation_count ? worker->service->operations[i].type : "_OTHER";
}

static void write_operations(const struct worker *worker, struct metrics_page *page)
{
    struct meters *meters = worker->meters;
    metrics_family(page, &processed);
    for (size_t i = 0; i <= meters->operation_count; i++) {
        for (int o = 0; o < METER_OUTCOMES; o++) {
            const struct metrics_histogram *ended = &meters->operations[i].ended[o];
            if (o == METER_OK || metrics_count(ended) > 0)
                metrics_sample_histogram(page, ended, METRICS_VALUES("kafka", "process", worker->commands_topic, type_of(worker, i),
                                                                     meters_outcome_name((enum meter_outcome)o)));
        }
    }
    metrics_family(page, &waited);
    for (size_t i = 0; i <= meters->operation_count; i++)
        metrics_sample_histogram(page, &meters->operations[i].waited, METRICS_VALUES(worker->commands_topic, type_of(worker, i)));
    metrics_family(page, &handled);
    for (size_t i = 0; i < meters->operation_count; i++)
        metrics_sample_histogram(page, &meters->operations[i].handled, METRICS_VALUES(type_of(worker, i)));
    metrics_family(page, &breaker);
    for (size_t i = 0; i < meters->operation_count; i++) {
        for (int phase = BREAKER_CLOSED; phase <= BREAKER_PROBING; phase++)
            metrics_sample(page, atomic_load(&meters->operations[i].breaker) == phase, METRICS_VALUES(type_of(worker, i), breaker_phase_name((enum breaker_phase)phase)));
    }
}

/* One family of the partitions that are ours. */
static void write_partitions(const struct worker *worker, struct metrics_page *page, const struct metrics_family *family)
{
    const struct partition_meter *partitions = atomic_load(&worker->meters->partitions);
    int32_t count = partitions ? atomic_load(&worker->meters->partition_count) : 0;
    metrics_family(page, family);
    for (int32_t i = 0; i < count; i++) {
        const struct partition_meter *p = &partitions[i];
        char number[12];
        int phase = atomic_load(&p->phase);
        int64_t behind = atomic_load(&p->lag);
        if (phase == PARTITION_AWAY)
            continue;
        snprintf(number, sizeof(number), "%d", (int)i);
        const char *const *values = METRICS_VALUES(worker->commands_topic, number);
        if (family == &serving)
            metrics_sample(page, phase == PARTITION_SERVING, values);
        else if (family == &lag && behind >= 0)
            metrics_sample(page, (double)behind, values);
        else if (family == &under_way)
            metrics_sample(page, (double)atomic_load(&p->commands), values);
        if (family == &held) {
            metrics_sample(page, (double)atomic_load(&p->queued), METRICS_VALUES(worker->commands_topic, number, "queued"));
            metrics_sample(page, (double)atomic_load(&p->retrying), METRICS_VALUES(worker->commands_topic, number, "retrying"));
        } else if (family == &state_bytes) {
            metrics_sample(page, counted(&p->state_used), METRICS_VALUES(number, "used"));
            metrics_sample(page, counted(&p->state_map), METRICS_VALUES(number, "map"));
        }
    }
}

static void write_pool(const struct worker *worker, struct metrics_page *page)
{
    static const char *const lanes[LANES] = {"short", "long", "coordinate"};
    struct pool *pool = atomic_load(&worker->meters->pool);
    struct pool_load load = {.threads = 0};
    if (pool)
        load = pool_load(pool);
    metrics_single(page, &pool_threads, load.threads);
    metrics_family(page, &pool_tasks);
    for (int lane = 0; lane < LANES; lane++) {
        metrics_sample(page, load.lane_running[lane], METRICS_VALUES(lanes[lane], "running"));
        metrics_sample(page, load.lane_waiting[lane], METRICS_VALUES(lanes[lane], "waiting"));
    }
}

static bool is_ready(const struct worker *worker)
{
    return atomic_load(&worker->meters->ready) && atomic_load(&worker->meters->connected);
}

static void write_page(void *arg, struct metrics_page *page)
{
    const struct worker *worker = arg;
    metrics_single(page, &ready, is_ready(worker));
    metrics_family(page, &consumed);
    metrics_sample(page, counted(&worker->count.commands), METRICS_VALUES("kafka", "poll", worker->commands_topic, worker->group));
    write_operations(worker, page);
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
        metrics_single(page, &counters[i].family, counted((const _Atomic uint64_t *)((const char *)&worker->count + counters[i].at)));
    metrics_family(page, &dead);
    for (int i = 0; i < METER_DEAD_CLASSES; i++)
        metrics_sample(page, counted(&worker->meters->dead[i]), METRICS_VALUES(worker->commands_topic, meters_dead_class(i)));
    static const struct metrics_family *const of_partitions[] = {&serving, &lag, &under_way, &held, &state_bytes};
    for (size_t i = 0; i < sizeof(of_partitions) / sizeof(of_partitions[0]); i++)
        write_partitions(worker, page, of_partitions[i]);
    write_pool(worker, page);
    void *context = atomic_load(&worker->meters->context);
    if (context && worker->service->metrics)
        worker->service->metrics(context, page);
}

/* ---- routes ---- */

static void show_metrics(void *context, const struct ops_request *req, struct ops_answer *answer)
{
    struct worker *worker = context;
    const struct process_identity identity = {config_program_name(worker->config), worker->bus.client_id};
    answer->content_type = pages_metrics(req->accept, &identity, write_page, worker, &answer->body);
    answer->status = 200;
}

bool worker_ops_is_live(int64_t turned_ns, int64_t limit_ns, int64_t now_ns)
{
    return turned_ns == 0 || now_ns - turned_ns < limit_ns + STALLED_NS;
}

static void show_live(void *context, const struct ops_request *req, struct ops_answer *answer)
{
    const struct worker *worker = context;
    int64_t limit_ns = config_int(worker->config, "handler-limit") * CLOCK_NS_PER_MS;
    if (!worker_ops_is_live(atomic_load(&worker->meters->turned_ns), limit_ns, clock_mono_ns())) {
        ops_problem(answer, 503, "The loop that works has stood still for longer than a handler may take: restart this process.");
        return;
    }
    answer->status = 200;
    answer->content_type = "application/json";
    buf_append_text(&answer->body, "{\"status\":\"live\"}\n");
}

static void show_ready(void *context, const struct ops_request *req, struct ops_answer *answer)
{
    const struct worker *worker = context;
    if (!is_ready(worker)) {
        ops_problem(answer, 503, atomic_load(&worker->meters->ready)
                                     ? "No Kafka broker can be reached (setting kafka)."
                                     : "It waits for Kafka and its topics, or for its partitions: see its log.");
        return;
    }
    answer->status = 200;
    answer->content_type = "application/json";
    buf_append_text(&answer->body, "{\"status\":\"ready\"}\n");
}

static void show_levels(void *context, const struct ops_request *req, struct ops_answer *answer)
{
    answer->status = 200;
    answer->content_type = "application/json";
    pages_show_levels(&answer->body);
}

static void set_levels(void *context, const struct ops_request *req, struct ops_answer *answer)
{
    char wrong[PAGES_WRONG_SIZE];
    if (pages_set_levels(req->body, wrong))
        show_levels(context, req, answer);
    else
        ops_problem(answer, 422, wrong);
}

/* A loop that stands still does not draw; that is said, and the rest is shown. */
static void show_debug(void *context, const struct ops_request *req, struct ops_answer *answer)
{
    struct worker *worker = context;
    const struct process_identity identity = {config_program_name(worker->config), worker->bus.client_id};
    debug_process(&answer->body, &identity);
    buf_append_text(&answer->body, ",");
    if (!look_ask(worker->meters->look, LOOK_MS, &answer->body))
        buf_append_text(&answer->body, "\"partitions\":null,\"breakers\":null");
    int64_t turned_ns = atomic_load(&worker->meters->turned_ns);
    struct pool *pool = atomic_load(&worker->meters->pool);
    struct pool_load load = {.threads = 0};
    if (pool)
        load = pool_load(pool);
    buf_printf(&answer->body, ",\"pool\":{\"threads\":%d,\"running\":%d,\"waiting\":%d},\"loop\":{\"turned_ms_ago\":%lld}",
               load.threads, load.running, load.waiting,
               turned_ns ? (long long)((clock_mono_ns() - turned_ns) / CLOCK_NS_PER_MS) : -1LL);
    buf_append_text(&answer->body, "}\n");
    answer->status = 200;
    answer->content_type = "application/json";
}

static const struct ops_route routes[] = {
    {"GET", "/metrics", false, show_metrics},     {"GET", "/health/live", true, show_live},
    {"GET", "/health/ready", true, show_ready},   {"GET", "/log-levels", false, show_levels},
    {"PUT", "/log-levels", false, set_levels},    {"GET", "/debug/state", false, show_debug},
    {NULL, NULL, false, NULL},
};

/* ---- opening ---- */

int worker_ops_open(struct worker *worker)
{
    const struct config *config = worker->config;
    int port = (int)config_int(config, "admin-port");
    const struct ops_options options = {.host = config_string(config, "admin-listen"),
                                        .token = config_string(config, "admin-token"),
                                        .port = port,
                                        .routes = routes,
                                        .context = worker};
    if (port < 0)
        return 0;
    worker->meters = meters_new(worker->service);
    if (!worker->meters)
        return -ENOMEM;
    worker->bus.measured = true;
    return ops_server_open(&options, &worker->ops);
}

/* The meters stay: what ends until the process does is still measured. */
void worker_ops_close(struct worker *worker)
{
    ops_server_close(worker->ops);
    worker->ops = NULL;
}

void worker_ops_describe(const struct worker *worker, char *ret_text, size_t size)
{
    if (worker->ops)
        snprintf(ret_text, size, "ready\nadmin %s\n", ops_server_url(worker->ops));
    else
        snprintf(ret_text, size, "ready\n");
}
