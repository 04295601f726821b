/* SPDX-License-Identifier: Apache-2.0 */
/* The rest of what a process asks of the world: clocks, sleeps, signals, random bytes, threads, a disk that may be full. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/types.h>

#include "checks.h"
#include "clock.h"
#include "lifecycle.h"
#include "loop.h"
#include "random.h"
#include "state.h"
#include "trace/trace.h"
#include "ops/server.h"
#include "worker/ops.h"
#include "worker/pool.h"
#include "worker/spans.h"
#include "worker/watchdog.h"
#include "world.h"

#define TASKS_MAX 256

/* ---- clocks ---- */

int64_t __wrap_clock_mono_ns(void);
int64_t __wrap_clock_wall_ms(void);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_state_apply(struct state *state, const struct state_change *changes, size_t count, int64_t next_offset,
                       struct state_error *ret_error);
int __real_state_apply(struct state *state, const struct state_change *changes, size_t count, int64_t next_offset,
                       struct state_error *ret_error);

/* A killed process only runs to its end: its time flies, so that it waits for nothing. */
int64_t __wrap_clock_mono_ns(void)
{
    if (!world.current || !world.current->dying)
        return world.now;
    return world.now + (world.current->ghost_ns += 10 * SIM_MS);
}

int64_t __wrap_clock_wall_ms(void)
{
    int64_t skew = world.current ? world.current->skew_ms : 0;
    return SIM_WALL_MS + world.now / SIM_MS + skew;
}

void random_bytes(unsigned char *ret, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ret[i] = (unsigned char)sim_random();
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    process_wait(world.now + timeout_ms * SIM_MS, true);
    return 0;
}

/* ---- loop and signals ---- */

int loop_open(struct loop *loop)
{
    return 0;
}

void loop_close(struct loop *loop)
{
}

int loop_add(struct loop *loop, int fd, unsigned tag)
{
    return 0;
}

uint32_t loop_wait(struct loop *loop, int64_t until_ns)
{
    int64_t soon = world.now + 20 * SIM_US; /* a turn takes its time */
    process_wait(until_ns > soon ? until_ns : soon, until_ns > soon);
    return ~UINT32_C(0);
}

int lifecycle_open(struct lifecycle *life, const char *ready_file)
{
    *life = (struct lifecycle){.signals = -1};
    return 0;
}

void lifecycle_close(struct lifecycle *life)
{
}

int lifecycle_fd(const struct lifecycle *life)
{
    return -1;
}

void lifecycle_check(struct lifecycle *life)
{
}

bool lifecycle_stopping(const struct lifecycle *life)
{
    return world.current->stopping || world.current->dying;
}

bool lifecycle_stop_within(struct lifecycle *life, int timeout_ms)
{
    process_wait(world.now + timeout_ms * SIM_MS, false);
    return lifecycle_stopping(life);
}

int lifecycle_ready(struct lifecycle *life, const char *content)
{
    return 0;
}

/* ---- the pool ---- */

struct pool {
    struct process *process;
    int incarnation;
    struct pool_task *tasks[TASKS_MAX]; /* taken and not handed back; `ran` says how far it is */
    size_t count;
    bool ended[TASKS_MAX];
};

int pool_open(int threads, int waiting_max, struct pool **ret_pool)
{
    struct pool *pool = sim_alloc(sizeof(*pool));
    pool->process = world.current;
    pool->incarnation = world.current->incarnation;
    *ret_pool = pool;
    return 0;
}

struct job_run {
    struct pool *pool;
    struct pool_task *task;
};

static void run_task(void *arg, int64_t value)
{
    struct job_run *run = arg;
    struct pool *pool = run->pool;
    struct process *p = pool->process;
    if (!process_alive(p, pool->incarnation))
        return;
    if (process_running_at(p) > world.now) {
        sim_at(process_running_at(p), run_task, run, 0);
        return;
    }
    for (size_t i = 0; i < pool->count; i++) {
        if (pool->tasks[i] != run->task || pool->ended[i])
            continue;
        world.current = p; /* its clock */
        run->task->run(run->task->arg);
        world.current = NULL;
        run->task->ran = true;
        pool->ended[i] = true;
        process_wake(p);
        return;
    }
}

