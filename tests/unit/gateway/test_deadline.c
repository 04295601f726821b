/* SPDX-License-Identifier: Apache-2.0 */
/* What is left of a request's time behind its body. */
#include "deadline.h"

#include "clock.h"
#include "pending.h"
#include "support.h"

#define MS      CLOCK_NS_PER_MS
#define STARTED (INT64_C(1000000) * MS)
#define WALL    INT64_C(1700000000000)
#define KAFKA   5000

static struct answer answer;
static struct deadline deadline;

static int end(void **unused)
{
    answer_done(&answer);
    return 0;
}

/* Its body is here so many ms behind its head. */
static bool left(const struct exchange *x, int64_t spent_ms)
{
    return deadline_left(x, KAFKA, STARTED + spent_ms * MS, WALL + spent_ms, &deadline, &answer);
}

static void time_counts_from_the_head(void **unused)
{
    static const struct exchange x = {.started_ns = STARTED, .wait_ms = 2000, .work_ms = 2000};
    for (int64_t spent_ms = 0; spent_ms < 2000; spent_ms += 333) {
        assert_true(left(&x, spent_ms));
        assert_int_equal(deadline.until_ns, STARTED + 2000 * MS);
        assert_int_equal(deadline.expiry_ms, WALL + 2000);
        assert_true(deadline.accept_ns == PENDING_NEVER);
    }
}

/* Its worker has a moment to say how far it came. */
static void a_computation_is_given_up_a_little_earlier(void **unused)
{
    static const struct route heavy = {.heavy = true};
    struct exchange x = {.route = &heavy, .started_ns = STARTED, .wait_ms = 2000, .work_ms = 2000};
    assert_true(left(&x, 200));
    assert_int_equal(deadline.until_ns, STARTED + 2000 * MS);
    assert_int_equal(deadline.expiry_ms, WALL + 1950);
    x.wait_ms = x.work_ms = 100;
    assert_true(left(&x, 0));
    assert_int_equal(deadline.expiry_ms, WALL + 90);
    x.async = true; /* nobody waits for it */
    assert_true(left(&x, 0));
    assert_int_equal(deadline.expiry_ms, WALL + 100);
}

static void nothing_is_left(void **unused)
{
    static const struct exchange x = {.started_ns = STARTED, .wait_ms = 2000, .work_ms = 2000};
    assert_true(left(&x, 1999));
    assert_false(left(&x, 2000));
    assert_int_equal(answer.status, 408);
    assert_false(left(&x, 3500));
    assert_true(body_has(&answer, "The body took 3.500 s to come, and the request had 2.000 s"));
}

/* Who takes 202 has not limited how long Kafka may take, only when 202 is to be said, and the work. */
static void who_does_not_wait(void **unused)
{
    static const struct exchange x = {
        .started_ns = STARTED, .async = true, .wait_ms = KAFKA, .accept_ms = 1000, .work_ms = 60000};
    assert_true(left(&x, 200));
    assert_int_equal(deadline.accept_ns, STARTED + 1000 * MS);
    assert_int_equal(deadline.until_ns, STARTED + 200 * MS + KAFKA * MS);
    assert_int_equal(deadline.expiry_ms, WALL + 60000);
    assert_true(left(&x, 20000)); /* 202 as soon as Kafka has it */
    assert_int_equal(deadline.until_ns, STARTED + 20000 * MS + KAFKA * MS);
    assert_int_equal(deadline.expiry_ms, WALL + 60000);
    assert_false(left(&x, 60000));
    assert_int_equal(answer.status, 408);
}

static void who_waits_longer_than_kafka_may_take(void **unused)
{
    static const struct exchange x = {
        .started_ns = STARTED, .async = true, .wait_ms = 30000, .accept_ms = 30000, .work_ms = 60000};
    assert_true(left(&x, 1000));
    assert_int_equal(deadline.accept_ns, STARTED + 30000 * MS);
    assert_int_equal(deadline.until_ns, STARTED + 30000 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(time_counts_from_the_head, end),
        cmocka_unit_test_teardown(a_computation_is_given_up_a_little_earlier, end),
        cmocka_unit_test_teardown(nothing_is_left, end),
        cmocka_unit_test_teardown(who_does_not_wait, end),
        cmocka_unit_test_teardown(who_waits_longer_than_kafka_may_take, end),
    };
    return cmocka_run_group_tests_name("deadline", tests, NULL, NULL);
}
