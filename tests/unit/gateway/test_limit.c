/* SPDX-License-Identifier: Apache-2.0 */
/* The adaptive limit, against a modelled service: what it lets through, how quickly that is answered, how it comes back. */
#include "limit.h"

#include <stdlib.h>

#include "support.h"

#define MS INT64_C(1000000)
#define S  (1000 * MS)

/* One server that takes `service_ns` for each request, in order; requests come at random, `rate` a second, whatever happens. */
struct model {
    struct limit limit;
    int64_t now_ns, free_ns, next_ns;
    uint64_t random;
    int64_t began[20000], ends[20000];
    unsigned head, tail; /* those under way */
    /* of the span that is looked at */
    int64_t answered, refused, worst_ns;
};

static struct model *model_new(int floor, int ceiling, int64_t target_ns)
{
    struct model *m = calloc(1, sizeof(*m));
    const struct limit_options options = {.floor = floor, .ceiling = ceiling, .target = target_ns};
    assert_non_null(m);
    limit_init(&m->limit, &options);
    m->random = 42;
    m->now_ns = m->next_ns = S;
    return m;
}

static void model_free(struct model *m)
{
    limit_done(&m->limit);
    free(m);
}

/* 0.5 to 1.5 of the mean: bursts enough, and repeatable. */
static int64_t around(struct model *m, int64_t mean)
{
    m->random = m->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return mean / 2 + (int64_t)((m->random >> 33) % (uint64_t)(mean + 1));
}

static void finish_until(struct model *m, int64_t now_ns)
{
    for (; m->head != m->tail && m->ends[m->head % 20000] <= now_ns; m->head++) {
        int64_t end_ns = m->ends[m->head % 20000], took_ns = end_ns - m->began[m->head % 20000];
        limit_sample(&m->limit, took_ns, m->began[m->head % 20000], end_ns);
        limit_leave(&m->limit);
        m->answered++;
        if (took_ns > m->worst_ns)
            m->worst_ns = took_ns;
    }
}

static void run(struct model *m, double rate, int64_t service_ns, int64_t lasts_ns)
{
    int64_t until_ns = m->now_ns + lasts_ns;
    m->answered = m->refused = m->worst_ns = 0;
    m->next_ns = m->now_ns;
    while (m->next_ns < until_ns) {
        m->now_ns = m->next_ns;
        m->next_ns += around(m, (int64_t)(1e9 / rate));
        finish_until(m, m->now_ns);
        if (!limit_enter(&m->limit, 1000, m->now_ns)) {
            m->refused++;
            continue;
        }
        if (m->free_ns < m->now_ns)
            m->free_ns = m->now_ns;
        m->free_ns += service_ns;
        m->began[m->tail % 20000] = m->now_ns;
        m->ends[m->tail++ % 20000] = m->free_ns;
    }
    m->now_ns = until_ns;
    finish_until(m, until_ns);
}

static void below_capacity_nothing_is_refused(void **unused)
{
    struct model *m = model_new(16, 10000, 100 * MS);
    run(m, 900, MS, 20 * S);
    assert_int_equal(m->refused, 0);
    assert_int_equal(limit_now(&m->limit), 10000);
    model_free(m);
}

static void above_capacity_what_is_admitted_is_quick_and_nothing_is_wasted(void **unused)
{
    struct model *m = model_new(16, 10000, 100 * MS);
    run(m, 3000, MS, 15 * S); /* it learns */
    run(m, 3000, MS, 20 * S);
    assert_in_range(m->answered, 19000, 20100); /* of 20,000 */
    assert_true(m->worst_ns < 300 * MS);
    assert_in_range(m->refused, 35000, 45000);
    model_free(m);
}

/* As computations have it: what is admitted is answered after a second, so what is answered tells of a limit of a second ago. */
static void long_queues_do_not_make_it_swing(void **unused)
{
    struct model *m = model_new(2, 5000, 500 * MS);
    for (int factor = 2; factor <= 3; factor++) {
        run(m, 280 * factor, 3571 * MS / 1000, 10 * S); /* it learns */
        for (int i = 0; i < 10; i++) {
            run(m, 280 * factor, 3571 * MS / 1000, 2 * S);
            assert_in_range(m->answered, 530, 565); /* of 560 */
            assert_true(m->worst_ns < 1500 * MS);
        }
    }
    model_free(m);
}

/* After trouble that was not of its making the limit must not be long on its way. */
static void it_comes_back_soon(void **unused)
{
    struct model *m = model_new(2, 400, 500 * MS);
    run(m, 600, 200 * MS, 400 * S);
    assert_in_range(limit_now(&m->limit), 2, 20);
    run(m, 600, 3 * MS, 4 * S);
    run(m, 600, 3 * MS, 4 * S);
    assert_true(m->answered > 1250); /* of 1,333 */
    model_free(m);
}

