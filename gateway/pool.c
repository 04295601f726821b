/* SPDX-License-Identifier: Apache-2.0 */
/* Threads, their inboxes, and how connections are shared out. */
#include "pool.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bypass.h"
#include "clock.h"
#include "log.h"
#include "loop.h"
#include "peers.h"
#include "shards.h"
#include "steady.h"

/** What has arrived by the end is answered within this. */
#define LAST_PASS_NS (INT64_C(50) * CLOCK_NS_PER_MS)
/** The memory of fewer connections (some 30 KiB each) is not worth the time to give it back. */
#define GIVE_BACK_MIN 256

enum tag { TAG_INBOX, TAG_DEPARTURES, TAG_SHARDS /* and all above */ };

/* A connection on its way to its thread. */
struct arrival {
    struct arrival *next;
    int fd;
    socklen_t length;
    struct sockaddr_storage address;
};

struct member {
    struct pool *pool;
    struct shards shards;
    struct peers peers;
    struct loop loop;
    int inbox_fd;
    pthread_t thread;
    bool running;
    /* its own thread's */
    bool cut;
    size_t begun, active; /* requests, ever and now */
    _Atomic unsigned connections; /* its own and those in its inbox */
    /* guarded by lock: the inbox */
    pthread_mutex_t lock;
    struct arrival *arrivals;
    struct exchange *resumed; /* waits that have ended */
};

struct pool {
    struct pool_options options;
    _Atomic bool cut, stop;
    unsigned count;
    struct member *members;
    _Atomic size_t most; /* connections since memory was given back */
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
    struct member *member = arg;
    struct pool *pool = member->pool;
    member->begun += change > 0;
    member->active += (size_t)change;
    pthread_mutex_lock(&pool->lock);
    pool->active += (size_t)change;
    if (pool->active == 0)
        pthread_cond_broadcast(&pool->idle);
    pthread_mutex_unlock(&pool->lock);
}

static void on_closed(void *arg)
{
    struct member *member = arg;
    if (atomic_fetch_sub(&member->connections, 1) > 1)
        return;
    pthread_mutex_lock(&member->pool->lock);
    pthread_cond_broadcast(&member->pool->idle);
    pthread_mutex_unlock(&member->pool->lock);
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
        shards_resume(resumed);
    }
    for (struct arrival *next; arrival; arrival = next) {
        next = arrival->next;
        if (!shards_add(&member->shards, arrival->fd, (const struct sockaddr *)&arrival->address, arrival->length))
            on_closed(member);
        free(arrival);
    }
}

void pool_resume(struct exchange *x)
{
    struct member *member = shard_owner(x->home);
    pthread_mutex_lock(&member->lock);
    bool was_empty = !member->resumed && !member->arrivals;
    x->next = member->resumed;
    member->resumed = x;
    pthread_mutex_unlock(&member->lock);
    if (was_empty)
        wake(member);
}

/* Departures come first: what is shown of a client must not outlive its connection, which only a shard that runs closes. */
static void take_news(struct member *member)
{
    uint32_t tags[LOOP_LIST_MAX];
    int64_t shards_ns = shards_due_ns(&member->shards), peers_ns = peers_due_ns(&member->peers);
    size_t count = loop_wait_list(&member->loop, shards_ns < peers_ns ? shards_ns : peers_ns, tags);
    bool inbox = false, departures = false;
    for (size_t i = 0; i < count; i++) {
        inbox |= tags[i] == TAG_INBOX;
        departures |= tags[i] == TAG_DEPARTURES;
        if (tags[i] >= TAG_SHARDS)
            shards_stir(&member->shards, tags[i]);
    }
    if (departures)
        peers_take_departures(&member->peers);
    if (inbox)
        empty_inbox(member);
}

/*
 * Requests that lie in their sockets are answered too (503 by now), and then all are closed at once: only what arrives after
 * the last look meets a closed connection, and that was not read, so it has no effect.
 */
static void last_pass(struct member *member)
{
    int64_t until_ns = clock_mono_ns() + LAST_PASS_NS;
    for (int quiet = 0; quiet < 2 && clock_mono_ns() < until_ns; quiet++) {
        size_t begun = member->begun;
        empty_inbox(member);
        shards_stir_all(&member->shards);
        shards_run(&member->shards);
        shards_cut(&member->shards);
        if (member->begun != begun || member->active)
            quiet = -1;
    }
}

