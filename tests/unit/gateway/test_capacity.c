/* SPDX-License-Identifier: Apache-2.0 */
/* The estimate of a queue, against servers that are modelled. */
#include "capacity.h"

#include "support.h"

#define MS INT64_C(1000000)
#define S  (1000 * MS)

static struct capacity capacity;

static int open_one(void **unused)
{
    capacity_init(&capacity);
    return 0;
}

static int close_one(void **unused)
{
    capacity_done(&capacity);
    return 0;
}

/* `count` are done, one each `interval_ns`, with `left` under way. */
static int64_t work(int64_t now_ns, int count, int64_t interval_ns, int64_t work_ns, int left)
{
    for (int i = 0; i < count; i++)
        capacity_note(&capacity, work_ns, left, now_ns += interval_ns);
    return now_ns;
}

static void nobody_knows(void **unused)
{
    assert_int_equal(capacity_wait_ns(&capacity, 1000), 0);
    work(S, 3, MS, MS, 5);
    assert_int_equal(capacity_wait_ns(&capacity, 1000), 0);
}

static void one_server(void **unused)
{
    work(S, 200, 4 * MS, 4 * MS, 50);
    assert_in_range(capacity_wait_ns(&capacity, 250), 990 * MS, 1000 * MS);
    assert_int_equal(capacity_wait_ns(&capacity, 1), 0); /* it is worked on */
}

/* Four at a time, a second each: the fifth waits for a quarter of that. */
static void several_servers(void **unused)
{
    work(S, 40, 250 * MS, S, 8);
    assert_int_equal(capacity_wait_ns(&capacity, 4), 0);
    assert_in_range(capacity_wait_ns(&capacity, 5), 240 * MS, 260 * MS);
    assert_in_range(capacity_wait_ns(&capacity, 12), 1990 * MS, 2010 * MS);
}

static void pauses_between_requests_are_none_of_its(void **unused)
{
    int64_t now_ns = S;
    for (int i = 0; i < 20; i++) {
        now_ns = work(now_ns + 10 * S, 7, 5 * MS, 5 * MS, 3);
        capacity_note(&capacity, 5 * MS, 0, now_ns += 5 * MS);
    }
    assert_in_range(capacity_wait_ns(&capacity, 101), 490 * MS, 510 * MS);
}

static void it_follows(void **unused)
{
    int64_t now_ns = work(S, 200, 4 * MS, 4 * MS, 50);
    now_ns = work(now_ns, 200, 20 * MS, 20 * MS, 50);
    assert_in_range(capacity_wait_ns(&capacity, 51), 980 * MS, 1020 * MS);
    work(now_ns, 300, 2 * MS, 2 * MS, 50);
    assert_in_range(capacity_wait_ns(&capacity, 51), 95 * MS, 150 * MS);
}

static void all_at_one_moment(void **unused)
{
    work(S, 100, 0, 0, 50);
    capacity_note(&capacity, 0, 0, S);
    assert_int_equal(capacity_wait_ns(&capacity, 1000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_knows, open_one, close_one),
        cmocka_unit_test_setup_teardown(one_server, open_one, close_one),
        cmocka_unit_test_setup_teardown(several_servers, open_one, close_one),
        cmocka_unit_test_setup_teardown(pauses_between_requests_are_none_of_its, open_one, close_one),
        cmocka_unit_test_setup_teardown(it_follows, open_one, close_one),
        cmocka_unit_test_setup_teardown(all_at_one_moment, open_one, close_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
