/* SPDX-License-Identifier: Apache-2.0 */
/* Threads, their inboxes, and how connections are shared out. */
#include "pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "http.h"
#include "log.h"
#include "loop.h"

enum tag { TAG_HTTP, TAG_INBOX };

/* A connection on its way to its thread. */
struct arrival {
    struct arrival *next;
    int fd;
    socklen_t length;
    struct sockaddr_storage address;
};

struct member {
    struct pool *pool;
    struct http *http;
    struct loop loop;
    int inbox_fd;
    pthread_t thread;
    bool running;
    _Atomic unsigned connections; /* its own and those in its inbox */
    /* guarded by lock: the inbox */
    pthread_mutex_t lock;
    struct arrival *arrivals;
    struct exchange *resumed; /* waits that have ended */
};

struct pool {
    struct pool_options options;
    _Atomic bool stop;
    unsigned count;
    struct member *members;
    /* guarded by lock */
    pthread_mutex_t lock;
    pthread_cond_t idle;
    size_t active; /* requests that have begun and are not over */
};

static void wake(struct member *member)
{
    uint64_t one = 1;
    ssize_t n = write(member->inbox_fd, &one, sizeof(one));
    (void)n;
}

static void on_active(void *arg, int change)
{
    struct pool *pool = ((struct member *)arg)->pool;
    pthread_mutex_lock(&pool->lock);
    pool->active += (size_t)change;
    if (pool->active == 0)
        pthread_cond_broadcast(&pool->idle);
    pthread_mutex_unlock(&pool->lock);
}

static void on_closed(void *arg)
{
    struct member *member = arg;
    atomic_fetch_sub(&member->connections, 1);
}

/* The descriptor is written when the inbox was empty, and read before the inbox is taken: nothing is
 * overlooked. */
static void empty_inbox(struct member *member)
{
    uint64_t count;
    ssize_t n = read(member->inbox_fd, &count, sizeof(count));
    (void)n;
    pthread_mutex_lock(&member->lock);
    struct arrival *arrival = member->arrivals;
    struct exchange *resumed = member->resumed;
    member->arrivals = NULL;
    member->resumed = NULL;
    pthread_mutex_unlock(&member->lock);
    for (struct exchange *next; resumed; resumed = next) {
        next = resumed->next;
        http_resume(resumed);
    }
    for (struct arrival *next; arrival; arrival = next) {
        next = arrival->next;
        if (!http_add(member->http, arrival->fd, (const struct sockaddr *)&arrival->address, arrival->length))
            on_closed(member);
        free(arrival);
    }
}

void pool_resume(struct exchange *x)
{
    struct member *member = x->home;
    pthread_mutex_lock(&member->lock);
    bool was_empty = !member->resumed && !member->arrivals;
    x->next = member->resumed;
    member->resumed = x;
    pthread_mutex_unlock(&member->lock);
    if (was_empty)
        wake(member);
}

static void *run(void *arg)
{
    struct member *member = arg;
    while (!atomic_load(&member->pool->stop)) {
        uint32_t tags = loop_wait(&member->loop, http_due_ns(member->http, clock_mono_ns()));
        if (tags & 1U << TAG_INBOX)
            empty_inbox(member);
        http_run(member->http);
    }
    return NULL;
}

static int member_start(struct member *member, struct pool *pool)
{
    const struct http_options options = {.flow = pool->options.flow,
                                         .idle_timeout_s = pool->options.idle_timeout_s,
                                         .active = on_active,
                                         .closed = on_closed,
                                         .arg = member};
    member->pool = pool;
    member->inbox_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int err = member->inbox_fd < 0 ? -errno : loop_open(&member->loop);
    if (!err)
        err = http_open(&options, &member->http);
    if (!err)
        err = loop_add(&member->loop, http_fd(member->http), TAG_HTTP);
    if (!err)
        err = loop_add(&member->loop, member->inbox_fd, TAG_INBOX);
    if (!err)
        err = -pthread_create(&member->thread, NULL, run, member);
    member->running = !err;
    return err;
}

static void member_stop(struct member *member)
{
    if (member->running) {
        wake(member);
        pthread_join(member->thread, NULL);
    }
    for (struct arrival *arrival = member->arrivals, *next; arrival; arrival = next) {
        next = arrival->next;
        close(arrival->fd);
        free(arrival);
    }
    http_close(member->http);
    loop_close(&member->loop);
    if (member->inbox_fd >= 0)
        close(member->inbox_fd);
    pthread_mutex_destroy(&member->lock);
}

