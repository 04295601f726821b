/* SPDX-License-Identifier: Apache-2.0 */
/* Every task comes back exactly once, on the serving thread: under load, from a full queue, through stop and close. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "worker/pool.h"

struct probe {
    struct pool_task task;
    _Atomic bool stop;
    _Atomic int runs;
    sem_t begun, go; /* of blocked tasks */
    int done, cancelled, order;
    pthread_t done_on;
    bool term_blocked;
    struct pool *again; /* submitted once more from `done` */
};

static int ended;

static void count_run(void *arg)
{
    struct probe *probe = arg;
    atomic_fetch_add(&probe->runs, 1);
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    probe->term_blocked = sigismember(&mask, SIGTERM);
}

static void run_until_let_go(void *arg)
{
    struct probe *probe = arg;
    sem_post(&probe->begun);
    sem_wait(&probe->go);
    count_run(arg);
}

static void run_until_stopped(void *arg)
{
    struct probe *probe = arg;
    sem_post(&probe->begun);
    while (!atomic_load(&probe->stop))
        sched_yield();
    count_run(arg);
}

static void count_done(void *arg, bool ran)
{
    struct probe *probe = arg;
    probe->done++;
    probe->cancelled += !ran;
    probe->order = ended++;
    probe->done_on = pthread_self();
    struct pool *again = probe->again;
    probe->again = NULL;
    if (again)
        assert_int_equal(pool_submit(again, &probe->task), 0);
}

static void prepare(struct probe *probe, void (*run)(void *arg))
{
    *probe = (struct probe){.task = {.run = run, .done = count_done, .arg = probe, .stop = &probe->stop}};
    sem_init(&probe->begun, 0, 0);
    sem_init(&probe->go, 0, 0);
}

static struct pool *open_pool(int threads, int waiting_max)
{
    struct pool *pool = NULL;
    ended = 0;
    assert_int_equal(pool_open(threads, waiting_max, &pool), 0);
    return pool;
}

static bool readable(struct pool *pool, int timeout_ms)
{
    struct pollfd fd = {.fd = pool_fd(pool), .events = POLLIN};
    return poll(&fd, 1, timeout_ms) == 1;
}

static void serve_until(struct pool *pool, int count)
{
    while (ended < count) {
        assert_true(readable(pool, 60000));
        pool_serve(pool);
    }
}

static void expect_once(const struct probe *probe, bool ran)
{
    assert_int_equal(atomic_load(&probe->runs), ran ? 1 : 0);
    assert_int_equal(probe->done, 1);
    assert_int_equal(probe->cancelled, ran ? 0 : 1);
    assert_true(pthread_equal(probe->done_on, pthread_self()));
}

static void every_task_comes_back_once(void **state)
{
    enum { COUNT = 20000 };
    static struct probe probes[COUNT];
    struct pool *pool = open_pool(4, 64);
    for (int i = 0; i < COUNT; i++) {
        prepare(&probes[i], count_run);
        while (pool_submit(pool, &probes[i].task) == -EAGAIN) {
            assert_true(readable(pool, 60000));
            pool_serve(pool);
        }
    }
    serve_until(pool, COUNT);
    for (int i = 0; i < COUNT; i++)
        expect_once(&probes[i], true);
    assert_false(readable(pool, 0));
    assert_int_equal(pool_serve(pool), 0);
    assert_true(probes[0].term_blocked);
    pool_close(pool);
}

struct submitter {
    pthread_t id;
    struct pool *pool;
    struct probe *probes;
    int count;
};

static void *submit_all(void *arg)
{
    struct submitter *s = arg;
    for (int i = 0; i < s->count; i++) {
        while (pool_submit(s->pool, &s->probes[i].task) == -EAGAIN)
            sched_yield();
    }
    return NULL;
}

