/* SPDX-License-Identifier: Apache-2.0 */
/* Clock, chance, the list of events, and the coroutines; see world.h. */
#include "world.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

#include "log.h"
#include "service.h"
#include "worker/service.h"

#define STACK_SIZE ((size_t)2 << 20)

struct happening {
    int64_t at;
    uint64_t number; /* of two at one time the earlier goes first */
    event_fn *fn;
    void *arg;
    int64_t value;
};

struct block {
    struct block *next;
    max_align_t memory[];
};

struct world world;
static struct happening *heap;
static size_t heap_count, heap_size;
static uint64_t event_number;
static struct block *blocks;
static ucontext_t scheduler;

/* ---- chance ---- */

uint64_t sim_random(void) /* splitmix64 (Steele, Lea, Flood 2014) */
{
    uint64_t z = (world.random += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t sim_below(uint64_t bound)
{
    return sim_random() % bound;
}

bool sim_chance(unsigned per_million)
{
    return sim_below(1000000) < per_million;
}

int64_t sim_spread(int64_t mean)
{
    int64_t tail = sim_chance(20000) ? 20 : 1;
    return (int64_t)sim_below((uint64_t)(2 * mean * tail) + 1);
}

/* ---- events ---- */

static bool before(const struct happening *a, const struct happening *b)
{
    return a->at < b->at || (a->at == b->at && a->number < b->number);
}

static void swap(size_t a, size_t b)
{
    struct happening keep = heap[a];
    heap[a] = heap[b];
    heap[b] = keep;
}

void sim_at(int64_t at, event_fn *fn, void *arg, int64_t value)
{
    if (heap_count == heap_size) {
        heap_size = heap_size ? 2 * heap_size : 1024;
        heap = realloc(heap, heap_size * sizeof(*heap));
        assert(heap);
    }
    size_t i = heap_count++;
    heap[i] = (struct happening){at > world.now ? at : world.now, event_number++, fn, arg, value};
    for (; i > 0 && before(&heap[i], &heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(i, (i - 1) / 2);
}

static struct happening take(void)
{
    struct happening first = heap[0];
    heap[0] = heap[--heap_count];
    for (size_t i = 0, child; (child = 2 * i + 1) < heap_count; i = child) {
        if (child + 1 < heap_count && before(&heap[child + 1], &heap[child]))
            child++;
        if (!before(&heap[child], &heap[i]))
            break;
        swap(i, child);
    }
    return first;
}

void sim_run_until(int64_t until)
{
    while (heap_count > 0 && heap[0].at <= until) {
        struct happening next = take();
        world.now = next.at;
        sim_trace((uint64_t)next.at);
        next.fn(next.arg, next.value);
    }
    world.now = until;
}

void *sim_alloc(size_t size)
{
    struct block *block = calloc(1, sizeof(*block) + size);
    assert(block);
    block->next = blocks;
    blocks = block;
    return block->memory;
}

void sim_trace(uint64_t value)
{
    world.trace = (world.trace ^ value) * UINT64_C(0x100000001b3);
    world.trace ^= world.trace >> 29;
}

void sim_trace_bytes(struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        sim_trace((unsigned char)bytes.p[i]);
}

static void __attribute__((format(printf, 2, 0))) print(const char *kind, const char *format, va_list args)
{
    char text[1024];
    vsnprintf(text, sizeof(text), format, args);
    fprintf(stderr, "%10.6f %s %s\n", (double)world.now / 1e9, kind, text);
}

void sim_say(const char *format, ...)
{
    va_list args;
    if (!world.verbose)
        return;
    va_start(args, format);
    print("sim ", format, args);
    va_end(args);
}

void sim_violation(const char *format, ...)
{
    va_list args;
    if (world.violations++ >= 5 || !world.verbose)
        return;
    va_start(args, format);
    print("VIOLATION", format, args);
    va_end(args);
}

void sim_begin(uint64_t seed, const struct profile *profile)
{
    bool verbose = world.verbose, late = world.late_committed;
    const char *dir = world.dir;
    world = (struct world){.seed = seed,
                           .random = seed,
                           .trace = UINT64_C(0xcbf29ce484222325),
                           .verbose = verbose,
                           .late_committed = late,
                           .dir = dir,
                           .profile = *profile};
    event_number = 0;
    for (int i = 0; i < SIM_PROCESSES; i++) {
        struct process *p = &world.processes[i];
        p->number = i;
        p->supervised = i < SIM_WORKERS;
        snprintf(p->instance, sizeof(p->instance), "w%c", '0' + i % SIM_WORKERS);
        snprintf(p->label, sizeof(p->label), "%s", i < SIM_WORKERS ? p->instance : "twin");
        snprintf(p->dir, sizeof(p->dir), "%.100s/%.7s", dir, p->label);
    }
}

void sim_end(void)
{
    heap_count = 0;
    while (blocks) {
        struct block *next = blocks->next;
        free(blocks);
        blocks = next;
    }
    for (int i = 0; i < SIM_PROCESSES; i++) {
        assert(!world.processes[i].up);
        if (world.processes[i].stack)
            munmap(world.processes[i].stack, STACK_SIZE);
        world.processes[i].stack = NULL;
    }
}

/* ---- coroutines ---- */

static void leave_to(ucontext_t *from, ucontext_t *to, void **fake_stack, const void *stack, size_t size)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(fake_stack, stack, size);
#endif
    swapcontext(from, to);
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(fake_stack ? *fake_stack : NULL, NULL, NULL);
#endif
}

static const void *scheduler_stack;
static size_t scheduler_stack_size;

static void resume(struct process *p)
{
    void *fake = NULL;
    assert(!world.current && p->up);
    world.current = p;
    world.turns++;
    log_init(p->label, world.verbose ? LOG_LEVEL_DEBUG : (enum log_level)-1); /* errors are what it is about */
    leave_to(&scheduler, &p->context, &fake, p->stack, STACK_SIZE);
    world.current = NULL;
}

static void yield(struct process *p)
{
    leave_to(&p->context, &scheduler, p->up ? &p->fake_stack : NULL, scheduler_stack, scheduler_stack_size);
}

static void restart(void *arg, int64_t incarnation)
{
    struct process *p = arg;
    if (!p->up && p->incarnation == incarnation)
        process_start(p);
}

static void run_process(void)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(NULL, &scheduler_stack, &scheduler_stack_size);
#endif
    struct process *p = world.current;
    char window[32];
    snprintf(window, sizeof(window), "%lld", (long long)world.profile.dedupe_ms);
    char *argv[] = {(char *)"sim",     (char *)"--instance-id",  p->instance, (char *)"--state-dir",
                    p->dir,            (char *)"--dedupe-window", window,      (char *)"--breaker-pause-max", (char *)"5s", (char *)"--log-level",
                    (char *)(world.verbose ? "debug" : "error"), NULL};
    p->status = worker_main(&sim_service, 11, argv);
    sim_say("%s ended with %d%s", p->label, p->status, p->dying ? " (killed)" : "");
    p->up = false;
    p->consumer = NULL;
    p->reader = NULL;
    if (p->supervised)
        sim_at(world.now + 50 * SIM_MS + sim_spread(world.healed ? 100 * SIM_MS : 700 * SIM_MS), restart, p, p->incarnation);
    yield(p); /* for the last time */
}

static void first_run(void *arg, int64_t incarnation)
{
    struct process *p = arg;
    if (p->incarnation == incarnation && p->up)
        resume(p);
}

void process_start(struct process *p)
{
    assert(!p->up);
    if (!p->stack)
        p->stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert(p->stack != MAP_FAILED);
    p->incarnation++;
    p->up = true;
    p->dying = p->stopping = p->waiting = false;
    p->frozen_until = p->cut_until = p->slow_until = p->ghost_ns = 0;
    p->skew_ms = (int64_t)sim_below(400) - 200;
    p->wait_token++;
    getcontext(&p->context);
    p->context.uc_stack.ss_sp = p->stack;
    p->context.uc_stack.ss_size = STACK_SIZE;
    p->context.uc_link = NULL;
    makecontext(&p->context, run_process, 0);
    sim_say("%s starts", p->label);
    sim_at(world.now, first_run, p, p->incarnation);
}

static void wake_up(void *arg, int64_t token)
{
    struct process *p = arg;
    if (!p->up || !p->waiting || p->wait_token != (uint64_t)token)
        return;
    if (p->frozen_until > world.now && !p->dying) {
        sim_at(p->frozen_until, wake_up, p, token);
        return;
    }
    resume(p);
}

void process_wait(int64_t until, bool wakeable)
{
    struct process *p = world.current;
    assert(p);
    if (p->dying)
        return;
    p->wait_token++;
    p->waiting = true;
    p->wakeable = wakeable;
    sim_at(until, wake_up, p, (int64_t)p->wait_token);
    yield(p);
    p->waiting = false;
}

void process_wake(struct process *p)
{
    if (p->up && p->waiting && p->wakeable)
        sim_at(world.now + (int64_t)sim_below(20 * SIM_US), wake_up, p, (int64_t)p->wait_token);
}

void process_kill(struct process *p)
{
    if (!p->up || p->dying)
        return;
    sim_say("%s is killed", p->label);
    sim_trace((uint64_t)p->number);
    p->dying = true;
    if (world.current == p)
        return; /* goes on as a ghost, to its end */
    resume(p);
    assert(!p->up);
}

void process_freeze(struct process *p, int64_t until)
{
    if (p->up && until > p->frozen_until)
        p->frozen_until = until;
}

void process_hiccup(void)
{
    struct process *p = world.current;
    if (!p || p->dying || world.healed || !sim_chance(world.profile.hiccup))
        return;
    world.faults++;
    switch (sim_below(10)) {
    case 0:
        sim_say("%s dies in the middle", p->label);
        process_kill(p);
        break;
    case 1:
        sim_say("%s freezes in the middle", p->label);
        process_freeze(p, world.now + 6 * SIM_S + (int64_t)sim_below(6 * SIM_S));
        process_wait(world.now, false);
        break;
    case 2:
    case 3:
        process_freeze(p, world.now + (int64_t)sim_below(3 * SIM_S));
        process_wait(world.now, false);
        break;
    default:
        process_wait(world.now + (int64_t)sim_below(20 * SIM_MS), false);
        break;
    }
}

bool process_alive(const struct process *p, int incarnation)
{
    return p->up && !p->dying && p->incarnation == incarnation;
}

int64_t process_running_at(const struct process *p)
{
    return p->frozen_until > world.now ? p->frozen_until + (int64_t)sim_below(20 * SIM_MS) : world.now;
}

int64_t process_connected_at(const struct process *p)
{
    int64_t running = process_running_at(p);
    return p->cut_until > running ? p->cut_until + (int64_t)sim_below(200 * SIM_MS) : running;
}

int64_t process_latency(const struct process *p)
{
    int64_t slow = p->slow_until > world.now ? (int64_t)sim_below(4 * SIM_S) : 0;
    return 20 * SIM_US + sim_spread(world.profile.wire_ns) + slow;
}