static unsigned thread_count(unsigned wanted)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (wanted)
        return wanted;
    return cores < 1 ? 1 : cores > 4 ? 4 : (unsigned)cores;
}

int pool_start(const struct pool_options *options, struct pool **ret_pool)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    unsigned count = thread_count(options->threads);
    if (pool)
        pool->members = calloc(count, sizeof(*pool->members));
    if (!pool || !pool->members) {
        free(pool);
        return -ENOMEM;
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->idle, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&pool->lock, NULL);
    pool->options = *options;
    pool->count = count;
    for (unsigned i = 0; i < count; i++) {
        pool->members[i].inbox_fd = pool->members[i].loop.epoll_fd = -1;
        pthread_mutex_init(&pool->members[i].lock, NULL);
    }
    int err = 0;
    for (unsigned i = 0; !err && i < count; i++)
        err = member_start(&pool->members[i], pool);
    if (err)
        pool_stop(pool);
    else
        *ret_pool = pool;
    return err;
}

void pool_stop(struct pool *pool)
{
    if (!pool)
        return;
    atomic_store(&pool->stop, true);
    for (unsigned i = 0; i < pool->count; i++)
        member_stop(&pool->members[i]);
    pthread_cond_destroy(&pool->idle);
    pthread_mutex_destroy(&pool->lock);
    free(pool->members);
    free(pool);
}

size_t pool_wait_idle(struct pool *pool, int64_t deadline_ns)
{
    const struct timespec until = {.tv_sec = deadline_ns / 1000000000, .tv_nsec = deadline_ns % 1000000000};
    int err = 0;
    pthread_mutex_lock(&pool->lock);
    while (pool->active && !err)
        err = pthread_cond_timedwait(&pool->idle, &pool->lock, &until);
    size_t active = pool->active;
    pthread_mutex_unlock(&pool->lock);
    return active;
}

/* Says why, instead of just closing. What cannot be written at once is not worth waiting for. */
static void turn_away(struct pool *pool, int fd)
{
    struct answer answer = {0};
    struct buf text = {0};
    answer_unavailable(&answer, 1,
                       "As many connections are open as this gateway takes: reuse them, or try again.");
    buf_printf(&text, "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: %zu\r\n",
               answer_body(&answer).len);
    for (size_t i = 0; i < answer.header_count; i++)
        buf_printf(&text, "%s: %s\r\n", answer.headers[i].name, answer_header_value(&answer, i));
    buf_append_text(&text, "\r\n");
    buf_append_slice(&text, answer_body(&answer));
    ssize_t n = send(fd, buf_slice(&text).p, text.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)n;
    shutdown(fd, SHUT_WR);
    close(fd);
    buf_done(&text);
    answer_done(&answer);
    stats_add(&pool->options.stats->turned_away);
}

/* The thread with the fewest connections; NULL when all together have as many as are taken. */
static struct member *choose(struct pool *pool)
{
    struct member *least = NULL;
    unsigned total = 0, fewest = 0;
    for (unsigned i = 0; i < pool->count; i++) {
        unsigned connections = atomic_load(&pool->members[i].connections);
        total += connections;
        if (!least || connections < fewest) {
            least = &pool->members[i];
            fewest = connections;
        }
    }
    return total < pool->options.max_connections ? least : NULL;
}

void pool_adopt(void *arg, int fd, const struct sockaddr *address, socklen_t length)
{
    struct pool *pool = arg;
    struct member *member = choose(pool);
    struct arrival *arrival = member && length <= sizeof(arrival->address) ? malloc(sizeof(*arrival)) : NULL;
    if (!arrival) {
        turn_away(pool, fd);
        return;
    }
    arrival->fd = fd;
    arrival->length = length;
    memcpy(&arrival->address, address, length);
    atomic_fetch_add(&member->connections, 1);
    pthread_mutex_lock(&member->lock);
    bool was_empty = !member->resumed && !member->arrivals;
    arrival->next = member->arrivals;
    member->arrivals = arrival;
    pthread_mutex_unlock(&member->lock);
    if (was_empty)
        wake(member);
}
