/* SPDX-License-Identifier: Apache-2.0 */
/* What is said about a command wherever it is, and giving it up. */
#include "rig.h"

#include "clock.h"
#include "worker/faults.h"
#include "worker/partition.h"

static struct rig *rig;

static int serve(void **unused)
{
    rig = rig_serving();
    return 0;
}

static int end(void **unused)
{
    rig_free(rig);
    fake_bus_reset();
    return 0;
}

static struct reply last_reply(void)
{
    return rig_reply(rig, rig_replies(rig) - 1);
}

static bool body_has(const char *text)
{
    struct slice body = last_reply().body;
    return memmem(body.p, body.len, text, strlen(text)) != NULL;
}

/* Asks about `subject`; the status of the answer, 0 while there is none. */
static int ask(const char *type, const char *key, const char *subject)
{
    size_t before = rig_replies(rig);
    rig_ask(rig, (struct ask){.type = type, .key = key, .id = "q", .subject = subject});
    return rig_replies(rig) > before ? last_reply().status : 0;
}

static void nobody_knows_it(void **unused)
{
    assert_int_equal(ask("thing.operation", "1", "a"), 404);
    assert_int_equal(ask("thing.cancel", "1", "a"), 404);
    assert_int_equal(ask("thing.operation", "1", NULL), 422);
    assert_int_equal(rig_events(rig), 0);
}

static void it_is_answered_when_it_is_final(void **unused)
{
    rig_ask(rig, (struct ask){.type = "thing.create", .key = "1", .id = "a", .body = "{\"x\":1}"});
    assert_int_equal(ask("thing.operation", "1", "a"), 0); /* its event may be void */
    rig_acknowledge_events(rig);
    assert_int_equal(last_reply().status, 200);
    assert_true(body_has("{\"state\":\"succeeded\",\"status\":201,\"etag\":\"\\\"1\\\"\",\"result\":{\"x\":1}}"));
    partition_apply(&rig->partitions[0]);
    assert_int_equal(ask("thing.operation", "1", "a"), 200); /* from the local copy as well */
    assert_true(body_has("\"result\":{\"x\":1}"));
    assert_int_equal(ask("thing.cancel", "1", "a"), 409);
}

static void a_refusal_has_failed(void **unused)
{
    rig_ask(rig, (struct ask){.type = "thing.put", .key = "1", .id = "a", .body = "{}"});
    rig_acknowledge_events(rig);
    assert_int_equal(ask("thing.operation", "1", "a"), 200);
    assert_true(body_has("{\"state\":\"failed\",\"status\":404,\"result\":{\"type\":\"about:blank\""));
}

static void running_and_behind_it(void **unused)
{
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "1", .id = "a", .body = "{}"});
    rig_ask(rig, (struct ask){.type = "thing.put", .key = "1", .id = "b", .body = "{}"});
    assert_int_equal(ask("thing.operation", "1", "a"), 202);
    assert_true(body_has("{\"state\":\"running\"}"));
    assert_int_equal(ask("thing.operation", "1", "b"), 202);
    assert_true(body_has("{\"state\":\"pending\"}"));
    fake_run_task();
    rig_acknowledge_events(rig);
    assert_int_equal(ask("thing.operation", "1", "b"), 200);
}

static void running_says_how_far_it_is(void **unused)
{
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "1", .id = "a", .body = "42%"});
    assert_int_equal(ask("thing.operation", "1", "a"), 202);
    assert_true(body_has("{\"state\":\"running\"}")); /* it has not said anything */
    fake_begin_task();
    assert_int_equal(ask("thing.operation", "1", "a"), 202);
    assert_true(body_has("{\"state\":\"running\",\"progress\":0.4200}"));
    job_progress(&partition_running(&rig->partitions[0], SLICE("1"))->job, 1, 1);
    assert_int_equal(ask("thing.operation", "1", "a"), 202);
    assert_true(body_has("\"progress\":1.0000}"));
    job_memory(&partition_running(&rig->partitions[0], SLICE("1"))->job, 5, 70000);
    assert_int_equal(ask("thing.operation", "1", "a"), 202);
    assert_true(body_has("\"progress\":1.0000,\"memory\":{\"current_bytes\":5,\"peak_bytes\":70000}}"));
    assert_int_equal(ask("thing.cancel", "1", "a"), 202);
    assert_true(body_has("{\"state\":\"cancelling\"}"));
    fake_end_task();
}

