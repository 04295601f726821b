/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus/consumer.h on the simulated wire: the group seen from a member.
 *
 * What the coordinator says reaches the process's own threads when it runs and is connected, and the worker only when it
 * polls: a frozen owner goes on as if nothing had happened until then, with what it had fetched.
 */
#include "bus/consumer.h"

#include <assert.h>
#include <errno.h>

#include "feed.h"

#define HEARTBEAT_NS (1 * SIM_S)
#define SESSION_NS   (6 * SIM_S)
#define ORDERS_MAX   32

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

/* ---- the group, on the client's own threads ---- */

struct feed *consumer_feed(struct consumer *c, int32_t partition)
{
    return &c->feeds[partition];
}

struct process *consumer_process(struct consumer *c)
{
    return c->process;
}

static bool alive(const struct consumer *c)
{
    return process_alive(c->process, c->incarnation) && !c->left && !c->fatal;
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
        while (!broker_ask(BROKER_PATIENCE_NS, group_committed, order->partitions[i], &committed[i]) && !c->process->dying)
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
    if (!broker_ask(500 * SIM_MS, group_committed, partition, &unused))
        return -ETIMEDOUT;
    return group_commit(c, c->generation, partition, next_offset) ? 0 : -EINVAL;
}

int64_t consumer_end(struct consumer *c, int32_t partition)
{
    return -1;
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
