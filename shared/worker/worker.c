/* SPDX-License-Identifier: Apache-2.0 */
/* The process of a worker: its settings and its one loop. Flow of a command: see runtime.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "broken.h"
#include "clock.h"
#include "lifecycle.h"
#include "log.h"
#include "loop.h"
#include "ops/server.h"
#include "settings.h"
#include "trace/trace.h"
#include "worker/meters.h"
#include "worker/open.h"
#include "worker/ops.h"
#include "worker/partition.h"
#include "worker/recover.h"
#include "worker/sweep.h"

#define TAKE_BATCH     256
#define LOG_TURN_NS    (INT64_C(5) * CLOCK_NS_PER_MS)
#define COMMIT_NS      (INT64_C(100) * CLOCK_NS_PER_MS)
#define POLL_ALL_NS    (INT64_C(50) * CLOCK_NS_PER_MS)

enum tag { TAG_SIGNAL, TAG_COMMANDS, TAG_LOG, TAG_EVENTS, TAG_REPLIES, TAG_POOL };
#define ALL_TAGS (~UINT32_C(0))

static const struct config_key worker_keys[] = {
    {"group", CONFIG_STRING, "", 0, 0, "consumer group; empty: <service>-workers"},
    {"state-dir", CONFIG_STRING, "", 0, 0, "folder of the rebuildable local state; empty: ./state/<instance>"},
    {"pool-threads", CONFIG_INT, "0", 0, 1024, "threads for long operations; 0: one a core"},
    {"reply-topics", CONFIG_STRING, "replies,replies.*", 0, 0,
     "topics that may be answered to, comma-separated; a trailing * matches a prefix"},
    {"dedupe-window", CONFIG_DURATION, "24h", 1000, INT64_C(31622400000), "how long a command id's outcome is kept"},
    {"handler-limit", CONFIG_DURATION, "30s", 100, 3600000,
     "a handler that blocks the worker for longer, or does not stop for so long after its deadline, ends the process"},
    {"key-queue", CONFIG_INT, "256", 1, 4096,
     "commands that may wait behind one of their key that is tried again, before the partition takes no more"},
    {"breaker-keys", CONFIG_INT, "5", 1, BREAKER_KEYS_MAX,
     "different keys whose commands must fail within breaker-window to take it for an outage, not for poison"},
    {"breaker-window", CONFIG_DURATION, "10s", 100, 600000, "see breaker-keys"},
    {"breaker-pause", CONFIG_DURATION, "1s", 10, 600000, "in an outage: time until one command is tried; doubles"},
    {"breaker-pause-max", CONFIG_DURATION, "30s", 10, 3600000, "the longest such pause"},
    {"control-topic", CONFIG_STRING, "control", 0, 0, "topic that says for operators which breakers are open"},
    {NULL, CONFIG_STRING, NULL, 0, 0, NULL},
};

void worker_fail(struct worker *worker, const char *what, const char *why)
{
    if (!worker->failed)
        log_error(what, "why=\"%s\"", why);
    worker->failed = true;
}

/* True when more may be waiting. */
static bool take_commands(struct worker *worker)
{
    for (int i = 0; i < TAKE_BATCH; i++) {
        struct message *msg = consumer_poll(worker->consumer);
        if (!msg)
            return false;
        if (msg->rec.partition < worker->partition_count)
            partition_take(&worker->partitions[msg->rec.partition], msg);
        else
            message_free(msg); /* on_assigned() has ended the process */
    }
    return true;
}

/* True when more may be waiting: a long replay must not keep the partitions that serve waiting. */
static bool take_log(struct worker *worker)
{
    int64_t end = clock_mono_ns() + LOG_TURN_NS;
    while (!worker->failed && clock_mono_ns() < end) {
        struct message *msg = reader_poll(worker->reader, 0);
        if (!msg)
            return false;
        recover_replay(worker, msg);
    }
    return true;
}

