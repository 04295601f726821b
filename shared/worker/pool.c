/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moving tasks between three places: the waiting list, a thread, the ended list.
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
#include <time.h>
#include <unistd.h>

struct task_list {
    struct pool_task *first, **tail;
};

struct pool {
    /* fixed after pool_open() */
    int fd;
    int waiting_max;
    int thread_count;
    struct pool_thread *threads;

    pthread_mutex_t lock;
    pthread_cond_t work;  /* a task waits, or stopped */
    pthread_cond_t quiet; /* no task waits or runs */
    /* guarded by lock */
    struct task_list waiting, ended;
    int waiting_count, running_count;
    bool stopped;
};

struct pool_thread {
    pthread_t id;
    struct pool *pool;
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

static struct pool_task *list_pop(struct task_list *list)
{
    struct pool_task *task = list->first;
    if (!task)
        return NULL;
    list->first = task->next;
    if (!list->first)
        list->tail = &list->first;
    return task;
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
    struct pool *pool = thread->pool;
    struct pool_task *task = list_pop(&pool->waiting);
    pool->waiting_count--;
    pool->running_count++;
    thread->running = task;
    pthread_mutex_unlock(&pool->lock);
    task->run(task->arg);
    pthread_mutex_lock(&pool->lock);
    thread->running = NULL;
    pool->running_count--;
    end_task(pool, task, true);
}

static void *thread_main(void *arg)
{
    struct pool_thread *thread = arg;
    struct pool *pool = thread->pool;
    pthread_mutex_lock(&pool->lock);
    while (!pool->stopped) {
        if (pool->waiting.first)
            run_next(thread);
        else
            pthread_cond_wait(&pool->work, &pool->lock);
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
    pthread_cond_init(&pool->work, NULL);
    pthread_condattr_t attr; /* pool_drain() waits by the clock that is never set back */
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->quiet, &attr);
    pthread_condattr_destroy(&attr);
}

/* Signals are the main thread's to take: the threads inherit a full mask. */
static int start_threads(struct pool *pool, int threads)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = 0;
    for (int i = 0; i < threads && !err; i++) {
        struct pool_thread *thread = &pool->threads[i];
        thread->pool = pool;
        err = pthread_create(&thread->id, NULL, thread_main, thread);
        if (!err) {
            pthread_setname_np(thread->id, "pool");
            pool->thread_count++;
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -err;
}

int pool_open(int threads, int waiting_max, struct pool **ret_pool)
{
    if (threads < 0 || waiting_max < 1)
        return -EINVAL;
    if (threads == 0)
        threads = usable_cores();
    int err = -ENOMEM;
    struct pool *pool = calloc(1, sizeof(*pool));
    if (!pool)
        return err;
    init_locks(pool);
    list_init(&pool->waiting);
    list_init(&pool->ended);
    pool->waiting_max = waiting_max;
    pool->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (pool->fd < 0) {
        err = -errno;
        goto fail;
    }
    pool->threads = calloc((size_t)threads, sizeof(*pool->threads));
    if (!pool->threads)
        goto fail;
    err = start_threads(pool, threads);
    if (err)
        goto fail;
    *ret_pool = pool;
    return 0;
fail:
    pool_close(pool);
    return err;
}

int pool_submit(struct pool *pool, struct pool_task *task)
{
    int result = 0;
    pthread_mutex_lock(&pool->lock);
    if (pool->stopped)
        result = -ESHUTDOWN;
    else if (pool->waiting_count == pool->waiting_max)
        result = -EAGAIN;
    else {
        list_push(&pool->waiting, task);
        pool->waiting_count++;
        pthread_cond_signal(&pool->work);
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
    struct pool_load load = {pool->thread_count, pool->waiting_count, pool->running_count};
    pthread_mutex_unlock(&pool->lock);
    return load;
}

static void set_stop(struct pool_task *task)
{
    if (task->stop)
        atomic_store(task->stop, true);
}

void pool_stop(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->stopped = true;
    struct pool_task *task;
    while ((task = list_pop(&pool->waiting))) {
        pool->waiting_count--;
        set_stop(task);
        end_task(pool, task, false);
    }
    for (int i = 0; i < pool->thread_count; i++) {
        if (pool->threads[i].running)
            set_stop(pool->threads[i].running);
    }
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
}

static struct timespec deadline_after(int64_t timeout_ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(timeout_ms / 1000);
    at.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

int pool_drain(struct pool *pool, int64_t timeout_ms)
{
    struct timespec at = deadline_after(timeout_ms);
    int err = 0;
    pthread_mutex_lock(&pool->lock);
    while ((pool->waiting_count || pool->running_count) && err != ETIMEDOUT)
        err = pthread_cond_timedwait(&pool->quiet, &pool->lock, &at);
    bool quiet = !pool->waiting_count && !pool->running_count;
    pthread_mutex_unlock(&pool->lock);
    return quiet ? 0 : -ETIMEDOUT;
}

void pool_close(struct pool *pool)
{
    if (!pool)
        return;
    pool_stop(pool);
    for (int i = 0; i < pool->thread_count; i++)
        pthread_join(pool->threads[i].id, NULL);
    while (pool_serve(pool) > 0)
        ;
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->work);
    pthread_cond_destroy(&pool->quiet);
    if (pool->fd >= 0)
        close(pool->fd);
    free(pool->threads);
    free(pool);
}
