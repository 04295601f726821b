/* SPDX-License-Identifier: Apache-2.0 */
/* Who is blamed for a process that ended, who is not, and who waits meanwhile. A process ends by being freed: the log stays. */
#include "rig.h"

#include "worker/suspects.h"

#define SECOND INT64_C(1000000000)

/* A process that has suspects: all commands of the log below `until`. */
static struct rig *suspicious(int64_t until)
{
    struct rig *rig = rig_serving();
    rig->worker.suspicious = true;
    rig->partitions[0].suspect_until = until;
    return rig;
}

static void tick(struct rig *rig, int64_t now_ns)
{
    partition_tick(&rig->partitions[0], SECOND + now_ns);
}

/* Ticks, and acknowledges what is appended by it, until nothing more comes. */
static void settle(struct rig *rig, int64_t now_ns)
{
    do {
        tick(rig, now_ns);
        rig_acknowledge_events(rig);
        rig_acknowledge_replies(rig);
        tick(rig, now_ns);
    } while (fake_waiting(rig->worker.events));
}

/* The newest count of that command in the log. */
static struct attempts counted(const char *id)
{
    struct attempts found = {.count = -1}, read;
    for (int64_t o = 0; o < fake_log_end(); o++) {
        struct tombstone tombstone;
        if (envelope_decode_attempts(fake_log(o), &read) && slice_is(read.command_id, id))
            found = read;
        else if (envelope_decode_tombstone(fake_log(o), &tombstone) && slice_is(tombstone.attempts_of, id))
            found = (struct attempts){.count = -1};
    }
    return found;
}

static void assert_counted(const char *id, int crashes, int beside)
{
    struct attempts found = counted(id);
    assert_int_equal(found.crashes, crashes);
    assert_int_equal(found.beside, beside);
}

static void the_time_alone_doubles(void **unused)
{
    assert_int_equal(suspects_alone_ns(0), SUSPECTS_ALONE_NS);
    assert_int_equal(suspects_alone_ns(3), 8 * SUSPECTS_ALONE_NS);
    assert_int_equal(suspects_alone_ns(1000), SUSPECTS_ALONE_NS << SUSPECTS_DOUBLINGS);
}

static void a_long_one_does_not_hold_up_the_others(void **unused)
{
    struct rig *rig = suspicious(2);
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "1", .id = "long", .body = "{}"});
    rig_ask(rig, (struct ask){.type = "thing.create", .key = "2", .id = "b", .body = "{}"});
    rig_ask(rig, (struct ask){.type = "thing.create", .key = "3", .id = "later", .body = "{}"});
    settle(rig, 0);
    assert_int_equal(fake_tasks(), 1);
    assert_counted("long", 1, 0);
    settle(rig, SECOND / 2);
    assert_int_equal(rig_replies(rig), 0);
    settle(rig, 2 * SECOND);
    assert_counted("long", 0, 1);
    assert_int_equal(rig_replies(rig), 2);
    assert_reply(rig, 0, "b", 201);
    assert_reply(rig, 1, "later", 201);
    assert_false(rig->worker.suspicious);
    fake_run_task();
    settle(rig, 3 * SECOND);
    assert_reply(rig, 2, "long", 201);
    assert_int_equal(counted("long").count, -1);
    assert_int_equal(rig->worker.let_go, 0);
    rig_free(rig);
    fake_bus_reset();
}

static void the_next_one_does_not_begin_before_that_stands_in_the_log(void **unused)
{
    struct rig *rig = suspicious(100);
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "1", .id = "long", .body = "{}"});
    rig_ask(rig, (struct ask){.type = "thing.create", .key = "2", .id = "b", .body = "{}"});
    settle(rig, 0);
    tick(rig, 2 * SECOND); /* its new count is on its way */
    tick(rig, 2 * SECOND);
    assert_int_equal(fake_waiting(rig->worker.events), 1);
    assert_int_equal(counted("b").count, -1);
    fake_acknowledge(rig->worker.events);
    tick(rig, 2 * SECOND);
    fake_acknowledge(rig->worker.events);
    assert_counted("b", 0, 1); /* it is not alone */
    rig_free(rig);
    fake_bus_reset();
}