static void commit_floors(struct worker *worker, int64_t now_ns)
{
    if (now_ns < worker->commit_ns)
        return;
    worker->commit_ns = now_ns + COMMIT_NS;
    for (int32_t i = 0; i < worker->partition_count; i++) {
        struct partition *p = &worker->partitions[i];
        if (p->phase != PARTITION_SERVING || (!p->floor_dirty && !broken(BROKEN_EARLY_FINISH)))
            continue;
        p->floor_dirty = false;
        consumer_commit(worker->consumer, p->number, partition_commit_offset(p));
    }
}

static void note_ready(struct worker *worker, struct lifecycle *life)
{
    if (worker->ready || !worker->assigned_once)
        return;
    for (int32_t i = 0; i < worker->partition_count; i++) {
        enum partition_phase phase = worker->partitions[i].phase;
        if (phase != PARTITION_AWAY && phase != PARTITION_SERVING)
            return;
    }
    worker->ready = true;
    log_info("ready", "topic=%s group=%s", worker->commands_topic, worker->group);
    char text[160];
    worker_ops_describe(worker, text, sizeof(text));
    int err = lifecycle_ready(life, text);
    if (err)
        worker_fail(worker, "cannot write the ready file", strerror(-err));
}

static void check_fatal(struct worker *worker)
{
    const char *why = producer_fatal(worker->events);
    if (!why)
        why = producer_fatal(worker->replies);
    if (!why)
        why = consumer_fatal(worker->consumer);
    if (!why)
        why = reader_fatal(worker->reader);
    if (why)
        worker_fail(worker, "Kafka client failed for good; the process must be restarted", why);
}

static void tick(struct worker *worker, struct lifecycle *life)
{
    int64_t now = clock_mono_ns();
    watchdog_look(worker, now);
    for (int32_t i = 0; i < worker->partition_count; i++) {
        struct partition *p = &worker->partitions[i];
        if (p->phase == PARTITION_AWAY)
            continue;
        if (p->phase == PARTITION_SERVING)
            partition_tick(p, now);
        recover_tick(p, now);
        if (p->state)
            state_reads_end(p->state);
    }
    commit_floors(worker, now);
    sweep_tick(worker, now, clock_wall_ms());
    note_ready(worker, life);
    check_fatal(worker);
    meters_publish(worker, now);
}

static int64_t next_due(const struct worker *worker)
{
    int64_t due = clock_mono_ns() + POLL_ALL_NS, events = producer_due_ns(worker->events),
            replies = producer_due_ns(worker->replies);
    due = events < due ? events : due;
    due = replies < due ? replies : due;
    for (int32_t i = 0; i < worker->partition_count; i++) {
        int64_t p = partition_due_ns(&worker->partitions[i]);
        due = p < due ? p : due;
    }
    return due;
}

static int watch(struct worker *worker, struct lifecycle *life, struct loop *loop)
{
    int err = loop_add(loop, lifecycle_fd(life), TAG_SIGNAL);
    if (!err)
        err = loop_add(loop, consumer_fd(worker->consumer), TAG_COMMANDS);
    if (!err)
        err = loop_add(loop, reader_fd(worker->reader), TAG_LOG);
    if (!err)
        err = loop_add(loop, producer_fd(worker->events), TAG_EVENTS);
    if (!err)
        err = loop_add(loop, producer_fd(worker->replies), TAG_REPLIES);
    if (!err && worker->pool)
        err = loop_add(loop, pool_fd(worker->pool), TAG_POOL);
    return err;
}

static bool has(uint32_t fired, enum tag tag)
{
    return fired & (UINT32_C(1) << tag);
}

static void serve(struct producer *producer, bool fired)
{
    if (fired)
        producer_serve(producer, clock_mono_ns());
    else
        producer_push(producer, clock_mono_ns());
}

