/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moving tasks between three places: their lane's queue, a thread, the ended list.
 *
 * All three are guarded by one lock; `run` and `done` are called without it. The eventfd is written only when
 * the ended list becomes non-empty, so a burst of short tasks costs one wake-up. pool_serve() clears it
 * before it takes the list: a task that ends in between is either taken now or signals anew.
 */
#include "worker/pool.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "steady.h"
#include "worker/fair.h"

struct task_list {
    struct pool_task *first, **tail;
};

struct pool_lane {
    /* fixed after pool_open() */
    struct pool *pool;
    const char *name;
    int nice;
    int threads_max;
    struct pool_thread *threads; /* threads_max of them */
    pthread_cond_t work;         /* a task waits, or stopped */
    /* guarded by pool->lock */
    struct fair waiting;
    int thread_count, idle_count, running_count;
};

struct pool {
    /* fixed after pool_open() */
    int fd;
    int waiting_max;

    pthread_mutex_t lock;
    pthread_cond_t quiet; /* no task waits or runs */
    /* guarded by lock */
    struct pool_lane lanes[LANES];
    struct task_list ended;
    int waiting_count, running_count;
    bool stopped;
};

struct pool_thread {
    pthread_t id;
    struct pool_lane *lane;
    struct pool_task *running; /* guarded by pool->lock */
};

static void list_init(struct task_list *list)
{
    list->first = NULL;
    list->tail = &list->first;
}

static void list_push(struct task_list *list, struct pool_task *task)
{
    task->next = NULL;
    *list->tail = task;
    list->tail = &task->next;
}

static struct pool_task *list_take_all(struct task_list *list)
{
    struct pool_task *first = list->first;
    list_init(list);
    return first;
}

/* Called with the lock held. */
static void end_task(struct pool *pool, struct pool_task *task, bool ran)
{
    task->ran = ran;
    bool wake = !pool->ended.first;
    list_push(&pool->ended, task);
    if (wake) {
        ssize_t n = write(pool->fd, &(uint64_t){1}, sizeof(uint64_t));
        assert(n == sizeof(uint64_t)); /* a counter of at most one never blocks */
        (void)n;
    }
    if (!pool->waiting_count && !pool->running_count)
        pthread_cond_broadcast(&pool->quiet);
}

/* Called with the lock held, which it gives up while the task runs. */
static void run_next(struct pool_thread *thread)
{
    struct pool_lane *lane = thread->lane;
    struct pool *pool = lane->pool;
    struct pool_task *task = fair_pop(&lane->waiting);
    pool->waiting_count--;
    pool->running_count++;
    lane->running_count++;
    thread->running = task;
    pthread_mutex_unlock(&pool->lock);
    task->run(task->arg);
    pthread_mutex_lock(&pool->lock);
    thread->running = NULL;
    lane->running_count--;
    pool->running_count--;
    end_task(pool, task, true);
}

/* On Linux a thread has a nice value of its own. That of the process may be the highest already, which is fine. */
static void be_nice(int more)
{
    pid_t tid = gettid();
    errno = 0;
    int now = getpriority(PRIO_PROCESS, (id_t)tid);
    if (more > 0 && (now != -1 || errno == 0))
        (void)setpriority(PRIO_PROCESS, (id_t)tid, now + more); /* nicer is always allowed */
}