static void *run(void *arg)
{
    struct member *member = arg;
    while (!atomic_load(&member->pool->stop)) {
        take_news(member);
        int64_t now_ns = clock_mono_ns();
        if (peers_due_ns(&member->peers) <= now_ns)
            peers_look(&member->peers, now_ns);
        shards_run(&member->shards);
        if (atomic_load(&member->pool->cut) && !member->cut) {
            member->cut = true;
            shards_cut(&member->shards);
        }
    }
    last_pass(member);
    return NULL;
}

static int member_start(struct member *member, struct pool *pool)
{
    const struct peers_options peers = {
        .flow = pool->options.flow, .read_timeout_ms = pool->options.read_timeout_ms, .ask = pool->options.ask};
    const struct shards_options shards = {.http = {.flow = pool->options.flow,
                                                   .tls = pool->options.tls,
                                                   .peers = &member->peers,
                                                   .idle_timeout_s = pool->options.idle_timeout_s,
                                                   .active = on_active,
                                                   .closed = on_closed,
                                                   .arg = member},
                                          .loop = &member->loop,
                                          .first_tag = TAG_SHARDS};
    member->pool = pool;
    member->inbox_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int err = member->inbox_fd < 0 ? -errno : loop_open(&member->loop);
    if (!err)
        err = peers_open(&member->peers, &peers);
    if (!err)
        err = loop_add(&member->loop, peers_fd(&member->peers), TAG_DEPARTURES);
    if (!err)
        err = shards_open(&member->shards, &shards);
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
    shards_close(&member->shards);
    peers_close(&member->peers);
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
    (void)steady_cond_init(&pool->idle);
    pthread_mutex_init(&pool->lock, NULL);
    pool->options = *options;
    pool->count = count;
    for (unsigned i = 0; i < count; i++) {
        pool->members[i].inbox_fd = pool->members[i].loop.epoll_fd = pool->members[i].peers.epoll_fd = -1;
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

static size_t active(struct pool *pool)
{
    return pool->active;
}

static size_t connections(struct pool *pool)
{
    size_t total = 0;
    for (unsigned i = 0; i < pool->count; i++)
        total += atomic_load(&pool->members[i].connections);
    return total;
}

static size_t wait_for_none(struct pool *pool, size_t (*count)(struct pool *pool), int64_t deadline_ns)
{
    int err = 0;
    pthread_mutex_lock(&pool->lock);
    size_t left = count(pool);
    while (left && !err) {
        err = steady_cond_wait(&pool->idle, &pool->lock, deadline_ns);
        left = count(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    return left;
}

size_t pool_wait_idle(struct pool *pool, int64_t deadline_ns)
{
    return wait_for_none(pool, active, deadline_ns);
}

size_t pool_wait_closed(struct pool *pool, int64_t deadline_ns)
{
    return wait_for_none(pool, connections, deadline_ns);
}

size_t pool_active(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    size_t count = active(pool);
    pthread_mutex_unlock(&pool->lock);
    return count;
}

size_t pool_connections(struct pool *pool)
{
    return connections(pool);
}

void pool_give_back(struct pool *pool)
{
    size_t most = atomic_load(&pool->most), now = connections(pool);
    if (most < GIVE_BACK_MIN || now >= most / 2)
        return;
    atomic_store(&pool->most, now);
    malloc_trim(0);
}

void pool_cut(struct pool *pool)
{
    atomic_store(&pool->cut, true);
    for (unsigned i = 0; i < pool->count; i++)
        wake(&pool->members[i]);
}

/* Says why, instead of just closing. */
static void turn_away(struct pool *pool, int fd)
{
    struct answer answer = {0};
    stats_add(&pool->options.stats->turned_away);
    if (pool->options.tls) { /* it would have to shake hands first */
        close(fd);
        return;
    }
    answer_unavailable(&answer, 1,
                       "As many connections are open as this gateway takes: reuse them, or try again.");
    bypass_send(fd, &answer);
    close(fd);
    answer_done(&answer);
}

/* The thread with the fewest connections; NULL when all together have as many as are taken. */
static struct member *choose(struct pool *pool)
{
    struct member *least = NULL;
    unsigned total = 0, fewest = 0;
    for (unsigned i = 0; i < pool->count; i++) {
        unsigned own = atomic_load(&pool->members[i].connections);
        total += own;
        if (!least || own < fewest) {
            least = &pool->members[i];
            fewest = own;
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
    size_t open = connections(pool);
    if (open > atomic_load(&pool->most)) /* only this thread, the listener's, makes it more */
        atomic_store(&pool->most, open);
    pthread_mutex_lock(&member->lock);
    bool was_empty = !member->resumed && !member->arrivals;
    arrival->next = member->arrivals;
    member->arrivals = arrival;
    pthread_mutex_unlock(&member->lock);
    if (was_empty)
        wake(member);
}