static void who_ran_beside_another_is_not_blamed(void **unused)
{
    for (int process = 0; process < 3; process++) {
        struct rig *rig = suspicious(100);
        rig_ask(rig, (struct ask){.type = "thing.work", .key = "1", .id = "long", .body = "{}"});
        rig_ask(rig, (struct ask){.type = "thing.work", .key = "2", .id = "next", .body = "{}"});
        settle(rig, 0);
        settle(rig, 100 * SECOND);
        settle(rig, 100 * SECOND);
        assert_int_equal(rig_dead(rig), 0);
        rig_free(rig);
    }
    assert_counted("long", 0, 3);
    assert_counted("next", 0, 1); /* in the later ones it waited for the other to end */
    fake_bus_reset();
}

/* After a process that ended while two ran: the others first, then each of the two with nothing beside it. */
static void who_ran_beside_another_comes_last_and_alone(void **unused)
{
    struct rig *rig = suspicious(100);
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "1", .id = "long", .body = "{}"});
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "2", .id = "next", .body = "{}"});
    settle(rig, 0);
    settle(rig, 2 * SECOND);
    assert_counted("next", 0, 1);
    rig_free(rig);

    rig = suspicious(4);
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "1", .id = "long", .body = "{}"});
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "2", .id = "next", .body = "{}"});
    rig_ask(rig, (struct ask){.type = "thing.create", .key = "3", .id = "c", .body = "{}"});
    rig_ask(rig, (struct ask){.type = "thing.get", .key = "1", .id = "behind"});
    settle(rig, 0);
    assert_reply(rig, 0, "c", 201);
    assert_int_equal(rig_replies(rig), 1);
    assert_counted("long", 1, 1);
    settle(rig, 0);
    settle(rig, 3 * SECOND / 2); /* longer than the first time */
    assert_counted("long", 1, 1);
    settle(rig, 3 * SECOND);
    assert_counted("long", 0, 2);
    assert_counted("next", 0, 1);
    assert_int_equal(fake_tasks(), 1);
    rig_ask(rig, (struct ask){.type = "thing.create", .key = "4", .id = "new", .body = "{}"});
    settle(rig, 3 * SECOND);
    assert_reply(rig, 1, "new", 201); /* it need not wait for that */
    fake_run_task();
    settle(rig, 3 * SECOND);
    assert_counted("next", 1, 1);
    rig_free(rig);

    rig = suspicious(100); /* it was alone, once */
    rig->next_offset = 1;
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "2", .id = "next", .body = "{}"});
    settle(rig, 0);
    assert_counted("next", 2, 1);
    rig_free(rig);

    rig = suspicious(100); /* and twice */
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "2", .id = "next", .body = "{}"});
    settle(rig, 0);
    assert_int_equal(rig_dead(rig), 1);
    assert_header(rig_dead_letter(rig, 0), "__dlq.errors.class", "crashed");
    rig_free(rig);
    fake_bus_reset();
}

/* A new command on the pool runs when a suspect's turn comes that must be alone: that is waited for, but not for good. */
/* Else it would end each next process before the offset behind its first record is committed. */
static void what_ends_its_process_lies_there_twice(void **unused)
{
    const struct ask bomb = {.type = "thing.work", .key = "1", .id = "bomb", .body = "{}"};
    for (int process = 0; process < SUSPECTS_CRASHES; process++) {
        struct rig *rig = suspicious(2);
        rig_ask(rig, bomb);
        rig_ask(rig, bomb);
        settle(rig, 0);
        rig_free(rig);
    }
    assert_counted("bomb", SUSPECTS_CRASHES, 0);
    struct rig *rig = suspicious(2);
    rig_ask(rig, bomb);
    rig_ask(rig, bomb);
    settle(rig, 0);
    settle(rig, SECOND / 2);
    assert_int_equal(fake_tasks(), 0);
    assert_int_equal(rig_dead(rig), 2);
    assert_false(rig->worker.suspicious);
    settle(rig, SECOND);
    assert_int_equal(counted("bomb").count, -1); /* sent again after this it begins anew */
    rig_free(rig);
    fake_bus_reset();
}

