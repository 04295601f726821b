/* SPDX-License-Identifier: Apache-2.0 */
/* How commands end, as metrics say it; and when the loop is alive. */
#include "worker/meters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "worker/ops.h"

static void outcomes(void **unused)
{
    static const struct {
        int status;
        bool replayed, forwarded;
        enum meter_outcome outcome;
    } rows[] = {
        {200, false, false, METER_OK},       {202, false, false, METER_OK},      {304, false, false, METER_OK},
        {400, false, false, METER_REFUSED},  {499, false, false, METER_REFUSED}, {500, false, false, METER_FAILED},
        {503, false, false, METER_FAILED},   {504, false, false, METER_EXPIRED}, {200, true, false, METER_REPLAYED},
        {404, true, false, METER_REPLAYED},  {0, false, true, METER_FORWARDED},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(meters_outcome(rows[i].status, rows[i].replayed, rows[i].forwarded), rows[i].outcome);
    for (int i = 0; i < METER_OUTCOMES; i++)
        assert_non_null(meters_outcome_name((enum meter_outcome)i));
}

static void a_loop_that_stands_is_not_live(void **unused)
{
    const int64_t s = 1000 * CLOCK_NS_PER_MS, limit = 30 * s;
    assert_true(worker_ops_is_live(0, limit, 1000 * s)); /* it has not begun: it waits for Kafka */
    assert_true(worker_ops_is_live(100 * s, limit, 100 * s));
    assert_true(worker_ops_is_live(100 * s, limit, 189 * s)); /* a handler may take that long, and more things */
    assert_false(worker_ops_is_live(100 * s, limit, 191 * s));
}

static const struct operation operations[] = {{.type = "x.a"}, {.type = "x.b"}, {.type = NULL}};
static const struct service service = {.name = "x", .operations = operations};

static void one_command(void **unused)
{
    struct worker worker = {.service = &service};
    struct partition p = {.worker = &worker};
    struct message msg = {.rec = {.timestamp_ms = 0}};
    struct work work = {.partition = &p, .msg = &msg, .op = &operations[1], .answer = {.status = 404}, .dead_class = "crashed"};
    meters_taken(&work); /* nobody measures */
    meters_ended(&work);
    meters_handled(&work, 5);
    meters_buried(&work);
    worker.meters = meters_new(&service);
    assert_non_null(worker.meters);
    meters_taken(&work);
    assert_int_not_equal(work.taken_ns, 0);
    msg.rec.timestamp_ms = clock_wall_ms() - 2000;
    meters_ended(&work);
    meters_handled(&work, 5000);
    meters_buried(&work);
    struct operation_meter *meter = &worker.meters->operations[1];
    assert_int_equal(metrics_count(&meter->ended[METER_REFUSED]), 1);
    assert_int_equal(metrics_count(&meter->waited), 1);
    assert_in_range(meter->waited.sum_ns, UINT64_C(1900000000), UINT64_C(60000000000));
    assert_int_equal(metrics_count(&meter->handled), 1);
    assert_int_equal(worker.meters->dead[3], 1);
    work.op = NULL; /* a type that nobody knows */
    work.dead_class = NULL;
    meters_ended(&work);
    meters_buried(&work);
    assert_int_equal(metrics_count(&worker.meters->operations[2].ended[METER_REFUSED]), 1);
    assert_int_equal(worker.meters->dead[0], 1);
    assert_string_equal(meters_dead_class(0), "poison");
    meters_free(worker.meters);
    meters_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outcomes),
        cmocka_unit_test(a_loop_that_stands_is_not_live),
        cmocka_unit_test(one_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
