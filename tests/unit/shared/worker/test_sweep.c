/* SPDX-License-Identifier: Apache-2.0 */
/* What the dedupe window has passed gets a tombstone, and nothing else does; readers of the log agree. */
#include "rig.h"

#include <stdio.h>

#include "worker/sweep.h"

#define WINDOW_MS (INT64_C(24) * 3600 * 1000)

static struct rig *rig;

static int set_up(void **unused)
{
    rig = rig_serving();
    rig->worker.dedupe_ms = WINDOW_MS;
    return 0;
}

static int tear_down(void **unused)
{
    rig_free(rig);
    assert_int_equal(fake_messages_alive(), 0);
    fake_bus_reset();
    return 0;
}

static struct partition *part(struct rig *r)
{
    return &r->partitions[0];
}

static int sweep_after(struct rig *r, int64_t ms)
{
    partition_apply(part(r));
    int appended = sweep_tombstones(part(r), clock_wall_ms() + ms);
    return appended;
}

static void ask_and_settle(struct ask ask)
{
    rig_ask(rig, ask);
    rig_acknowledge_events(rig);
}

static const struct ask create_one = {.type = "thing.create", .key = "1", .id = "a", .body = "one"};
static const struct ask delete_one = {.type = "thing.delete", .key = "1", .id = "b"};
static const struct ask create_again = {.type = "thing.create", .key = "1", .id = "c", .body = "anew"};
static const struct ask get_one = {.type = "thing.get", .key = "1", .id = "g"};

static const struct record *last_sent(const struct rig *r)
{
    return fake_sent(r->worker.events, fake_sent_count(r->worker.events) - 1);
}

static void a_deleted_entity_gets_a_tombstone_after_the_window(void **unused)
{
    ask_and_settle(create_one);
    ask_and_settle(delete_one);
    assert_int_equal(sweep_after(rig, WINDOW_MS - 60000), 0);
    assert_int_equal(sweep_after(rig, WINDOW_MS + 60000), 1);
    assert_int_equal(sweep_after(rig, WINDOW_MS + 60000), 0); /* it is on its way */
    struct tombstone tombstone;
    assert_true(envelope_decode_tombstone(last_sent(rig), &tombstone));
    assert_slice(last_sent(rig)->key, "1");
    assert_true(journal_claim_is(&part(rig)->writer.claim, tombstone.writer));
    rig_acknowledge_events(rig);
    assert_int_equal(sweep_after(rig, WINDOW_MS + 60000), 0);
    bool exists;
    int64_t version;
    struct slice value;
    assert_false(state_entity(part(rig)->state, SLICE("1"), &exists, &version, &value));
}

static void an_entity_that_lives_is_left_alone(void **unused)
{
    ask_and_settle(create_one);
    assert_int_equal(sweep_after(rig, 100 * WINDOW_MS), 0);
    ask_and_settle(delete_one);
    ask_and_settle(create_again);
    assert_int_equal(sweep_after(rig, 100 * WINDOW_MS), 0);
}

static void what_never_was_is_forgotten_too(void **unused)
{
    ask_and_settle(delete_one); /* 404: its event is the key's only record */
    assert_int_equal(sweep_after(rig, WINDOW_MS + 60000), 1);
    rig_acknowledge_events(rig);
    assert_int_equal(sweep_after(rig, 2 * WINDOW_MS), 0);
}

/* A command that comes while the tombstone is on its way sees that there is nothing any more. */
static void versions_begin_again_after_a_tombstone_only(void **unused)
{
    ask_and_settle(create_one);
    ask_and_settle(delete_one);
    assert_int_equal(sweep_after(rig, WINDOW_MS + 60000), 1);
    rig_ask(rig, create_again);
    rig_acknowledge_events(rig);
    assert_reply(rig, 2, "c", 201);
    assert_slice(rig_reply(rig, 2).etag, "\"1\"");
    ask_and_settle((struct ask){.type = "thing.delete", .key = "1", .id = "d"});
    ask_and_settle((struct ask){.type = "thing.create", .key = "1", .id = "e", .body = "third"});
    assert_slice(rig_reply(rig, 4).etag, "\"3\"");
}

static void a_key_with_a_young_command_waits_for_the_next_sweep(void **unused)
{
    ask_and_settle(create_one);
    ask_and_settle(delete_one);
    partition_apply(part(rig));
    rig_ask(rig, create_again);
    assert_int_equal(sweep_tombstones(part(rig), clock_wall_ms() + 2 * WINDOW_MS), 0);
    rig_acknowledge_events(rig);
    assert_slice(rig_reply(rig, 2).etag, "\"3\"");
}

