/* SPDX-License-Identifier: Apache-2.0 */
/* Watching handlers; see watchdog.h. */
#include "worker/watchdog.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "worker/runtime.h"

#define LOOKS_PER_LIMIT 8
#define POOL_LOOK_NS    (500 * CLOCK_NS_PER_MS)

bool watchdog_is_late(struct watchdog_sight *sight, uint64_t count, int64_t limit_ns, int64_t now_ns)
{
    if (count % 2 == 0 || count != sight->count) {
        sight->count = count;
        sight->since_ns = now_ns;
        return false;
    }
    return now_ns - sight->since_ns > limit_ns;
}

bool watchdog_is_overdue(int64_t began_ns, int64_t told_ns, int64_t limit_ns, int64_t now_ns)
{
    int64_t from_ns = began_ns > told_ns ? began_ns : told_ns;
    return began_ns != 0 && from_ns < now_ns - limit_ns;
}

static void end_process(const struct work *work, const char *what)
{
    const struct record *rec = &work->msg->rec;
    log_error(what, "id=%.*s type=%s partition=%d offset=%lld", SLICE_ARG(work->cmd.id), work->op->type, rec->partition,
              (long long)rec->offset);
    abort();
}

static void *watch(void *arg)
{
    struct watchdog *watchdog = arg;
    struct watchdog_sight sight = {.count = 0};
    struct pollfd stop = {.fd = watchdog->stop_fd, .events = POLLIN};
    int64_t pause_ms = watchdog->limit_ns / LOOKS_PER_LIMIT / CLOCK_NS_PER_MS;
    while (poll(&stop, 1, pause_ms < 10 ? 10 : pause_ms < 1000 ? (int)pause_ms : 1000) <= 0) {
        uint64_t count = atomic_load_explicit(&watchdog->count, memory_order_acquire);
        if (watchdog_is_late(&sight, count, watchdog->limit_ns, clock_mono_ns()))
            end_process(atomic_load_explicit(&watchdog->work, memory_order_relaxed),
                        "a handler does not return within handler-limit; this process ends, so that its command is found");
    }
    return NULL;
}

int watchdog_start(struct watchdog *watchdog, int64_t limit_ns)
{
    sigset_t all, before;
    watchdog->limit_ns = limit_ns;
    watchdog->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (watchdog->stop_fd < 0)
        return -errno;
    sigfillset(&all); /* signals are the main thread's to take */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&watchdog->thread, NULL, watch, watchdog);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    watchdog->running = !err;
    if (err)
        close(watchdog->stop_fd);
    return -err;
}

void watchdog_stop(struct watchdog *watchdog)
{
    uint64_t one = 1;
    if (!watchdog->running)
        return;
    ssize_t n = write(watchdog->stop_fd, &one, sizeof(one));
    (void)n;
    pthread_join(watchdog->thread, NULL);
    close(watchdog->stop_fd);
    watchdog->running = false;
}

void watchdog_look(struct worker *worker, int64_t now_ns)
{
    struct watchdog *watchdog = &worker->watchdog;
    if (!watchdog->running || !worker->has_pool || now_ns < watchdog->pool_ns)
        return;
    watchdog->pool_ns = now_ns + POOL_LOOK_NS;
    for (int32_t i = 0; i < worker->partition_count; i++) {
        for (const struct work *work = worker->partitions[i].works; work; work = work->next) {
            int64_t told_ns = work->cancelled && work->told_ns < work->job.deadline_ns ? work->told_ns : work->job.deadline_ns;
            if (work->stage == WORK_RUNNING &&
                watchdog_is_overdue(atomic_load(&work->began_ns), told_ns, watchdog->limit_ns, now_ns))
                end_process(work, "a handler on the pool does not stop; this process ends, so that its command is found");
        }
    }
}
