/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus/consumer.h and bus/reader.h on the simulated wire: fetching, and the group seen from a member.
 *
 * What the coordinator says reaches the process's own threads when it runs and is connected, and the worker only when it
 * polls: a frozen owner goes on as if nothing had happened until then, with what it had fetched.
 */
#include "bus/consumer.h"
#include "bus/reader.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "broker.h"
#include "checks.h"

#define HEARTBEAT_NS (1 * SIM_S)
#define SESSION_NS   (6 * SIM_S)
#define RETRY_NS     (10 * SIM_S)
#define ORDERS_MAX   32

/* One partition as a client fetches it. */
struct feed {
    struct process *process;
    int incarnation;
    enum topic topic;
    int32_t partition;
    bool open, fetching;
    int64_t position, fetched; /* of the log: everything before it has been fetched */
};

struct order { /* from the group, for the next poll */
    enum { ORDER_REVOKE, ORDER_LOST, ORDER_ASSIGN } kind;
    int64_t generation;
    int32_t partitions[SIM_PARTITIONS];
    size_t count;
};

struct consumer {
    struct consumer_options options;
    struct process *process;
    int incarnation;
    struct feed feeds[SIM_PARTITIONS];
    int64_t generation, told, heard_at; /* told: of the newest assignment */
    bool assigned, left, revoking, first[SIM_PARTITIONS];
    int32_t partitions[SIM_PARTITIONS];
    size_t count;
    struct order orders[ORDERS_MAX];
    size_t order_count;
    const char *fatal;
};

struct reader {
    struct feed feeds[SIM_PARTITIONS];
};

/* ---- feeds ---- */

static bool feed_alive(const struct feed *feed)
{
    const struct process *p = feed->process;
    return feed->open && p->up && !p->dying && p->incarnation == feed->incarnation;
}

static void fetch(void *arg, int64_t value)
{
    struct feed *feed = arg;
    feed->fetching = false;
    if (!feed_alive(feed))
        return;
    int64_t at = process_connected_at(feed->process);
    if (at > world.now) {
        feed->fetching = true;
        sim_at(at, fetch, feed, 0);
        return;
    }
    feed->fetched = broker_end_offset(feed->topic, feed->partition);
    if (feed->fetched > feed->position)
        process_wake(feed->process);
}

static void feed_notify(struct feed *feed)
{
    if (!feed->open || feed->fetching)
        return;
    feed->fetching = true;
    sim_at(world.now + process_latency(feed->process), fetch, feed, 0);
}

static void feed_open(struct feed *feed, enum topic topic, int32_t partition, int64_t position)
{
    bool fetching = feed->fetching; /* an old fetch comes back all the same: it brings the end of the log */
    *feed = (struct feed){.process = world.current,
                          .incarnation = world.current->incarnation,
                          .topic = topic,
                          .partition = partition,
                          .open = true,
                          .fetching = fetching,
                          .position = position < 0 ? 0 : position};
    feed_notify(feed);
}

static long messages;

long messages_alive(void)
{
    return messages;
}

void message_free(struct message *msg)
{
    if (!msg)
        return;
    messages--;
    free(msg);
}

static struct message *feed_poll(struct feed *feed)
{
    if (!feed_alive(feed))
        return NULL;
    struct entry *entry = broker_next(feed->topic, feed->partition, &feed->position, feed->fetched);
    if (!entry)
        return NULL;
    struct message *msg = calloc(1, sizeof(*msg));
    assert(msg);
    messages++;
    msg->rec = entry->rec; /* the memory lives as long as the schedule */
    return msg;
}

void readers_notify(enum topic topic, int32_t partition)
{
    for (int i = 0; i < SIM_PROCESSES; i++) {
        struct process *p = &world.processes[i];
        if (!p->up || p->dying)
            continue;
        if (topic == TOPIC_COMMANDS && p->consumer)
            feed_notify(&p->consumer->feeds[partition]);
        if (topic == TOPIC_EVENTS && p->reader)
            feed_notify(&p->reader->feeds[partition]);
    }
}