static void what_runs_is_waited_for(void **unused)
{
    struct rig *rig = suspicious(100);
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "1", .id = "long", .body = "{}"});
    settle(rig, 0);
    settle(rig, 2 * SECOND);
    assert_counted("long", 0, 1);
    rig_free(rig);
    rig = rig_serving();
    rig->next_offset = 7;
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "5", .id = "other", .body = "{}"});
    rig->worker.suspicious = true;
    rig->partitions[0].suspect_until = 100;
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "1", .id = "long", .body = "{}"});
    settle(rig, SECOND);
    assert_int_equal(fake_tasks(), 1);
    settle(rig, 4 * SECOND);
    assert_int_equal(fake_tasks(), 2);
    assert_counted("long", 0, 2);
    rig_free(rig);
    fake_bus_reset();
}

static void a_claim_that_is_lost_blames_nobody(void **unused)
{
    struct rig *rig = suspicious(100);
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "1", .id = "a", .body = "{}"});
    settle(rig, 0);
    assert_counted("a", 1, 0);
    recover_restart(&rig->partitions[0], "the test says so", 0);
    assert_null(rig->worker.turn);
    rig_turn(rig, INT64_MAX);
    rig_recover(rig);
    rig_acknowledge_events(rig);
    assert_int_equal(rig->partitions[0].phase, PARTITION_SERVING);
    assert_counted("a", 0, 0);
    rig_free(rig);
    fake_bus_reset();
}

static void a_read_of_the_partition_leaves_no_count_behind(void **unused)
{
    struct rig *rig = suspicious(100);
    rig_ask(rig, (struct ask){.type = "thing.list", .id = "list"});
    tick(rig, 0);
    rig_acknowledge_events(rig);
    assert_counted("list", 1, 0);
    settle(rig, 0);
    assert_reply(rig, 0, "list", 200);
    assert_int_equal(counted("list").count, -1);
    rig_free(rig);
    fake_bus_reset();
}

/* As many claims as processes that ended, not as there were. */
static void claims_after_an_orderly_stop_do_not_count(void **unused)
{
    for (int process = 0; process < 4; process++) {
        struct rig *rig = rig_serving();
        assert_int_equal(state_claims_in_place(rig->partitions[0].state), process < 2 ? 1 : process);
        rig_ask_at(rig, (struct ask){.type = "thing.work", .key = "1", .id = "long", .body = "{}"}, 0);
        if (process == 0) {
            suspects_pardon(&rig->partitions[0]);
            rig_acknowledge_events(rig);
        }
        rig_free(rig);
    }
    fake_bus_reset();
}

static void claims_of_one_process_do_not_count(void **unused)
{
    struct rig *rig = rig_serving();
    for (int i = 0; i < 3; i++) {
        recover_restart(&rig->partitions[0], "the test says so", 0);
        rig_turn(rig, INT64_MAX);
        rig_recover(rig);
        assert_int_equal(state_claims_in_place(rig->partitions[0].state), 1);
    }
    rig_free(rig);
    rig = rig_serving();
    assert_int_equal(state_claims_in_place(rig->partitions[0].state), 2);
    rig_free(rig);
    fake_bus_reset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_time_alone_doubles),
        cmocka_unit_test(a_long_one_does_not_hold_up_the_others),
        cmocka_unit_test(the_next_one_does_not_begin_before_that_stands_in_the_log),
        cmocka_unit_test(who_ran_beside_another_is_not_blamed),
        cmocka_unit_test(who_ran_beside_another_comes_last_and_alone),
        cmocka_unit_test(what_ends_its_process_lies_there_twice),
        cmocka_unit_test(what_runs_is_waited_for),
        cmocka_unit_test(a_claim_that_is_lost_blames_nobody),
        cmocka_unit_test(a_read_of_the_partition_leaves_no_count_behind),
        cmocka_unit_test(claims_after_an_orderly_stop_do_not_count),
        cmocka_unit_test(claims_of_one_process_do_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