static void cancelled_while_it_runs(void **unused)
{
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "1", .id = "a", .body = "{}"});
    assert_int_equal(ask("thing.cancel", "1", "a"), 202);
    assert_true(body_has("cancelling"));
    assert_int_equal(ask("thing.cancel", "1", "a"), 202); /* once more does no harm */
    fake_run_task();
    assert_int_equal(rig_events(rig), 1);
    assert_int_equal(rig_event(rig, 0).status, 409);
    assert_false(rig_event(rig, 0).exists);
    rig_acknowledge_events(rig);
    assert_reply(rig, 2, "a", 409);
    assert_int_equal(ask("thing.operation", "1", "a"), 200);
    assert_true(body_has("{\"state\":\"failed\",\"status\":409"));
}

static void cancelled_before_its_turn(void **unused)
{
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "1", .id = "a", .body = "first"});
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "1", .id = "b", .body = "second"});
    assert_int_equal(ask("thing.cancel", "1", "b"), 202);
    fake_run_task();
    assert_int_equal(fake_tasks(), 0); /* it did not run */
    rig_acknowledge_events(rig);
    assert_int_equal(rig_event(rig, 1).status, 409);
    assert_slice(rig_event(rig, 1).state, "first");
}

static int cancel_of_key(const char *key, const char *auth)
{
    size_t before = rig_replies(rig);
    rig_ask(rig, (struct ask){.type = "thing.cancel", .key = key, .id = "q", .auth = auth});
    return rig_replies(rig) > before ? last_reply().status : 0;
}

static void cancelled_by_its_key(void **unused)
{
    assert_int_equal(cancel_of_key("1", NULL), 404);
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "1", .id = "a", .body = "first", .auth = "alice"});
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "1", .id = "b", .body = "second"});
    assert_int_equal(cancel_of_key("1", "bob"), 403);
    assert_int_equal(cancel_of_key("2", "alice"), 404);
    assert_int_equal(cancel_of_key("1", "alice"), 202);
    assert_true(body_has("{\"state\":\"cancelling\"}"));
    fake_run_task();
    fake_run_task();
    rig_acknowledge_events(rig);
    assert_int_equal(rig_event(rig, 0).status, 409);
    assert_slice(rig_event(rig, 1).state, "second");
    assert_int_equal(cancel_of_key("1", NULL), 409);
    partition_apply(&rig->partitions[0]);
    assert_int_equal(cancel_of_key("1", NULL), 409);
}

/* Sent again, it waits behind a running one of its key: nothing will come of that. */
static void a_repetition_that_waits_does_not_hide_its_outcome(void **unused)
{
    rig_ask(rig, (struct ask){.type = "thing.create", .key = "1", .id = "a", .body = "{}"});
    rig_acknowledge_events(rig);
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "1", .id = "b", .body = "{}"});
    rig_ask(rig, (struct ask){.type = "thing.create", .key = "1", .id = "a", .body = "{}"});
    assert_int_equal(ask("thing.operation", "1", "a"), 200);
    assert_true(body_has("\"status\":201"));
    assert_int_equal(ask("thing.cancel", "1", "a"), 409);
    fake_run_task();
}

static void forwarded_like_any_other(void **unused)
{
    const char *foreign = "2";
    for (int key = 2; bus_partition_of(slice_of(foreign), FAKE_PARTITIONS) == 0; key++) {
        static char text[12];
        snprintf(text, sizeof(text), "%d", key);
        foreign = text;
    }
    assert_int_equal(ask("thing.operation", foreign, "a"), 0);
    assert_int_equal(rig_forwarded(rig), 1);
}

static void another_services_is_unknown(void **unused)
{
    assert_int_equal(ask("other.operation", "1", "a"), 0);
    assert_int_equal(rig_dead(rig), 1);
    assert_int_equal(ask("thing.operations", "1", "a"), 0);
    assert_int_equal(rig_dead(rig), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_knows_it, serve, end),
        cmocka_unit_test_setup_teardown(it_is_answered_when_it_is_final, serve, end),
        cmocka_unit_test_setup_teardown(a_refusal_has_failed, serve, end),
        cmocka_unit_test_setup_teardown(running_and_behind_it, serve, end),
        cmocka_unit_test_setup_teardown(running_says_how_far_it_is, serve, end),
        cmocka_unit_test_setup_teardown(cancelled_while_it_runs, serve, end),
        cmocka_unit_test_setup_teardown(cancelled_before_its_turn, serve, end),
        cmocka_unit_test_setup_teardown(cancelled_by_its_key, serve, end),
        cmocka_unit_test_setup_teardown(a_repetition_that_waits_does_not_hide_its_outcome, serve, end),
        cmocka_unit_test_setup_teardown(forwarded_like_any_other, serve, end),
        cmocka_unit_test_setup_teardown(another_services_is_unknown, serve, end),
    };
    return cmocka_run_group_tests_name("inquire", tests, NULL, NULL);
}