/* Every source is looked at when its descriptor says so, and all of them from time to time whatever they say. */
static void run(struct worker *worker, struct lifecycle *life, struct loop *loop)
{
    bool commands = false, log = false; /* more of them may be waiting */
    int64_t poll_all = 0;
    while (!worker->failed && !lifecycle_stopping(life)) {
        uint32_t fired = loop_wait(loop, commands || log ? 0 : next_due(worker));
        int64_t now = clock_mono_ns();
        if (now >= poll_all) {
            poll_all = now + POLL_ALL_NS;
            fired = ALL_TAGS;
        }
        if (has(fired, TAG_SIGNAL))
            lifecycle_check(life);
        if (has(fired, TAG_COMMANDS) || commands)
            commands = take_commands(worker);
        if (has(fired, TAG_LOG) || log)
            log = take_log(worker);
        if (worker->pool && has(fired, TAG_POOL))
            pool_serve(worker->pool);
        serve(worker->events, has(fired, TAG_EVENTS));
        serve(worker->replies, has(fired, TAG_REPLIES));
        tick(worker, life);
    }
}

static void say_goodbye(const struct worker *worker)
{
    const struct worker_counters *c = &worker->count;
    log_info("stopped",
             "commands=%llu events=%llu replies=%llu replayed=%llu expired=%llu refused=%llu forwarded=%llu "
             "dead_letters=%llu no_reply=%llu claims=%llu void_events=%llu faults=%llu retries=%llu",
             (unsigned long long)c->commands, (unsigned long long)c->events, (unsigned long long)c->replies,
             (unsigned long long)c->replayed, (unsigned long long)c->expired, (unsigned long long)c->refused,
             (unsigned long long)c->forwarded, (unsigned long long)c->dead_letters, (unsigned long long)c->no_reply,
             (unsigned long long)c->claims, (unsigned long long)c->void_events,
             (unsigned long long)c->faults, (unsigned long long)c->retries);
}

static int worker_run(const struct service *service, const char *name, const struct config *config, struct lifecycle *life)
{
    struct worker worker = {.service = service, .config = config, .bus = settings_bus(config), .state_lock = -1};
    struct bus_error error = {""};
    struct loop loop = {.epoll_fd = -1};
    int err = worker_open(&worker, life, &error);
    if (!err)
        err = trace_open(name, worker.instance);
    if (!err)
        err = watchdog_start(&worker.watchdog, config_int(config, "handler-limit") * CLOCK_NS_PER_MS);
    if (!err)
        err = loop_open(&loop);
    if (!err)
        err = watch(&worker, life, &loop);
    if (!err)
        run(&worker, life, &loop);
    else if (err != -EINTR)
        worker_fail(&worker, "cannot start", error.text[0] ? error.text : strerror(-err));
    watchdog_stop(&worker.watchdog);
    worker_close(&worker);
    trace_close();
    loop_close(&loop);
    say_goodbye(&worker);
    return worker.failed ? 1 : 0;
}

int worker_main(const struct service *service, int argc, char **argv)
{
    const struct config_key *const tables[] = {settings_common, worker_keys, ops_keys, service->settings, NULL};
    char name[64];
    snprintf(name, sizeof(name), "roundtrip-%s-worker", service->name);
    const struct config_program program = {.name = name, .summary = service->summary, .tables = tables};
    struct config *config;
    switch (config_load(&program, argc, argv, environ, stdout, stderr, &config)) {
    case CONFIG_EXIT:
        return 0;
    case CONFIG_WRONG:
        return 2;
    case CONFIG_RUN:
        break;
    }
    struct lifecycle life;
    if (settings_apply_log(config, name, config_string(config, "instance-id")) != 0) {
        config_free(config);
        return 2;
    }
    int status = 1, err = lifecycle_open(&life, config_string(config, "ready-file"));
    if (err == 0) {
        status = worker_run(service, name, config, &life);
        lifecycle_close(&life);
    } else {
        log_error("cannot start", "why=\"%s\"", strerror(-err));
    }
    config_free(config);
    return status;
}