static void it_comes_back(void **unused)
{
    struct model *m = model_new(16, 10000, 100 * MS);
    run(m, 900, MS, 5 * S);
    run(m, 900, 20 * MS, 20 * S); /* twenty times slower for a while */
    assert_true(limit_now(&m->limit) <= 64);
    run(m, 900, MS, 20 * S);
    run(m, 900, MS, 10 * S);
    assert_true(m->refused * 100 < m->answered);
    model_free(m);
}

/* What little there is in quiet times needs no larger limit, so it gets none; the burst after them does. */
static void trouble_of_long_ago_refuses_nobody(void **unused)
{
    struct model *m = model_new(64, 10000, 100 * MS);
    run(m, 900, MS, 5 * S);
    run(m, 900, 20 * MS, 20 * S);
    assert_true(limit_now(&m->limit) < 200);
    m->free_ns = 0;
    run(m, 10, MS, 20 * S);
    int admitted = 0;
    while (admitted < 500 && limit_enter(&m->limit, 900, m->now_ns))
        admitted++;
    assert_in_range(admitted, 50, 200); /* it was bad a moment ago */
    for (int i = 0; i < admitted; i++)
        limit_leave(&m->limit);
    run(m, 10, MS, 20 * S);
    for (admitted = 0; admitted < 500 && limit_enter(&m->limit, 900, m->now_ns);)
        admitted++;
    assert_int_equal(admitted, 500);
    for (int i = 0; i < admitted; i++)
        limit_leave(&m->limit);
    run(m, 3000, MS, 15 * S); /* and if it cannot, it learns anew */
    assert_true(limit_now(&m->limit) < 1000);
    model_free(m);
}

static void slow_by_nature_is_not_overloaded(void **unused)
{
    struct model *m = model_new(4, 1000, 10 * MS);
    run(m, 2, 300 * MS, 60 * S);
    assert_int_equal(m->refused, 0);
    model_free(m);
}

static void one_burst_of_late_answers_is_no_overload(void **unused)
{
    struct model *m = model_new(16, 10000, 100 * MS);
    run(m, 500, MS / 20, 10 * S);
    m->free_ns = m->now_ns + 3 * S; /* a worker is taken over: what comes meanwhile is answered then, all at once */
    run(m, 500, MS / 20, 10 * S);
    assert_int_equal(m->refused, 0);
    assert_true(m->worst_ns > 2 * S);
    assert_int_equal(limit_now(&m->limit), 10000);
    model_free(m);
}

/* What has just been admitted. */
static void sample(struct limit *limit, int64_t value, int64_t now_ns)
{
    limit_sample(limit, value, now_ns, now_ns);
}

static void within_floor_and_ceiling(void **unused)
{
    struct limit limit;
    const struct limit_options options = {.floor = 3, .ceiling = 5, .target = 10};
    limit_init(&limit, &options);
    int64_t now_ns = 1;
    for (int i = 0; i < 200; i++)
        sample(&limit, 1000, now_ns += S);
    assert_in_range(limit_now(&limit), 3, 5);
    for (int i = 0; i < 3; i++)
        assert_true(limit_enter(&limit, 1000, S));
    for (int i = 0; i < 2000; i++)
        sample(&limit, 1, now_ns += S);
    assert_int_equal(limit_now(&limit), 5);
    for (int i = 0; i < 3; i++)
        limit_leave(&limit);
    assert_int_equal(limit_in_flight(&limit), 0);
    limit_done(&limit);
}

static void shares(void **unused)
{
    struct limit limit;
    const struct limit_options options = {.floor = 1, .ceiling = 10, .target = 10};
    limit_init(&limit, &options);
    for (int i = 0; i < 9; i++)
        assert_true(limit_enter(&limit, 900, S));
    assert_false(limit_enter(&limit, 900, S));
    assert_true(limit_enter(&limit, 1000, S)); /* who may have all of it */
    assert_false(limit_enter(&limit, 1000, S));
    limit_leave(&limit);
    assert_true(limit_enter(&limit, 1000, S));
    for (int i = 0; i < 10; i++)
        limit_leave(&limit);
    assert_true(limit_enter(&limit, 1, S)); /* some always pass */
    limit_leave(&limit);
    limit_done(&limit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(below_capacity_nothing_is_refused),
        cmocka_unit_test(above_capacity_what_is_admitted_is_quick_and_nothing_is_wasted),
        cmocka_unit_test(long_queues_do_not_make_it_swing),
        cmocka_unit_test(it_comes_back_soon),
        cmocka_unit_test(it_comes_back),
        cmocka_unit_test(trouble_of_long_ago_refuses_nobody),
        cmocka_unit_test(slow_by_nature_is_not_overloaded),
        cmocka_unit_test(one_burst_of_late_answers_is_no_overload),
        cmocka_unit_test(within_floor_and_ceiling),
        cmocka_unit_test(shares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
