/* SPDX-License-Identifier: Apache-2.0 */
/* Kills, freezes, cuts, doubles and damaged folders; see faults.h. */
#include "faults.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker.h"

struct profile profile_draw(uint64_t seed)
{
    static const int64_t wires[] = {50 * SIM_US, 300 * SIM_US, 3 * SIM_MS};
    static const unsigned hiccups[] = {0, 300, 1500, 5000};
    world.random = seed ^ UINT64_C(0xd1b54a32d192ed03);
    bool aged = sim_below(8) == 0; /* long enough for windows to pass and compaction to work */
    return (struct profile){.run_ns = aged ? 120 * SIM_S : 8 * SIM_S + (int64_t)sim_below(20 * SIM_S),
                            .dedupe_ms = aged ? 40000 : 600000,
                            .think_ns = aged ? 600 * SIM_MS : 10 * SIM_MS + (int64_t)sim_below(150 * SIM_MS),
                            .fault_ns = aged ? 8 * SIM_S : 300 * SIM_MS + (int64_t)sim_below(3 * SIM_S),
                            .hiccup = hiccups[sim_below(4)],
                            .wire_ns = wires[sim_below(3)],
                            .bombs = !aged && sim_below(6) == 0 ? 1 + (int)sim_below(2) : 0,
                            .faulty = sim_below(2) ? (unsigned)sim_below(40) : !aged && sim_below(3) == 0 ? 600 : 0};
}

/* ---- folders ---- */

static void copy_file(const char *from, const char *to)
{
    char buffer[65536];
    ssize_t n;
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    while (in >= 0 && out >= 0 && (n = read(in, buffer, sizeof(buffer))) > 0) {
        if (write(out, buffer, (size_t)n) != n)
            break;
    }
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
}

static void damage_copy(const struct process *p, int32_t partition, int kind)
{
    char dir[160], data[200], boot[200], old[200];
    struct stat size;
    snprintf(dir, sizeof(dir), "%s/thing.events-%d", p->dir, partition);
    snprintf(data, sizeof(data), "%s/data.mdb", dir);
    snprintf(boot, sizeof(boot), "%s/boot", dir);
    snprintf(old, sizeof(old), "%s/old-copy", dir);
    if (stat(data, &size) != 0)
        return;
    if (kind == 0) {
        unlink(data);
    } else if (kind == 1) {
        if (truncate(data, size.st_size / 2) != 0)
            unlink(data);
    } else if (kind == 2) {
        unlink(boot); /* as if the machine had gone down */
    } else if (kind == 3 && access(old, F_OK) == 0) {
        copy_file(old, data); /* an old backup */
    } else {
        copy_file(data, old);
    }
}

static void damage(const struct process *p)
{
    if (p->up || sim_below(3) != 0)
        return;
    int kind = (int)sim_below(7);
    world.faults++;
    sim_say("the folder of %s: damage %d", p->label, kind);
    for (int32_t partition = 0; partition < SIM_PARTITIONS; partition++)
        damage_copy(p, partition, kind);
}

/* ---- processes ---- */

static void terminate(struct process *p)
{
    sim_say("%s gets SIGTERM", p->label);
    p->stopping = true;
    process_wake(p);
}

static void freeze(struct process *p)
{
    int64_t time = sim_below(2) ? (int64_t)sim_below(2 * SIM_S) : 5 * SIM_S + (int64_t)sim_below(8 * SIM_S);
    sim_say("%s is frozen for %.3f s", p->label, (double)time / 1e9);
    process_freeze(p, world.now + time);
}

static void cut(struct process *p)
{
    int64_t time = sim_below(2) ? (int64_t)sim_below(2 * SIM_S) : (int64_t)sim_below(11 * SIM_S);
    sim_say("%s is cut off for %.3f s", p->label, (double)time / 1e9);
    p->cut_until = world.now + time;
}

static void slow(struct process *p)
{
    sim_say("the wire of %s is slow", p->label);
    p->slow_until = world.now + (int64_t)sim_below(4 * SIM_S);
}

static void end_twin(void *arg, int64_t incarnation)
{
    struct process *p = arg;
    if (p->incarnation == incarnation)
        process_kill(p);
}

static void twin(void)
{
    struct process *p = &world.processes[SIM_PROCESSES - 1];
    if (p->up)
        return;
    process_start(p);
    sim_at(world.now + 500 * SIM_MS + (int64_t)sim_below(9 * SIM_S), end_twin, p, p->incarnation);
}

static void outage(void)
{
    int64_t until = world.now + (int64_t)sim_below(7 * SIM_S);
    sim_say("Kafka is away for %.3f s", (double)(until - world.now) / 1e9);
    for (int i = 0; i < SIM_PROCESSES; i++)
        world.processes[i].cut_until = until;
}

static void strike(void *arg, int64_t value)
{
    if (world.healed)
        return;
    sim_at(world.now + sim_spread(world.profile.fault_ns), strike, NULL, 0);
    struct process *p = &world.processes[sim_below(SIM_PROCESSES)];
    uint64_t kind = sim_below(20);
    world.faults++;
    if (kind == 0)
        outage();
    else if (kind <= 2)
        twin();
    else if (!p->up)
        damage(p);
    else if (kind <= 7)
        process_kill(p);
    else if (kind <= 9)
        terminate(p);
    else if (kind <= 14)
        freeze(p);
    else if (kind <= 16)
        cut(p);
    else
        slow(p);
    damage(p);
}

static void compact(void *arg, int64_t value)
{
    int64_t lag = (world.profile.dedupe_ms + 10000) * SIM_MS; /* min.compaction.lag.ms is at least the window */
    for (int32_t partition = 0; partition < SIM_PARTITIONS; partition++)
        broker_compact(partition, lag, 30 * SIM_S);
    sim_at(world.now + 5 * SIM_S, compact, NULL, 0);
}

void faults_begin(void)
{
    for (int i = 0; i < SIM_WORKERS; i++)
        process_start(&world.processes[i]);
    sim_at(2 * SIM_S, strike, NULL, 0);
    sim_at(5 * SIM_S, compact, NULL, 0);
}

static void thaw(struct process *p)
{
    p->cut_until = p->slow_until = 0;
    if (p->frozen_until > world.now)
        p->frozen_until = world.now;
}

void faults_heal(void)
{
    world.healed = true;
    sim_say("everything works again");
    for (int i = 0; i < SIM_PROCESSES; i++)
        thaw(&world.processes[i]);
    process_kill(&world.processes[SIM_PROCESSES - 1]);
}