static void a_new_reader_sees_what_the_writer_sees(void **unused)
{
    ask_and_settle(create_one);
    ask_and_settle(delete_one);
    ask_and_settle((struct ask){.type = "thing.create", .key = "2", .id = "x", .body = "two"});
    assert_int_equal(sweep_after(rig, WINDOW_MS + 60000), 1);
    rig_acknowledge_events(rig);
    struct rig *other = rig_new(3);
    other->worker.dedupe_ms = WINDOW_MS;
    rig_recover(other);
    assert_int_equal(part(other)->phase, PARTITION_SERVING);
    assert_int_equal(sweep_after(other, 2 * WINDOW_MS), 0); /* the tombstone is known */
    other->next_offset = 3;
    rig_ask(other, get_one);
    rig_ask(other, (struct ask){.type = "thing.get", .key = "2", .id = "h"});
    assert_reply(other, 0, "g", 404);
    assert_reply(other, 1, "h", 200);
    rig_free(other);
}

/* One that hides a state: a deposed owner's, or somebody's by hand. */
static void a_void_tombstone_is_repaired(void **unused)
{
    ask_and_settle(create_one);
    fake_log_append(&(struct record){.topic = "thing.events", .key = SLICE("1"), .value = SLICE_NONE});
    struct rig *other = rig_new(1);
    rig_recover(other);
    assert_int_equal(rig_events(other), 1);
    assert_slice(rig_event(other, 0).state, "one");
    rig_acknowledge_events(other);
    assert_int_equal(part(other)->phase, PARTITION_SERVING);
    other->next_offset = 1;
    rig_ask(other, get_one);
    assert_slice(rig_reply(other, 0).body, "one");
    rig_free(other);
}

static void claims_that_decide_nothing_get_tombstones(void **unused)
{
    struct journal_claim first = part(rig)->writer.claim; /* writes nothing */
    struct rig *second = rig_new(-1);
    rig_recover(second);
    struct journal_claim used = part(second)->writer.claim;
    rig_ask(second, create_one);
    rig_acknowledge_events(second);
    struct rig *third = rig_new(-1);
    third->worker.dedupe_ms = WINDOW_MS;
    rig_recover(third);
    assert_int_equal(sweep_tombstones(part(third), clock_wall_ms()), 1);
    struct tombstone tombstone;
    assert_true(envelope_decode_tombstone(last_sent(third), &tombstone));
    assert_true(journal_claim_is(&first, tombstone.claim_id));
    assert_false(journal_claim_is(&used, tombstone.claim_id));
    assert_false(envelope_claim_of(last_sent(third)).p); /* not taken for a claim */
    rig_acknowledge_events(third);
    partition_apply(part(third));
    assert_int_equal(sweep_tombstones(part(third), clock_wall_ms()), 0);
    struct rig *fourth = rig_new(-1);
    rig_recover(fourth); /* reads the tombstone; the third's claim has nothing but that behind it */
    assert_int_equal(sweep_tombstones(part(fourth), clock_wall_ms()), 1);
    struct slice value;
    bool exists;
    int64_t version;
    assert_true(state_entity(part(fourth)->state, SLICE("1"), &exists, &version, &value));
    assert_slice(value, "one");
    rig_free(fourth);
    rig_free(third);
    rig_free(second);
}

static void a_sweep_takes_a_bounded_amount(void **unused)
{
    for (int i = 0; i < 250; i++) {
        char key[16];
        snprintf(key, sizeof(key), "%d", i + 1000);
        ask_and_settle((struct ask){.type = "thing.delete", .key = key, .id = key});
    }
    int turns = 0, removed = 0, n;
    while ((n = sweep_after(rig, 2 * WINDOW_MS)) > 0) {
        assert_true(n <= 100);
        removed += n;
        turns++;
        rig_acknowledge_events(rig);
    }
    assert_int_equal(removed, 250);
    assert_int_equal(turns, 3);
}

static void a_failed_tombstone_ends_the_claim_like_any_event(void **unused)
{
    ask_and_settle(delete_one);
    assert_int_equal(sweep_after(rig, 2 * WINDOW_MS), 1);
    fake_fail(rig->worker.events);
    assert_int_equal(part(rig)->phase, PARTITION_WAITING);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(a_deleted_entity_gets_a_tombstone_after_the_window),
        WITH_RIG(an_entity_that_lives_is_left_alone),
        WITH_RIG(what_never_was_is_forgotten_too),
        WITH_RIG(versions_begin_again_after_a_tombstone_only),
        WITH_RIG(a_key_with_a_young_command_waits_for_the_next_sweep),
        WITH_RIG(a_new_reader_sees_what_the_writer_sees),
        WITH_RIG(a_void_tombstone_is_repaired),
        WITH_RIG(claims_that_decide_nothing_get_tombstones),
        WITH_RIG(a_sweep_takes_a_bounded_amount),
        WITH_RIG(a_failed_tombstone_ends_the_claim_like_any_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