static void *thread_main(void *arg)
{
    struct pool_thread *thread = arg;
    struct pool_lane *lane = thread->lane;
    struct pool *pool = lane->pool;
    pthread_setname_np(pthread_self(), lane->name);
    be_nice(lane->nice);
    pthread_mutex_lock(&pool->lock);
    while (!pool->stopped) {
        if (lane->waiting.count > 0) {
            run_next(thread);
        } else {
            lane->idle_count++;
            pthread_cond_wait(&lane->work, &pool->lock);
            lane->idle_count--;
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static int usable_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

static void init_locks(struct pool *pool)
{
    pthread_mutex_init(&pool->lock, NULL);
    (void)steady_cond_init(&pool->quiet);
}

static int init_lanes(struct pool *pool, int threads)
{
    static const struct {
        const char *name;
        int nice;
    } traits[LANES] = {[LANE_SHORT] = {"pool-short", 0}, [LANE_LONG] = {"pool-long", POOL_NICE}, [LANE_COORDINATE] = {"pool-jobs", POOL_NICE}};
    for (int i = 0; i < LANES; i++) {
        struct pool_lane *lane = &pool->lanes[i];
        *lane = (struct pool_lane){.pool = pool,
                                   .name = traits[i].name,
                                   .nice = traits[i].nice,
                                   .threads_max = i == LANE_COORDINATE ? POOL_COORDINATORS : threads};
        pthread_cond_init(&lane->work, NULL);
        fair_init(&lane->waiting);
    }
    for (int i = 0; i < LANES; i++) {
        struct pool_lane *lane = &pool->lanes[i];
        lane->threads = calloc((size_t)lane->threads_max, sizeof(*lane->threads));
        if (!lane->threads)
            return -ENOMEM;
    }
    return 0;
}

/* Called with the lock held. Signals are the main thread's to take: the thread inherits a full mask. */
static int start_thread(struct pool_lane *lane)
{
    struct pool_thread *thread = &lane->threads[lane->thread_count];
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread->lane = lane;
    int err = pthread_create(&thread->id, NULL, thread_main, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    lane->thread_count += !err;
    return -err;
}

int pool_open(int threads, int waiting_max, struct pool **ret_pool)
{
    if (threads < 0 || waiting_max < 1)
        return -EINVAL;
    if (threads == 0)
        threads = usable_cores();
    struct pool *pool = calloc(1, sizeof(*pool));
    if (!pool)
        return -ENOMEM;
    init_locks(pool);
    list_init(&pool->ended);
    pool->waiting_max = waiting_max;
    int err = init_lanes(pool, threads);
    pool->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (pool->fd < 0 && !err)
        err = -errno;
    if (err) {
        pool_close(pool);
        return err;
    }
    *ret_pool = pool;
    return 0;
}

/* Called with the lock held. 0, or no thread of the lane will ever look at its queue. */
static int call_thread(struct pool_lane *lane)
{
    int err = 0;
    if (lane->idle_count <= lane->waiting.count && lane->thread_count < lane->threads_max)
        err = start_thread(lane);
    return lane->thread_count > 0 ? 0 : err;
}

int pool_submit(struct pool *pool, struct pool_task *task)
{
    struct pool_lane *lane = &pool->lanes[task->lane];
    int result = 0;
    pthread_mutex_lock(&pool->lock);
    if (pool->stopped)
        result = -ESHUTDOWN;
    else if (pool->waiting_count == pool->waiting_max || call_thread(lane) != 0)
        result = -EAGAIN;
    else {
        fair_push(&lane->waiting, task);
        pool->waiting_count++;
        pthread_cond_signal(&lane->work);
    }
    pthread_mutex_unlock(&pool->lock);
    return result;
}

int pool_fd(const struct pool *pool)
{
    return pool->fd;
}

int pool_serve(struct pool *pool)
{
    uint64_t count;
    ssize_t n = read(pool->fd, &count, sizeof(count));
    (void)n; /* nothing to clear is fine */
    pthread_mutex_lock(&pool->lock);
    struct pool_task *task = list_take_all(&pool->ended);
    pthread_mutex_unlock(&pool->lock);
    int served = 0;
    while (task) {
        struct pool_task *next = task->next; /* `done` may free or submit the task */
        task->done(task->arg, task->ran);
        task = next;
        served++;
    }
    return served;
}

struct pool_load pool_load(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct pool_load load = {.threads = pool->lanes[LANE_SHORT].threads_max,
                             .waiting = pool->waiting_count,
                             .running = pool->running_count};
    for (int i = 0; i < LANES; i++) {
        load.lane_waiting[i] = pool->lanes[i].waiting.count;
        load.lane_running[i] = pool->lanes[i].running_count;
    }
    pthread_mutex_unlock(&pool->lock);
    return load;
}

static void set_stop(struct pool_task *task)
{
    if (task->stop)
        atomic_store(task->stop, true);
}

/* Called with the lock held. */
static void stop_lane(struct pool_lane *lane)
{
    struct pool_task *task;
    while ((task = fair_pop(&lane->waiting))) {
        lane->pool->waiting_count--;
        set_stop(task);
        end_task(lane->pool, task, false);
    }
    for (int i = 0; i < lane->thread_count; i++) {
        if (lane->threads[i].running)
            set_stop(lane->threads[i].running);
    }
    pthread_cond_broadcast(&lane->work);
}

void pool_stop(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->stopped = true;
    for (int i = 0; i < LANES; i++)
        stop_lane(&pool->lanes[i]);
    pthread_mutex_unlock(&pool->lock);
}

int pool_drain(struct pool *pool, int64_t timeout_ms)
{
    int64_t until_ns = clock_mono_ns() + timeout_ms * CLOCK_NS_PER_MS;
    int err = 0;
    pthread_mutex_lock(&pool->lock);
    while ((pool->waiting_count || pool->running_count) && err != ETIMEDOUT)
        err = steady_cond_wait(&pool->quiet, &pool->lock, until_ns);
    bool quiet = !pool->waiting_count && !pool->running_count;
    pthread_mutex_unlock(&pool->lock);
    return quiet ? 0 : -ETIMEDOUT;
}

static void close_lane(struct pool_lane *lane)
{
    for (int i = 0; i < lane->thread_count; i++)
        pthread_join(lane->threads[i].id, NULL);
    pthread_cond_destroy(&lane->work);
    free(lane->threads);
}

void pool_close(struct pool *pool)
{
    if (!pool)
        return;
    pool_stop(pool);
    for (int i = 0; i < LANES; i++)
        close_lane(&pool->lanes[i]);
    while (pool_serve(pool) > 0)
        ;
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->quiet);
    if (pool->fd >= 0)
        close(pool->fd);
    free(pool);
}
