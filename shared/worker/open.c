/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's clients, partitions and pool: opening and closing them, and what the group gives and takes. */
#include "worker/open.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "lifecycle.h"
#include "log.h"
#include "worker/ops.h"
#include "worker/partition.h"
#include "worker/recover.h"
#include "worker/suspects.h"
#include "worker/work.h"

#define DRAIN_MS         1500
#define POOL_WAITING     65536
#define REPLY_TIMEOUT_MS 30000
#define POOL_STOP_MS     5000 /* a handler that was told to stop must return within 100 ms */

static void name_things(struct worker *worker)
{
    const struct config *config = worker->config;
    const char *name = worker->service->name, *group = config_string(config, "group");
    const char *dir = config_string(config, "state-dir");
    worker->instance = config_string(config, "instance-id");
    worker->reply_topics = config_string(config, "reply-topics");
    worker->control_topic = config_string(config, "control-topic");
    worker->dedupe_ms = config_int(config, "dedupe-window");
    worker->key_queue = (int)config_int(config, "key-queue");
    worker->breaker_settings = (struct breaker_settings){
        .keys = (int)config_int(config, "breaker-keys"),
        .window_ns = config_int(config, "breaker-window") * CLOCK_NS_PER_MS,
        .pause_ns = config_int(config, "breaker-pause") * CLOCK_NS_PER_MS,
        .pause_max_ns = config_int(config, "breaker-pause-max") * CLOCK_NS_PER_MS,
    };
    snprintf(worker->commands_topic, sizeof(worker->commands_topic), "%s.commands", name);
    snprintf(worker->events_topic, sizeof(worker->events_topic), "%s.events", name);
    snprintf(worker->dead_topic, sizeof(worker->dead_topic), "dlq.%s.commands", name);
    snprintf(worker->group, sizeof(worker->group), *group ? "%s" : "%s-workers", *group ? group : name);
    if (*dir)
        snprintf(worker->state_dir, sizeof(worker->state_dir), "%s", dir);
    else
        snprintf(worker->state_dir, sizeof(worker->state_dir), "./state/%s", *worker->instance ? worker->instance : name);
    for (const struct operation *op = worker->service->operations; op->type; op++) {
        assert(op->place == RUN_INLINE || op->kind == OPERATION_WRITE);
        worker->has_pool |= op->place == RUN_POOL;
    }
}

static int open_clients(struct worker *worker, struct bus_error *error)
{
    const struct producer_options events = {.settings = &worker->bus,
                                            .role = "events",
                                            .gapless = true,
                                            .corked = true,
                                            .delivered = partition_delivered,
                                            .arg = worker};
    const struct producer_options replies = {.settings = &worker->bus,
                                             .role = "replies",
                                             .corked = true,
                                             .repeatable = true, /* a caller takes the first reply with its correlation id */
                                             .unhurried = true, /* nothing waits for their acknowledgement but the commit */
                                             .message_timeout_ms = REPLY_TIMEOUT_MS,
                                             .delivered = partition_delivered,
                                             .arg = worker};
    int err = reader_open_brief(&worker->bus, "log", &worker->reader, error);
    if (!err)
        err = producer_open(&events, &worker->events, error);
    if (!err)
        err = producer_open(&replies, &worker->replies, error);
    return err;
}

/* The topics must be there and agree; a worker that starts before they are made waits for them. */
static int check_topics(struct worker *worker, struct bus_error *error)
{
    int32_t commands = reader_partition_count(worker->reader, worker->commands_topic, error);
    if (commands < 0)
        return commands;
    int32_t forward = producer_warm(worker->replies, worker->commands_topic, BUS_TIMEOUT_MS, error);
    if (forward < 0)
        return forward;
    int32_t events = producer_warm(worker->events, worker->events_topic, BUS_TIMEOUT_MS, error);
    if (events < 0)
        return events;
    int32_t dead = producer_warm(worker->replies, worker->dead_topic, BUS_TIMEOUT_MS, error);
    if (dead < 0)
        return dead;
    if (commands != events) {
        snprintf(error->text, sizeof(error->text),
                 "%.64s has %d partitions and %.64s has %d; both need the same number: make them anew with roundtrip-topics",
                 worker->commands_topic, commands, worker->events_topic, events);
        return -EINVAL;
    }
    worker->partition_count = commands;
    return 0;
}

static int await_topics(struct worker *worker, struct lifecycle *life, struct bus_error *error)
{
    for (;;) {
        int err = check_topics(worker, error);
        if (err == 0 || err == -EINVAL)
            return err;
        log_warn("waiting for Kafka and its topics", "error=\"%s\"", error->text);
        if (lifecycle_stop_within(life, 1000))
            return -EINTR;
    }
}

static void on_assigned(void *arg, const int32_t *partitions, const int64_t *committed, size_t count)
{
    struct worker *worker = arg;
    worker->assigned_once = true;
    for (size_t i = 0; i < count; i++) {
        if (partitions[i] < worker->partition_count)
            recover_assigned(&worker->partitions[partitions[i]], committed[i]);
        else
            worker_fail(worker, "cannot serve the topic", "it has more partitions now: give its events topic as many");
    }
}