/* ---- reader ---- */

static int open_reader(struct reader **ret_reader)
{
    *ret_reader = world.current->reader = sim_alloc(sizeof(**ret_reader));
    return 0;
}

int reader_open(const struct bus_settings *settings, const char *role, struct reader **ret_reader,
                struct bus_error *ret_error)
{
    return open_reader(ret_reader);
}

int reader_open_brief(const struct bus_settings *settings, const char *role, struct reader **ret_reader,
                      struct bus_error *ret_error)
{
    return open_reader(ret_reader);
}

void reader_close(struct reader *reader)
{
}

int reader_add(struct reader *reader, const char *topic, int32_t partition, int64_t offset)
{
    process_hiccup();
    feed_open(&reader->feeds[partition], TOPIC_EVENTS, partition, offset);
    return 0;
}

void reader_remove(struct reader *reader, const char *topic, int32_t partition)
{
    reader->feeds[partition].open = false;
}

int reader_fd(const struct reader *reader)
{
    return -1;
}

struct message *reader_poll(struct reader *reader, int timeout_ms)
{
    process_hiccup();
    for (int32_t p = 0; p < SIM_PARTITIONS; p++) {
        struct message *msg = feed_poll(&reader->feeds[p]);
        if (msg)
            return msg;
    }
    return NULL;
}

/* A question to the broker and its answer; false when there is none in time. */
static bool ask(int64_t timeout_ns, int64_t (*question)(int32_t), int32_t partition, int64_t *ret_answer)
{
    struct process *p = world.current;
    int64_t deadline = world.now + timeout_ns;
    process_wait(world.now + process_latency(p), false);
    while (p->cut_until > world.now && world.now < deadline && !p->dying)
        process_wait(p->cut_until < deadline ? p->cut_until : deadline, false);
    *ret_answer = question(partition);
    process_wait(world.now + process_latency(p), false);
    return world.now <= deadline && !p->dying;
}

static int64_t end_of_events(int32_t partition)
{
    return broker_end_offset(TOPIC_EVENTS, partition);
}

static int64_t end_of_commands(int32_t partition)
{
    return broker_end_offset(TOPIC_COMMANDS, partition);
}

int reader_watermarks(struct reader *reader, const char *topic, int32_t partition, int64_t *ret_low, int64_t *ret_high,
                      struct bus_error *ret_error)
{
    *ret_low = 0;
    if (ask(RETRY_NS, broker_topic(topic) == TOPIC_EVENTS ? end_of_events : end_of_commands, partition, ret_high))
        return 0;
    snprintf(ret_error->text, sizeof(ret_error->text), "no broker answers");
    return -ETIMEDOUT;
}

int reader_end(struct reader *reader, const char *topic, int32_t partition, int timeout_ms, int64_t *ret_high)
{
    return ask(timeout_ms * SIM_MS, end_of_events, partition, ret_high) ? 0 : -ETIMEDOUT;
}

int32_t reader_partition_count(struct reader *reader, const char *topic, struct bus_error *ret_error)
{
    return SIM_PARTITIONS;
}

const char *reader_cluster_id(struct reader *reader)
{
    return "simulated";
}

bool reader_connected(const struct reader *reader)
{
    return true;
}

const char *reader_fatal(const struct reader *reader)
{
    return NULL;
}

/* ---- the group, on the client's own threads ---- */

struct process *consumer_process(struct consumer *c)
{
    return c->process;
}

static bool alive(const struct consumer *c)
{
    const struct process *p = c->process;
    return p->up && !p->dying && p->incarnation == c->incarnation && !c->left && !c->fatal;
}

static struct order *give_order(struct consumer *c, int kind)
{
    assert(c->order_count < ORDERS_MAX);
    struct order *order = &c->orders[c->order_count++];
    *order = (struct order){.kind = kind};
    process_wake(c->process);
    return order;
}

