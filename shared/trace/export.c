/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of spans, and the thread that takes batches from it to the collector. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "log.h"
#include "steady.h"
#include "trace/span.h"

/** A batch that the collector does not take now is offered so often, after pauses that double. */
#define TRIES          4
#define FIRST_PAUSE_MS 500
/** "Traces are lost" is said at most once in so long. */
#define COMPLAIN_NS (INT64_C(60000) * CLOCK_NS_PER_MS)

struct exporter {
    /* fixed */
    struct trace_settings settings;
    struct post *post;
    pthread_t thread;

    pthread_mutex_t lock;
    pthread_cond_t more; /* a batch is full, or it is to end */
    /* guarded by lock: a ring */
    struct trace_span **queue;
    size_t first, count;
    bool closing;

    _Atomic bool stop; /* nobody waits any more */
    _Atomic uint64_t exported, dropped, failed;
    int64_t complained_ns; /* the thread's */
};

void exporter_add(struct exporter *exporter, struct trace_span *span)
{
    pthread_mutex_lock(&exporter->lock);
    bool room = exporter->count < exporter->settings.queue_max && !exporter->closing;
    if (room) {
        exporter->queue[(exporter->first + exporter->count++) % exporter->settings.queue_max] = span;
        if (exporter->count == exporter->settings.batch_max)
            pthread_cond_signal(&exporter->more);
    }
    pthread_mutex_unlock(&exporter->lock);
    if (room)
        return;
    atomic_fetch_add(&exporter->dropped, 1);
    span_free(span);
}

/* Waits for a full batch, or for as long as spans may wait; how many there are. */
static size_t take(struct exporter *exporter, struct trace_span **batch, bool *ret_over)
{
    int64_t until_ns = clock_mono_ns() + exporter->settings.delay_ms * CLOCK_NS_PER_MS;
    pthread_mutex_lock(&exporter->lock);
    while (exporter->count < exporter->settings.batch_max && !exporter->closing &&
           steady_cond_wait(&exporter->more, &exporter->lock, until_ns) != ETIMEDOUT)
        ;
    size_t n = exporter->count < exporter->settings.batch_max ? exporter->count : exporter->settings.batch_max;
    for (size_t i = 0; i < n; i++)
        batch[i] = exporter->queue[(exporter->first + i) % exporter->settings.queue_max];
    exporter->first = (exporter->first + n) % exporter->settings.queue_max;
    exporter->count -= n;
    *ret_over = exporter->closing && exporter->count == 0;
    pthread_mutex_unlock(&exporter->lock);
    return n;
}

/* Between two tries; ends early when nobody waits any more. */
static void pause_for(struct exporter *exporter, int64_t ms)
{
    for (int64_t end_ns = clock_mono_ns() + ms * CLOCK_NS_PER_MS; clock_mono_ns() < end_ns && !atomic_load(&exporter->stop);)
        nanosleep(&(struct timespec){0, 20000000}, NULL);
}

static void complain(struct exporter *exporter, long status, const char *why)
{
    int64_t now_ns = clock_mono_ns();
    if (exporter->complained_ns && now_ns - exporter->complained_ns < COMPLAIN_NS)
        return;
    exporter->complained_ns = now_ns;
    log_warn("the collector does not take traces; they are dropped", "status=%ld why=\"%s\"", status, why);
}

static void send_batch(struct exporter *exporter, struct slice body, size_t count)
{
    long status = 0;
    const char *why = "out of memory";
    enum post_end end = POST_REFUSED;
    for (int i = 0; i < TRIES; i++) {
        end = body.p ? post_send(exporter->post, body, &status, &why) : POST_REFUSED;
        if (end != POST_AGAIN || atomic_load(&exporter->stop) || i == TRIES - 1)
            break;
        pause_for(exporter, FIRST_PAUSE_MS << i);
    }
    atomic_fetch_add(end == POST_TAKEN ? &exporter->exported : &exporter->failed, count);
    if (end != POST_TAKEN)
        complain(exporter, status, why);
}

static void *run(void *arg)
{
    struct exporter *exporter = arg;
    struct trace_span **batch = calloc(exporter->settings.batch_max, sizeof(struct trace_span *));
    struct buf body = {0};
    for (bool over = batch == NULL; !over;) {
        size_t n = take(exporter, batch, &over);
        if (n == 0)
            continue;
        struct timespec wall;
        clock_gettime(CLOCK_REALTIME, &wall);
        int64_t unix_ns = (int64_t)wall.tv_sec * 1000000000 + wall.tv_nsec - clock_mono_ns();
        buf_clear(&body);
        span_batch(batch, n, buf_slice(&exporter->settings.attributes), unix_ns, &body);
        for (size_t i = 0; i < n; i++)
            span_free(batch[i]);
        send_batch(exporter, buf_ok(&body) ? buf_slice(&body) : SLICE_NONE, n);
    }
    buf_done(&body);
    free(batch);
    return NULL;
}

static int start(struct exporter *exporter)
{
    sigset_t all, before; /* signals are the main thread's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&exporter->thread, NULL, run, exporter);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!err)
        pthread_setname_np(exporter->thread, "traces");
    return -err;
}

static void free_all(struct exporter *exporter)
{
    for (size_t i = 0; i < exporter->count; i++)
        span_free(exporter->queue[(exporter->first + i) % exporter->settings.queue_max]);
    post_close(exporter->post);
    trace_settings_done(&exporter->settings);
    pthread_mutex_destroy(&exporter->lock);
    pthread_cond_destroy(&exporter->more);
    free(exporter->queue);
    free(exporter);
}

int exporter_open(struct trace_settings *settings, struct exporter **ret_exporter)
{
    struct exporter *exporter = calloc(1, sizeof(*exporter));
    if (!exporter)
        return -ENOMEM;
    exporter->settings = *settings;
    settings->endpoint = settings->headers = settings->attributes = (struct buf){0};
    pthread_mutex_init(&exporter->lock, NULL);
    (void)steady_cond_init(&exporter->more);
    exporter->queue = calloc(exporter->settings.queue_max, sizeof(struct trace_span *));
    int err = exporter->queue ? post_open(&exporter->settings, &exporter->stop, &exporter->post) : -ENOMEM;
    if (!err)
        err = start(exporter);
    if (err)
        free_all(exporter);
    else
        *ret_exporter = exporter;
    return err;
}

void exporter_close(struct exporter *exporter, int64_t timeout_ms)
{
    pthread_mutex_lock(&exporter->lock);
    exporter->closing = true;
    pthread_cond_signal(&exporter->more);
    pthread_mutex_unlock(&exporter->lock);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until); /* what pthread_timedjoin_np() goes by */
    until.tv_sec += (time_t)(timeout_ms / 1000);
    if (pthread_timedjoin_np(exporter->thread, NULL, &until) != 0) {
        atomic_store(&exporter->stop, true);
        pthread_join(exporter->thread, NULL);
    }
    struct trace_counts counts = exporter_counts(exporter);
    log_info("traces", "exported=%llu dropped=%llu failed=%llu", (unsigned long long)counts.exported, (unsigned long long)counts.dropped,
             (unsigned long long)counts.failed);
    free_all(exporter);
}

struct trace_counts exporter_counts(const struct exporter *exporter)
{
    return (struct trace_counts){atomic_load(&exporter->exported), atomic_load(&exporter->dropped), atomic_load(&exporter->failed)};
}