int pool_submit(struct pool *pool, struct pool_task *task)
{
    if (pool->count == TASKS_MAX)
        return -EAGAIN;
    struct job_run *run = sim_alloc(sizeof(*run));
    *run = (struct job_run){pool, task};
    pool->ended[pool->count] = false;
    pool->tasks[pool->count++] = task;
    bool is_long = sim_below(40) == 0; /* long enough to be let go by suspects.c */
    sim_at(world.now + (is_long ? (int64_t)sim_below(4000 * SIM_MS) : sim_spread(30 * SIM_MS)), run_task, run, 0);
    return 0;
}

struct pool_load pool_load(struct pool *pool)
{
    struct pool_load load = {.threads = 1};
    for (size_t i = 0; i < pool->count; i++)
        load.running += !pool->ended[i];
    return load;
}

static void hand_back(struct pool *pool, size_t i)
{
    struct pool_task *task = pool->tasks[i];
    pool->count--;
    for (; i < pool->count; i++) {
        pool->tasks[i] = pool->tasks[i + 1];
        pool->ended[i] = pool->ended[i + 1];
    }
    task->done(task->arg, task->ran);
}

int pool_serve(struct pool *pool)
{
    int n = 0;
    process_hiccup();
    for (size_t i = 0; i < pool->count;) {
        if (pool->ended[i]) {
            hand_back(pool, i);
            i = 0;
            n++;
        } else {
            i++;
        }
    }
    return n;
}

int pool_fd(const struct pool *pool)
{
    return -1;
}

void pool_stop(struct pool *pool)
{
    for (size_t i = 0; i < pool->count; i++) {
        if (pool->tasks[i]->stop)
            atomic_store(pool->tasks[i]->stop, true);
        pool->ended[i] = true;
    }
}

/* Its handlers take no time. */
int pool_drain(struct pool *pool, int64_t timeout_ms)
{
    return 0;
}

void pool_close(struct pool *pool)
{
    while (pool && pool->count > 0)
        hand_back(pool, 0);
}

/* ---- the disk ---- */

int __wrap_state_apply(struct state *state, const struct state_change *changes, size_t count, int64_t next_offset,
                       struct state_error *ret_error)
{
    process_hiccup();
    const struct process *p = world.current;
    bool full = !world.healed && sim_chance(100);
    if (p->dying || full) {
        snprintf(ret_error->text, sizeof(ret_error->text), "%s", full ? "simulated: no space left" : "killed");
        return full ? -ENOSPC : -EIO;
    }
    checks_apply(state, changes, count, next_offset);
    return __real_state_apply(state, changes, count, next_offset, ret_error);
}

/* ---- operators: none ---- */

const struct config_key ops_keys[] = {{NULL, CONFIG_STRING, NULL, 0, 0, NULL}};

int worker_ops_open(struct worker *worker)
{
    return 0;
}

void worker_ops_close(struct worker *worker)
{
}

void worker_ops_describe(const struct worker *worker, char *ret_text, size_t size)
{
    snprintf(ret_text, size, "ready\n");
}

/* ---- the watchdog: no handler of this service hangs ---- */

int watchdog_start(struct watchdog *watchdog, int64_t limit_ns)
{
    return 0;
}

void watchdog_stop(struct watchdog *watchdog)
{
}

void watchdog_look(struct worker *worker, int64_t now_ns)
{
}

/* ---- traces: there are none ---- */

bool trace_on(void)
{
    return false;
}

int trace_open(const char *service, const char *instance)
{
    return 0;
}

void trace_close(void)
{
}

void spans_moved(struct work *work)
{
}
