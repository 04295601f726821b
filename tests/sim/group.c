/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The group coordinator: members, generations, assignments, committed offsets.
 *
 * The classic protocol, eager: in a rebalance everybody gives up everything and joins again. Who does not come is left
 * out when the time is over; who sends no heartbeat for the session time-out is removed. A static member that comes back
 * takes its place without a rebalance, and fences who had it.
 */
#include "broker.h"

#include <string.h>

#define SESSION_NS   (6 * SIM_S)
#define REBALANCE_NS (10 * SIM_S)
#define LOOK_NS      (250 * SIM_MS)

struct member {
    struct consumer *consumer; /* NULL: free */
    bool joined;
    int64_t heard_at;
};

static struct {
    int64_t generation, join_deadline;
    bool preparing;
    struct member members[SIM_PROCESSES]; /* by the number of the process */
    struct consumer *owner[SIM_PARTITIONS];
    int64_t committed[SIM_PARTITIONS];
    struct consumer *fenced[64];
    size_t fenced_count;
} group;

static struct member *member_of(const struct consumer *c)
{
    for (int i = 0; i < SIM_PROCESSES; i++) {
        if (group.members[i].consumer == c)
            return &group.members[i];
    }
    return NULL;
}

static void respond(struct consumer *c)
{
    int32_t partitions[SIM_PARTITIONS];
    size_t count = 0;
    for (int32_t p = 0; p < SIM_PARTITIONS; p++) {
        if (group.owner[p] == c)
            partitions[count++] = p;
    }
    consumer_told_assignment(c, group.generation, partitions, count);
}

static void complete(void)
{
    size_t n = 0;
    struct consumer *joined[SIM_PROCESSES];
    group.preparing = false;
    group.generation++;
    for (int i = 0; i < SIM_PROCESSES; i++) {
        struct member *member = &group.members[i];
        if (member->consumer && !member->joined)
            member->consumer = NULL;
        if (!member->consumer)
            continue;
        member->heard_at = world.now;
        joined[n++] = member->consumer;
    }
    for (int32_t p = 0; p < SIM_PARTITIONS; p++) /* range, from another one each time: placements should vary */
        group.owner[p] = n ? joined[((uint64_t)p + (uint64_t)group.generation / 2) % n] : NULL;
    sim_say("group: generation %lld with %zu members", (long long)group.generation, n);
    for (size_t i = 0; i < n; i++)
        respond(joined[i]);
}

static void complete_when_all_came(void)
{
    bool all = true;
    for (int i = 0; i < SIM_PROCESSES; i++)
        all &= !group.members[i].consumer || group.members[i].joined;
    if (group.preparing && all)
        complete();
}

static void rebalance(void)
{
    if (group.preparing)
        return;
    group.preparing = true;
    group.join_deadline = world.now + REBALANCE_NS;
    for (int i = 0; i < SIM_PROCESSES; i++)
        group.members[i].joined = false;
}

static void look(void *arg, int64_t value)
{
    for (int i = 0; i < SIM_PROCESSES; i++) {
        struct member *member = &group.members[i];
        if (!member->consumer || (group.preparing && member->joined) || world.now - member->heard_at <= SESSION_NS)
            continue;
        sim_say("group: the session of %s has expired", consumer_process(member->consumer)->label);
        member->consumer = NULL;
        rebalance();
    }
    if (group.preparing && world.now > group.join_deadline)
        complete();
    complete_when_all_came();
    sim_at(world.now + LOOK_NS, look, NULL, 0);
}

void group_begin(void)
{
    memset(&group, 0, sizeof(group));
    for (int32_t p = 0; p < SIM_PARTITIONS; p++)
        group.committed[p] = -1;
    sim_at(world.now + LOOK_NS, look, NULL, 0);
}

static void fence(struct consumer *old, struct consumer *by)
{
    sim_say("group: %s fences %s", consumer_process(by)->label, consumer_process(old)->label);
    group.fenced[group.fenced_count++ % (sizeof(group.fenced) / sizeof(group.fenced[0]))] = old;
    for (int32_t p = 0; p < SIM_PARTITIONS; p++) {
        if (group.owner[p] == old)
            group.owner[p] = by;
    }
}

static bool same_instance(const struct consumer *a, const struct consumer *b)
{
    return strcmp(consumer_process((struct consumer *)a)->instance, consumer_process((struct consumer *)b)->instance) == 0;
}

void group_join(struct consumer *c)
{
    struct member *mine = member_of(c);
    bool replaced = false;
    for (int i = 0; i < SIM_PROCESSES && !mine; i++) {
        struct member *member = &group.members[i];
        if (!member->consumer || !same_instance(member->consumer, c))
            continue;
        fence(member->consumer, c);
        member->consumer = c;
        mine = member;
        replaced = true;
    }
    if (!mine) {
        mine = &group.members[consumer_process(c)->number];
        *mine = (struct member){.consumer = c};
    }
    mine->heard_at = world.now;
    if (replaced && !group.preparing) {
        respond(c);
        return;
    }
    rebalance();
    mine->joined = true;
    complete_when_all_came();
}

void group_leave(struct consumer *c)
{
    struct member *member = member_of(c);
    if (!member)
        return;
    member->consumer = NULL;
    rebalance();
    complete_when_all_came();
}

enum heartbeat group_heartbeat(struct consumer *c)
{
    struct member *member = member_of(c);
    if (!member) {
        for (size_t i = 0; i < sizeof(group.fenced) / sizeof(group.fenced[0]); i++) {
            if (group.fenced[i] == c)
                return HEARTBEAT_FENCED;
        }
        return HEARTBEAT_UNKNOWN;
    }
    member->heard_at = world.now;
    return group.preparing && !member->joined ? HEARTBEAT_REBALANCE : HEARTBEAT_OK;
}

bool group_commit(struct consumer *c, int64_t generation, int32_t partition, int64_t offset)
{
    if (!member_of(c) || generation != group.generation)
        return false;
    sim_trace((uint64_t)offset);
    group.committed[partition] = offset;
    return true;
}

int64_t group_committed(int32_t partition)
{
    return group.committed[partition];
}