static void serve_clients(struct worker *worker)
{
    int64_t now = clock_mono_ns();
    producer_serve(worker->events, now);
    producer_serve(worker->replies, now);
}

/* Neither pooled work nor another attempt is waited for: it may take minutes, and the next owner gets the command. */
static bool busy(const struct partition *p)
{
    for (const struct work *work = p->works; work; work = work->next) {
        if (work->stage != WORK_FINISHED && !work_undecided(work) && work->stage != WORK_QUEUED)
            return true;
    }
    return false;
}

static void wait_briefly(struct worker *worker)
{
    struct pollfd deliveries[] = {{.fd = producer_fd(worker->events), .events = POLLIN},
                                  {.fd = producer_fd(worker->replies), .events = POLLIN}};
    poll(deliveries, 2, 1);
}

static void on_revoked(void *arg, const int32_t *partitions, size_t count, bool lost)
{
    struct worker *worker = arg;
    int64_t deadline = clock_mono_ns() + DRAIN_MS * CLOCK_NS_PER_MS;
    int err = 0;
    for (size_t i = 0; i < count && !lost && !worker->failed; i++)
        suspects_pardon(&worker->partitions[partitions[i]]);
    for (size_t i = 0; i < count && !lost && !worker->failed; i++) {
        struct partition *p = &worker->partitions[partitions[i]];
        while (p->phase == PARTITION_SERVING && busy(p) && clock_mono_ns() < deadline) {
            serve_clients(worker);
            wait_briefly(worker);
        }
        if (!err && p->phase == PARTITION_SERVING && p->offsets.floor > p->position)
            err = consumer_commit_sync(worker->consumer, p->number, p->offsets.floor); /* none answers: do not ask for each */
    }
    for (size_t i = 0; i < count; i++) {
        if (partitions[i] < worker->partition_count)
            recover_revoked(&worker->partitions[partitions[i]]);
    }
}

static int make_partitions(struct worker *worker)
{
    size_t operations = 0;
    while (worker->service->operations[operations].type)
        operations++;
    worker->partitions = calloc((size_t)worker->partition_count, sizeof(*worker->partitions));
    worker->breakers = calloc(operations + 1, sizeof(*worker->breakers));
    if (!worker->partitions || !worker->breakers)
        return -ENOMEM;
    for (int32_t i = 0; i < worker->partition_count; i++) {
        worker->partitions[i].worker = worker;
        worker->partitions[i].number = i;
    }
    return 0;
}

/* Two workers on one local state would each undo the other's. */
static int lock_state_dir(struct worker *worker, struct bus_error *error)
{
    int err = state_lock(worker->state_dir, &worker->state_lock);
    if (err == -EWOULDBLOCK)
        snprintf(error->text, sizeof(error->text),
                 "another worker uses the state folder %.100s; give each its own --instance-id or --state-dir",
                 worker->state_dir);
    else if (err)
        snprintf(error->text, sizeof(error->text), "cannot use the state folder %.100s: %s", worker->state_dir,
                 strerror(-err));
    return err;
}

int worker_open(struct worker *worker, struct lifecycle *life, struct bus_error *error)
{
    name_things(worker);
    int err = worker_ops_open(worker);
    if (!err && worker->service->open)
        err = worker->service->open(worker->config, &worker->context);
    if (!err)
        err = open_clients(worker, error);
    if (!err)
        err = await_topics(worker, life, error);
    if (!err)
        err = make_partitions(worker);
    if (!err)
        err = lock_state_dir(worker, error);
    if (!err && worker->has_pool)
        err = pool_open((int)config_int(worker->config, "pool-threads"), POOL_WAITING, &worker->pool);
    if (err)
        return err;
    const struct consumer_options options = {.settings = &worker->bus,
                                             .topic = worker->commands_topic,
                                             .group = worker->group,
                                             .instance_id = worker->instance,
                                             .assigned = on_assigned,
                                             .revoked = on_revoked,
                                             .arg = worker};
    return consumer_open(&options, &worker->consumer, error);
}

void worker_close(struct worker *worker)
{
    worker->stopping = true;
    worker_ops_close(worker);
    if (worker->pool)
        pool_stop(worker->pool);
    consumer_leave(worker->consumer); /* drains and gives up the partitions */
    if (worker->pool && pool_drain(worker->pool, POOL_STOP_MS) != 0) { /* its thread would be waited for without end */
        log_error("a handler on the pool does not stop; this process ends without it, and its command is delivered again",
                  "told_ms_ago=%d", POOL_STOP_MS);
        _exit(1);
    }
    pool_close(worker->pool);
    if (worker->events && !worker->failed)
        producer_flush(worker->events, 500);
    if (worker->replies && !worker->failed)
        producer_flush(worker->replies, 500);
    producer_close(worker->events);
    producer_close(worker->replies);
    consumer_close(worker->consumer); /* last: what the pool and the producers had holds its messages */
    reader_close(worker->reader);
    if (worker->state_lock >= 0)
        close(worker->state_lock);
    for (int32_t i = 0; worker->partitions && i < worker->partition_count; i++)
        suspects_done(&worker->partitions[i]);
    if (worker->context)
        worker->service->close(worker->context);
    free(worker->partitions);
    free(worker->breakers);
    meters_free(worker->meters);
}