static void join(void *arg, int64_t value)
{
    struct consumer *c = arg;
    if (!alive(c))
        return;
    int64_t at = process_connected_at(c->process);
    if (at > world.now)
        sim_at(at, join, c, 0);
    else
        group_join(c);
}

static void hear_assignment(void *arg, int64_t packed)
{
    struct consumer *c = arg;
    if (!alive(c))
        return;
    int64_t at = process_connected_at(c->process);
    if (at > world.now) {
        sim_at(at, hear_assignment, c, packed);
        return;
    }
    if (packed >> SIM_PARTITIONS < c->told)
        return; /* the answer to an older request, given up meanwhile */
    c->told = packed >> SIM_PARTITIONS;
    c->heard_at = world.now;
    c->revoking = false;
    struct order *order = give_order(c, ORDER_ASSIGN);
    order->generation = packed >> SIM_PARTITIONS;
    for (int32_t p = 0; p < SIM_PARTITIONS; p++) {
        if (packed & (1 << p))
            order->partitions[order->count++] = p;
    }
}

void consumer_told_assignment(struct consumer *c, int64_t generation, const int32_t *partitions, size_t count)
{
    int64_t packed = generation << SIM_PARTITIONS;
    for (size_t i = 0; i < count; i++)
        packed |= INT64_C(1) << partitions[i];
    sim_at(world.now + process_latency(c->process), hear_assignment, c, packed);
}

static void lose(struct consumer *c)
{
    if (c->revoking)
        return;
    c->revoking = true;
    give_order(c, ORDER_LOST);
}

static void heartbeat(void *arg, int64_t value)
{
    struct consumer *c = arg;
    if (!alive(c))
        return;
    int64_t at = process_connected_at(c->process);
    if (process_running_at(c->process) > world.now) {
        sim_at(at, heartbeat, c, 0);
        return;
    }
    sim_at(world.now + HEARTBEAT_NS / 2 + (int64_t)sim_below(HEARTBEAT_NS), heartbeat, c, 0);
    if (world.now - c->heard_at > SESSION_NS) {
        lose(c);
        c->heard_at = world.now;
        return;
    }
    if (at > world.now)
        return; /* cut off */
    enum heartbeat answer = group_heartbeat(c);
    if (answer != HEARTBEAT_FENCED && answer != HEARTBEAT_UNKNOWN)
        c->heard_at = world.now;
    if (answer == HEARTBEAT_FENCED) {
        c->fatal = "fenced by another process with the same instance id";
        process_wake(c->process);
    } else if (answer == HEARTBEAT_UNKNOWN) {
        lose(c);
    } else if (answer == HEARTBEAT_REBALANCE && !c->revoking) {
        c->revoking = true;
        give_order(c, ORDER_REVOKE);
    }
}

/* ---- the group, as the worker meets it ---- */

int consumer_open(const struct consumer_options *options, struct consumer **ret_consumer, struct bus_error *ret_error)
{
    struct consumer *c = sim_alloc(sizeof(*c));
    c->options = *options;
    c->process = world.current;
    c->incarnation = world.current->incarnation;
    c->heard_at = world.now;
    world.current->consumer = c;
    *ret_consumer = c;
    sim_at(world.now + process_latency(c->process), join, c, 0);
    sim_at(world.now + HEARTBEAT_NS, heartbeat, c, 0);
    return 0;
}

static void give_up(struct consumer *c, bool lost)
{
    for (int32_t p = 0; p < SIM_PARTITIONS; p++)
        c->feeds[p].open = false;
    if (c->assigned)
        c->options.revoked(c->options.arg, c->partitions, c->count, lost);
    c->assigned = false;
    c->count = 0;
}

static void take(struct consumer *c, const struct order *order)
{
    int64_t committed[SIM_PARTITIONS];
    if (c->assigned)
        give_up(c, true);
    c->generation = order->generation;
    for (size_t i = 0; i < order->count; i++) {
        while (!ask(RETRY_NS, group_committed, order->partitions[i], &committed[i]) && !c->process->dying)
            sim_say("%s: cannot read committed offsets; again", c->process->label);
    }
    if (c->process->dying)
        return;
    c->assigned = true;
    c->count = order->count;
    for (size_t i = 0; i < order->count; i++) {
        c->partitions[i] = order->partitions[i];
        c->first[order->partitions[i]] = true;
    }
    c->options.assigned(c->options.arg, c->partitions, committed, c->count);
}