static void any_thread_submits(void **state)
{
    enum { SUBMITTERS = 3, EACH = 2000 };
    static struct probe probes[SUBMITTERS * EACH];
    struct submitter submitters[SUBMITTERS];
    struct pool *pool = open_pool(2, 16);
    for (int i = 0; i < SUBMITTERS * EACH; i++)
        prepare(&probes[i], count_run);
    for (int i = 0; i < SUBMITTERS; i++) {
        submitters[i] = (struct submitter){.pool = pool, .probes = probes + i * EACH, .count = EACH};
        assert_int_equal(pthread_create(&submitters[i].id, NULL, submit_all, &submitters[i]), 0);
    }
    serve_until(pool, SUBMITTERS * EACH);
    for (int i = 0; i < SUBMITTERS; i++)
        pthread_join(submitters[i].id, NULL);
    for (int i = 0; i < SUBMITTERS * EACH; i++)
        expect_once(&probes[i], true);
    pool_close(pool);
}

static void a_full_queue_says_so(void **state)
{
    struct probe probes[4];
    struct pool *pool = open_pool(1, 2);
    for (int i = 0; i < 4; i++)
        prepare(&probes[i], i == 0 ? run_until_let_go : count_run);
    assert_int_equal(pool_submit(pool, &probes[0].task), 0);
    sem_wait(&probes[0].begun);
    assert_int_equal(pool_submit(pool, &probes[1].task), 0);
    assert_int_equal(pool_submit(pool, &probes[2].task), 0);
    assert_int_equal(pool_submit(pool, &probes[3].task), -EAGAIN);
    struct pool_load load = pool_load(pool);
    assert_int_equal(load.threads, 1);
    assert_int_equal(load.waiting, 2);
    assert_int_equal(load.running, 1);
    assert_int_equal(pool_drain(pool, 1), -ETIMEDOUT);
    assert_false(readable(pool, 0));
    sem_post(&probes[0].go);
    serve_until(pool, 3);
    assert_int_equal(pool_submit(pool, &probes[3].task), 0);
    serve_until(pool, 4);
    for (int i = 0; i < 4; i++) {
        expect_once(&probes[i], true);
        assert_int_equal(probes[i].order, i); /* one thread: first come, first served */
    }
    pool_close(pool);
}

static void stop_ends_what_waits_and_tells_what_runs(void **state)
{
    struct probe probes[3];
    struct pool *pool = open_pool(1, 8);
    for (int i = 0; i < 3; i++) {
        prepare(&probes[i], i == 0 ? run_until_stopped : count_run);
        assert_int_equal(pool_submit(pool, &probes[i].task), 0);
    }
    sem_wait(&probes[0].begun);
    pool_stop(pool);
    struct probe late;
    prepare(&late, count_run);
    assert_int_equal(pool_submit(pool, &late.task), -ESHUTDOWN);
    assert_int_equal(pool_drain(pool, 60000), 0);
    assert_int_equal(ended, 0); /* nothing is handed back before it is served */
    assert_int_equal(pool_serve(pool), 3);
    expect_once(&probes[0], true);
    expect_once(&probes[1], false);
    expect_once(&probes[2], false);
    assert_int_equal(late.done, 0);
    pool_close(pool);
}

static void close_hands_back_all(void **state)
{
    struct probe probes[8];
    struct pool *pool = open_pool(2, 8);
    for (int i = 0; i < 8; i++) {
        prepare(&probes[i], i < 2 ? run_until_stopped : count_run);
        assert_int_equal(pool_submit(pool, &probes[i].task), 0);
    }
    sem_wait(&probes[0].begun);
    sem_wait(&probes[1].begun);
    pool_close(pool);
    for (int i = 0; i < 8; i++)
        expect_once(&probes[i], i < 2);
    pool_close(NULL);
}

static void a_task_goes_again_from_done(void **state)
{
    struct probe probe;
    struct pool *pool = open_pool(1, 1);
    prepare(&probe, count_run);
    probe.again = pool;
    assert_int_equal(pool_submit(pool, &probe.task), 0);
    serve_until(pool, 2);
    assert_int_equal(atomic_load(&probe.runs), 2);
    pool_close(pool);
}

