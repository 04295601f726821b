/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated machine room: one clock, one source of chance, one list of what happens next, and processes that are
 * coroutines.
 *
 * A process runs the real worker_main() on a stack of its own. Whatever it would ask of the world (Kafka, the clock, a
 * sleep, a disk that may be full) ends in one of the files beside this one, which may let others run first, freeze the
 * process in the middle of what it does, or kill it there. Everything follows from the seed: two runs of one schedule do
 * the same, down to the hash of their traces.
 */
#ifndef ROUNDTRIP_SIM_WORLD_H
#define ROUNDTRIP_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#include "slice.h"

#define SIM_WORKERS    3
#define SIM_PROCESSES  4 /* the last one is a second process with the first one's instance id */
#define SIM_PARTITIONS 2
#define SIM_KEYS       8 /* "1".."8", partition by the number modulo SIM_PARTITIONS */

/** Where the wall clocks begin, in ms of the Unix epoch. */
#define SIM_WALL_MS INT64_C(1800000000000)
#define SIM_US INT64_C(1000)
#define SIM_MS (1000 * SIM_US)
#define SIM_S  (1000 * SIM_MS)

/** What differs between schedules; profile_draw() draws it from the seed. */
struct profile {
    int64_t run_ns;             /* time with faults and new requests */
    int64_t dedupe_ms;          /* the workers' dedupe window; compaction waits a little longer */
    int64_t think_ns, fault_ns; /* mean time between a client's requests, between faults */
    unsigned hiccup;            /* calls of the world in a million that delay, freeze or kill their process */
    int64_t wire_ns;            /* usual latency, one way */
    int bombs;                  /* commands that end whoever works on them */
    unsigned faulty;            /* appends and reads in a thousand whose handler meets a fault */
};

struct process {
    int number;
    char label[8], instance[8], dir[128];
    int incarnation;
    bool up;       /* its coroutine has not ended */
    bool dying;    /* killed: nothing it does counts any more, it only gives its memory back */
    bool stopping; /* SIGTERM */
    bool supervised;
    int status; /* of its last end */
    int64_t frozen_until, cut_until, slow_until, skew_ms, ghost_ns;
    ucontext_t context;
    char *stack;
    uint64_t wait_token;
    bool waiting, wakeable;
    struct consumer *consumer; /* whom broker.c tells of new records */
    struct reader *reader;
    void *fake_stack; /* AddressSanitizer's */
};

struct world {
    uint64_t seed, random, trace;
    bool verbose, healed, late_committed;
    const char *dir;
    int64_t now;
    struct profile profile;
    struct process processes[SIM_PROCESSES];
    struct process *current; /* NULL: the scheduler */
    long violations, faults, turns;
};
extern struct world world;

/* ---- chance; all of it from the seed ---- */
uint64_t sim_random(void);
uint64_t sim_below(uint64_t bound);
bool sim_chance(unsigned per_million);
/** Between 0 and many times `mean`, mostly about it. */
int64_t sim_spread(int64_t mean);

/* ---- what happens next ---- */
typedef void event_fn(void *arg, int64_t value);
/** Calls `fn(arg, value)` at `at` (nanoseconds; not before now), in the scheduler. */
void sim_at(int64_t at, event_fn *fn, void *arg, int64_t value);
/** Runs what is due until `until`. */
void sim_run_until(int64_t until);
/** Memory that lives as long as the schedule; zeroed. */
void *sim_alloc(size_t size);
/** Adds to the hash that two runs of one seed must have in common. */
void sim_trace(uint64_t value);
void sim_trace_bytes(struct slice bytes);
void sim_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void sim_violation(const char *format, ...) __attribute__((format(printf, 1, 2)));

void sim_begin(uint64_t seed, const struct profile *profile);
/** Frees the schedule. Every process must have ended. */
void sim_end(void);

/* ---- processes ---- */
void process_start(struct process *p);
/** kill -9. Also of the one that is running. */
void process_kill(struct process *p);
void process_freeze(struct process *p, int64_t until);
/** The running process sleeps; deliveries and records may end that early when `wakeable`. At once while it dies. */
void process_wait(int64_t until, bool wakeable);
void process_wake(struct process *p);
/** Called at each call of the world: now and then the running process is held up, frozen or killed there. */
void process_hiccup(void);
/** Does it still run, as the incarnation it was? */
bool process_alive(const struct process *p, int incarnation);
/** When may something of that process happen that wants it running, and connected? Now, or later. */
int64_t process_running_at(const struct process *p);
int64_t process_connected_at(const struct process *p);
/** One way over its wire. */
int64_t process_latency(const struct process *p);

#endif