static void obey(struct consumer *c)
{
    struct order order = c->orders[0];
    for (size_t i = 1; i < c->order_count; i++)
        c->orders[i - 1] = c->orders[i];
    c->order_count--;
    sim_say("%s: %s", c->process->label,
            order.kind == ORDER_ASSIGN ? "is assigned" : order.kind == ORDER_LOST ? "has lost its partitions" : "gives up its partitions");
    if (order.kind == ORDER_ASSIGN) {
        take(c, &order);
        return;
    }
    give_up(c, order.kind == ORDER_LOST);
    if (alive(c))
        sim_at(world.now + process_latency(c->process), join, c, 0);
}

struct message *consumer_poll(struct consumer *c)
{
    process_hiccup();
    while (alive(c) && c->order_count > 0)
        obey(c);
    for (int32_t p = 0; p < SIM_PARTITIONS && alive(c); p++) {
        struct message *msg = feed_poll(&c->feeds[p]);
        if (msg)
            return msg;
    }
    return NULL;
}

int consumer_resume(struct consumer *c, int32_t partition, int64_t offset)
{
    struct feed *feed = &c->feeds[partition];
    process_hiccup();
    if (!c->assigned)
        return -EINVAL;
    if (world.late_committed && c->first[partition]) /* a client that looks only now where to begin */
        offset = group_committed(partition);
    c->first[partition] = false;
    feed_open(feed, TOPIC_COMMANDS, partition, offset == CONSUMER_CONTINUE ? feed->position : offset);
    return 0;
}

int consumer_pause(struct consumer *c, int32_t partition)
{
    c->feeds[partition].open = false;
    return c->assigned ? 0 : -EINVAL;
}

struct commit {
    struct consumer *consumer;
    int64_t generation, offset;
    int32_t partition;
};

static void arrive(void *arg, int64_t value)
{
    struct commit *commit = arg;
    struct process *p = commit->consumer->process;
    if (p->incarnation == commit->consumer->incarnation && (p->cut_until > world.now || p->frozen_until > world.now)) {
        sim_at(process_connected_at(p), arrive, commit, 0);
        return;
    }
    if (!group_commit(commit->consumer, commit->generation, commit->partition, commit->offset))
        sim_say("%s: its commit is refused", p->label);
}

void consumer_commit(struct consumer *c, int32_t partition, int64_t next_offset)
{
    process_hiccup();
    if (!alive(c) || (!world.healed && sim_chance(10000)))
        return;
    struct commit *commit = sim_alloc(sizeof(*commit));
    *commit = (struct commit){c, c->generation, next_offset, partition};
    sim_at(world.now + process_latency(c->process), arrive, commit, 0);
}

int consumer_commit_sync(struct consumer *c, int32_t partition, int64_t next_offset)
{
    int64_t unused;
    if (!ask(500 * SIM_MS, group_committed, partition, &unused))
        return -ETIMEDOUT;
    return group_commit(c, c->generation, partition, next_offset) ? 0 : -EINVAL;
}

const char *consumer_fatal(struct consumer *c)
{
    return c->fatal;
}

int consumer_fd(const struct consumer *c)
{
    return -1;
}

void consumer_leave(struct consumer *c)
{
    if (!c || c->left || c->fatal)
        return;
    bool ghost = c->process->dying;
    give_up(c, ghost);
    c->left = true;
    if (!ghost && !c->process->dying)
        group_leave(c);
}

void consumer_close(struct consumer *c)
{
    if (!c)
        return;
    if (c->fatal) /* librdkafka gives nothing back then; a simulation of millions must */
        give_up(c, true);
    consumer_leave(c);
}