/* However much there is in one lane: the others' tasks run at once. */
static void lanes_do_not_wait_for_each_other(void **state)
{
    struct probe waiters[POOL_COORDINATORS + 1], longs[4], brief;
    struct pool *pool = open_pool(1, 1000);
    for (int i = 0; i <= POOL_COORDINATORS; i++) {
        prepare(&waiters[i], run_until_stopped);
        waiters[i].task.lane = LANE_COORDINATE;
        assert_int_equal(pool_submit(pool, &waiters[i].task), 0);
    }
    for (int i = 0; i < 4; i++) {
        prepare(&longs[i], i == 0 ? run_until_let_go : count_run);
        longs[i].task.lane = LANE_LONG;
        assert_int_equal(pool_submit(pool, &longs[i].task), 0);
    }
    for (int i = 0; i < POOL_COORDINATORS; i++)
        sem_wait(&waiters[i].begun);
    sem_wait(&longs[0].begun);
    prepare(&brief, count_run);
    assert_int_equal(pool_submit(pool, &brief.task), 0);
    serve_until(pool, 1);
    expect_once(&brief, true);
    struct pool_load load = pool_load(pool);
    assert_int_equal(load.lane_running[LANE_COORDINATE], POOL_COORDINATORS);
    assert_int_equal(load.lane_waiting[LANE_COORDINATE], 1);
    assert_int_equal(load.lane_running[LANE_LONG], 1);
    assert_int_equal(load.lane_waiting[LANE_LONG], 3);
    assert_int_equal(load.lane_running[LANE_SHORT], 0);
    sem_post(&longs[0].go);
    serve_until(pool, 5);
    pool_close(pool);
    expect_once(&waiters[0], true);
    expect_once(&waiters[POOL_COORDINATORS], false);
}

static void callers_of_a_lane_take_turns(void **state)
{
    struct probe probes[8];
    struct pool *pool = open_pool(1, 8);
    for (int i = 0; i < 8; i++) {
        prepare(&probes[i], i == 0 ? run_until_let_go : count_run);
        probes[i].task.caller = i < 7; /* the last is another's */
        assert_int_equal(pool_submit(pool, &probes[i].task), 0);
        if (i == 0)
            sem_wait(&probes[0].begun);
    }
    sem_post(&probes[0].go);
    serve_until(pool, 8);
    assert_int_equal(probes[1].order, 1);
    assert_int_equal(probes[7].order, 2);
    assert_int_equal(probes[2].order, 3);
    pool_close(pool);
}

static _Atomic int nice_of[LANES];

static void note_nice(void *arg)
{
    struct probe *probe = arg;
    nice_of[probe->task.lane] = getpriority(PRIO_PROCESS, (id_t)gettid());
}

static void long_work_gives_way(void **state)
{
    struct probe probes[LANES];
    struct pool *pool = open_pool(1, LANES);
    int own = getpriority(PRIO_PROCESS, 0), nicer = own + POOL_NICE < 19 ? own + POOL_NICE : 19;
    for (int i = 0; i < LANES; i++) {
        prepare(&probes[i], note_nice);
        probes[i].task.lane = (enum lane)i;
        assert_int_equal(pool_submit(pool, &probes[i].task), 0);
    }
    serve_until(pool, LANES);
    assert_int_equal(nice_of[LANE_SHORT], own);
    assert_int_equal(nice_of[LANE_LONG], nicer);
    assert_int_equal(nice_of[LANE_COORDINATE], nicer);
    pool_close(pool);
}

static void refuses_nonsense(void **state)
{
    struct pool *pool = NULL;
    assert_int_equal(pool_open(-1, 1, &pool), -EINVAL);
    assert_int_equal(pool_open(1, 0, &pool), -EINVAL);
    assert_null(pool);
    pool = open_pool(0, 1); /* one for each core */
    assert_true(pool_load(pool).threads >= 1);
    pool_close(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_comes_back_once),
        cmocka_unit_test(any_thread_submits),
        cmocka_unit_test(a_full_queue_says_so),
        cmocka_unit_test(stop_ends_what_waits_and_tells_what_runs),
        cmocka_unit_test(close_hands_back_all),
        cmocka_unit_test(a_task_goes_again_from_done),
        cmocka_unit_test(lanes_do_not_wait_for_each_other),
        cmocka_unit_test(callers_of_a_lane_take_turns),
        cmocka_unit_test(long_work_gives_way),
        cmocka_unit_test(refuses_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
