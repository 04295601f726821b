/* SPDX-License-Identifier: Apache-2.0 */
/* Claims taken, lost and taken again: nothing void is answered, nothing acknowledged is lost, nothing happens
 * twice. */
#include "rig.h"

#include <stdio.h>

static struct rig *rig, *other; /* `other` is a second process on the same log, where a test needs one */

static int set_up(void **unused)
{
    rig = rig_serving();
    other = NULL;
    return 0;
}

static int tear_down(void **unused)
{
    rig_free(rig);
    if (other)
        rig_free(other);
    assert_int_equal(fake_messages_alive(), 0);
    fake_bus_reset();
    return 0;
}

static struct partition *part(struct rig *r)
{
    return &r->partitions[0];
}

static void serve_again(struct rig *r)
{
    assert_int_equal(part(r)->phase, PARTITION_WAITING);
    rig_turn(r, INT64_MAX);
    assert_int_equal(part(r)->phase, PARTITION_CLAIMING);
    rig_acknowledge_events(r); /* what was on its way first, then the claim */
    rig_turn(r, 0);
    while (fake_waiting(r->worker.events)) /* repairs */
        fake_acknowledge(r->worker.events);
    assert_int_equal(part(r)->phase, PARTITION_SERVING);
}

static const struct ask create_one = {.type = "thing.create", .key = "1", .id = "a", .body = "one"};
static const struct ask put_two = {.type = "thing.put", .key = "1", .id = "b", .body = "two"};
static const struct ask get_one = {.type = "thing.get", .key = "1", .id = "g"};

/* ---- taking ---- */

static void a_partition_is_claimed_read_and_then_served(void **unused)
{
    struct rig *second = rig_new(7);
    struct partition *p = part(second);
    assert_int_equal(p->phase, PARTITION_CLAIMING);
    rig_ask_at(second, create_one, 7); /* too early: it comes again */
    assert_int_equal(p->work_count, 1);
    const struct record *claim = fake_sent(second->worker.events, 0);
    assert_true(journal_claim_is(&p->writer.claim, envelope_claim_of(claim)));
    assert_int_equal(fake_log_end(), 1);
    fake_acknowledge(second->worker.events);
    assert_int_equal(p->phase, PARTITION_REPLAYING);
    rig_turn(second, 0);
    assert_int_equal(p->phase, PARTITION_SERVING);
    assert_int_equal(p->claim_offset, 1);
    assert_int_equal(state_checkpoint(p->state), 2);
    assert_int_equal(fake_resumed_at(), 7);
    assert_int_equal(p->offsets.floor, 7);
    rig_free(second);
}

static void a_claim_that_fails_is_tried_again(void **unused)
{
    struct rig *second = rig_new(7);
    fake_fail(second->worker.events);
    serve_again(second);
    assert_int_equal(fake_resumed_at(), 7);
    recover_restart(part(second), "test", 0);
    rig_turn(second, INT64_MAX);
    fake_acknowledge_blindly(second->worker.events); /* in the log, but who knows where */
    serve_again(second);
    rig_free(second);
}

static void what_was_written_before_is_there(void **unused)
{
    rig_ask(rig, create_one);
    rig_acknowledge_events(rig);
    other = rig_new(0);
    rig_recover(other);
    rig_ask_at(other, create_one, 0); /* was not committed */
    assert_int_equal(rig_events(other), 0);
    assert_reply(other, 0, "a", 201);
    assert_true(rig_reply(other, 0).replayed);
    rig_ask_at(other, get_one, 1);
    assert_slice(rig_reply(other, 1).body, "one");
}

/* More than a batch, several writers, and an outcome that does not bind: a new copy of it is like the old
 * one. */
static void a_long_log_is_read_whole(void **unused)
{
    enum { EVENTS = 1100 };
    struct ask late = {.type = "thing.create", .key = "5", .id = "late", .body = "{}", .expiry = LONG_AGO};
    for (int i = 0; i < EVENTS; i++) {
        char key[16], id[16];
        snprintf(key, sizeof(key), "%d", i % 700 + 1000);
        snprintf(id, sizeof(id), "id-%d", i);
        rig_ask(rig, (struct ask){
                         .type = i < 700 ? "thing.create" : "thing.put", .key = key, .id = id, .body = id});
        if (i == 400) {
            rig_acknowledge_events(rig);
            recover_restart(part(rig), "test", 0);
            serve_again(rig);
            rig->next_offset = i + 1;
        }
    }
    rig_ask(rig, late);
    rig_acknowledge_events(rig);
    other = rig_new(EVENTS + 1);
    rig_recover(other);
    assert_int_equal(part(other)->phase, PARTITION_SERVING);
    assert_int_equal(state_checkpoint(part(other)->state), fake_log_end());
    other->next_offset = EVENTS + 1;
    rig_ask(other, (struct ask){.type = "thing.get", .key = "1399", .id = "g"});
    rig_ask(other, (struct ask){.type = "thing.get", .key = "1699", .id = "h"});
    assert_slice(rig_reply(other, 0).body, "id-1099");
    assert_slice(rig_reply(other, 0).etag, "\"2\"");
    assert_slice(rig_reply(other, 1).body, "id-699");
    late.expiry = NULL;
    rig_ask(other, late);
    rig_acknowledge_events(other);
    assert_reply(other, 2, "late", 201);
    assert_false(rig_reply(other, 2).replayed);
}

/* ---- losing ---- */

/* A delivery that leaves it open whether the event is in the log: nothing is answered until it is known. */
static void after_an_uncertain_delivery_the_log_decides(void **unused)
{
    static void (*const deliveries[])(struct producer *) = {fake_acknowledge_blindly, fake_fail_written,
                                                            fake_fail};
    static const bool written[] = {true, true, false};
    static const struct ask asks[] = {
        {.type = "thing.create", .key = "1", .id = "a", .body = "one"},
        {.type = "thing.create", .key = "2", .id = "b", .body = "two"},
        {.type = "thing.create", .key = "3", .id = "c", .body = "three"},
    };
    for (size_t i = 0; i < 3; i++) {
        size_t events = rig_events(rig);
        int64_t offset = rig_ask(rig, asks[i]);
        deliveries[i](rig->worker.events);
        assert_int_equal(rig_replies(rig), i);
        serve_again(rig);
        assert_int_equal(fake_resumed_at(), offset);
        rig_ask_at(rig, asks[i], offset);
        rig_acknowledge_events(rig);
        assert_int_equal(rig_events(rig), events + (written[i] ? 1 : 2));
        assert_reply(rig, i, asks[i].id, 201);
        assert_int_equal(rig_reply(rig, i).replayed, written[i]);
        rig_acknowledge_replies(rig);
    }
}

static void what_was_on_its_way_at_a_restart_counts_once(void **unused)
{
    rig_ask(rig, create_one);
    rig_ask(rig, put_two);
    rig_ask(rig, get_one);
    recover_restart(part(rig), "test", 0);
    serve_again(rig); /* both events reached the log under the old claim, before the new one */
    assert_int_equal(rig_replies(rig), 0);
    rig_ask_at(rig, create_one, 0);
    rig_ask_at(rig, put_two, 1);
    rig_ask_at(rig, get_one, 2);
    rig_acknowledge_events(rig);
    assert_int_equal(rig_events(rig), 2);
    assert_reply(rig, 0, "a", 201);
    assert_reply(rig, 1, "b", 200);
    assert_slice(rig_reply(rig, 2).body, "two");
}

static void commands_that_arrive_while_waiting_come_again(void **unused)
{
    recover_restart(part(rig), "test", 0);
    rig_ask(rig, create_one);
    assert_int_equal(part(rig)->work_count, 0);
    assert_int_equal(fake_pauses(), 1);
    serve_again(rig);
    assert_int_equal(fake_resumed_at(), 0);
}

/* ---- another owner ---- */

static void a_deposed_owner_answers_nothing(void **unused)
{
    other = rig_new(0);
    rig_recover(other); /* its claim stands behind rig's */
    rig_ask(rig, create_one);
    rig_ask(rig, get_one);
    rig_acknowledge_events(rig);
    assert_int_equal(part(rig)->phase, PARTITION_WAITING);
    assert_int_equal(rig_replies(rig), 0);
    rig_ask_at(other, create_one, 0);
    rig_ask_at(other, get_one, 1);
    rig_acknowledge_events(other); /* the void event made a gap: it looks, claims anew */
    serve_again(other);
    assert_int_equal(rig_replies(other), 0);
    rig_ask_at(other, create_one, 0);
    rig_ask_at(other, get_one, 1);
    rig_acknowledge_events(other);
    assert_int_equal(rig_replies(other), 2);
    assert_reply(other, 0, "a", 201);
    assert_slice(rig_reply(other, 1).body, "one");
}

/* Compaction keeps a key's newest record. A void one in its place would take the state with it. */
static void what_a_void_record_hides_is_appended_again(void **unused)
{
    rig_ask(rig, create_one);
    rig_ask(rig, (struct ask){.type = "thing.create", .key = "2", .id = "c", .body = "kept"});
    rig_acknowledge_events(rig);
    other = rig_new(2);
    rig_recover(other);
    rig_ask(rig, put_two);
    rig_ask(rig, (struct ask){.type = "thing.create", .key = "3", .id = "d", .body = "{}"});
    rig_acknowledge_events(rig); /* both void */
    recover_restart(part(other), "test", 0);
    rig_turn(other, INT64_MAX);
    fake_acknowledge(other->worker.events);
    rig_turn(other, 0);
    assert_int_equal(part(other)->phase, PARTITION_REPAIRING);
    assert_int_equal(rig_events(other), 2);
    struct event first = rig_event(other, 0), second = rig_event(other, 1);
    assert_slice(first.type, "roundtrip.repaired");
    assert_slice(first.state, "one");
    assert_int_equal(first.version, 1);
    assert_true(first.exists);
    assert_null(first.command_id.p);
    assert_false(second.exists); /* 3 never was */
    assert_int_equal(second.version, 0);
    fake_acknowledge(other->worker.events);
    assert_int_equal(part(other)->phase, PARTITION_REPAIRING); /* one is not all */
    fake_acknowledge(other->worker.events);
    assert_int_equal(part(other)->phase, PARTITION_SERVING);
    char key[16];
    size_t len;
    assert_false(state_next_repair(part(other)->state, SLICE_NONE, key, sizeof(key), &len));
    rig_ask_at(other, get_one, 2);
    assert_slice(rig_reply(other, 0).body, "one");
    recover_restart(part(other), "test", 0);
    serve_again(other); /* repaired once and for all */
    assert_int_equal(rig_events(other), 2);
}

static void an_idle_owner_notices_that_it_was_deposed(void **unused)
{
    rig_turn(rig, INT64_MAX / 2);
    assert_int_equal(part(rig)->phase, PARTITION_SERVING);
    other = rig_new(0);
    fake_acknowledge(other->worker.events);
    part(rig)->idle_check_ns = 0;
    rig_turn(rig, INT64_MAX / 2);
    assert_int_equal(part(rig)->phase, PARTITION_WAITING);
}

/* The log is longer than what was acknowledged, but by the owner's own events. */
static void an_owner_with_events_on_their_way_is_not_deposed(void **unused)
{
    rig_ask(rig, create_one);
    rig_ask(rig, put_two);
    fake_land(rig->worker.events);
    fake_land(rig->worker.events);
    part(rig)->idle_check_ns = 0;
    rig_turn(rig, INT64_MAX / 2);
    assert_int_equal(part(rig)->phase, PARTITION_SERVING);
    rig_acknowledge_events(rig);
    assert_int_equal(rig_replies(rig), 2);
    part(rig)->idle_check_ns = 0;
    rig_turn(rig, INT64_MAX / 2);
    assert_int_equal(part(rig)->phase, PARTITION_SERVING);
}

/*
 * The two schedules that chance does not find (DESIGN, the journal). (a): X claims and sleeps. Y claims,
 * serves a write, answers and commits; a client that saw the answer reads. X wakes: it must meet the write
 * before the read.
 */
static void a_sleeper_that_claimed_first_cannot_answer_a_later_read(void **unused)
{
    struct rig *x = rig_new(0); /* the committed offset was read before the claim */
    fake_land(x->worker.events);
    other = rig_new(0);
    rig_recover(other);
    rig_ask_at(other, create_one, 0);
    rig_acknowledge_events(other);
    assert_reply(other, 0, "a", 201); /* and its offset is committed */
    rig_recover(x);
    assert_int_equal(part(x)->phase, PARTITION_SERVING);
    assert_int_equal(fake_resumed_at(), 0);
    rig_ask_at(x, create_one, 0);
    rig_ask_at(x, get_one, 1);
    assert_int_equal(rig_replies(x), 0);
    rig_acknowledge_events(x);
    assert_int_equal(rig_replies(x), 0);
    assert_int_equal(part(x)->phase, PARTITION_WAITING);
    rig_free(x);
}

/* (b): X sleeps before a write that Y serves in time, and wakes after its deadline: to X the write is
 * expired. */
static void a_sleeper_that_finds_a_write_expired_cannot_answer_a_later_read(void **unused)
{
    struct ask in_time = create_one, late = create_one;
    in_time.expiry = FAR_OFF;
    late.expiry = LONG_AGO;
    other = rig_new(0);
    rig_recover(other);
    rig_ask_at(other, in_time, 0);
    rig_acknowledge_events(other);
    assert_reply(other, 0, "a", 201);
    rig_ask_at(rig, late, 0);
    rig_ask_at(rig, get_one, 1);
    assert_int_equal(rig_replies(rig), 0);
    rig_acknowledge_events(rig);
    assert_int_equal(rig_replies(rig), 0);
    assert_int_equal(part(rig)->phase, PARTITION_WAITING);
}

/* ---- leaving ---- */

static void a_revoked_partition_keeps_what_is_final_for_the_next_time(void **unused)
{
    rig_ask(rig, create_one);
    rig_acknowledge_events(rig);
    rig_ask(rig, put_two);
    recover_revoked(part(rig));
    assert_int_equal(part(rig)->phase, PARTITION_AWAY);
    assert_null(part(rig)->state);
    part(rig)->reader =
        (struct journal_reader){0}; /* as in a new process: only the copy knows the claim in force */
    recover_assigned(part(rig), 1);
    rig_acknowledge_events(rig);
    rig_turn(rig, 0);
    assert_int_equal(part(rig)->phase, PARTITION_SERVING);
    rig_ask_at(rig, put_two, 1);
    assert_int_equal(rig_events(rig), 2); /* its event had reached the log */
    rig_ask_at(rig, get_one, 2);
    assert_slice(rig_reply(rig, rig_replies(rig) - 1).body, "two");
}

/* Records of others on the topic: neither events nor claims. They are void, and must not stop anybody. */
static void strange_records_do_not_stop_the_replay(void **unused)
{
    char long_key[300];
    memset(long_key, 'k', sizeof(long_key));
    const struct record strange[] = {
        {.topic = "thing.events", .key = SLICE_NONE, .value = SLICE("x")},
        {.topic = "thing.events", .key = SLICE(""), .value = SLICE("x")},
        {.topic = "thing.events", .key = slice_make(long_key, sizeof(long_key)), .value = SLICE("x")},
        {.topic = "thing.events", .key = SLICE("5"), .value = SLICE("not an event")},
        {.topic = "thing.events", .key = SLICE("6"), .value = SLICE_NONE},
        {.topic = "thing.events", .key = SLICE("__claim/"), .value = SLICE("{}")},
        {.topic = "thing.events", .key = SLICE("text-key"), .value = SLICE("{}")},
    };
    rig_ask(rig, create_one);
    rig_acknowledge_events(rig);
    for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++)
        fake_log_append(&strange[i]);
    recover_restart(part(rig), "test", 0);
    serve_again(rig);
    rig_ask_at(rig, get_one, 1);
    rig_acknowledge_events(rig);
    assert_slice(rig_reply(rig, rig_replies(rig) - 1).body, "one");
    assert_int_equal(rig_events(rig), 3); /* only 5 and 6 can be keys of ours, and are repaired */
}

/* The committed offset is of a topic that was deleted and made again: its commands are new ones. */
static void a_command_log_made_anew_is_read_from_its_beginning(void **unused)
{
    other = rig_new(100);
    rig_recover(other);
    rig_ask_at(other, create_one, 3);
    rig_ask_at(other, put_two, 2); /* but order is order */
    rig_acknowledge_events(other);
    assert_int_equal(rig_replies(other), 1);
    assert_reply(other, 0, "a", 201);
    rig_acknowledge_replies(other);
    assert_int_equal(part(other)->offsets.floor, 4);
}

/* Topics made anew in the same cluster, and as long as the old ones: only what stands there tells. */
static void a_copy_of_another_log_is_rebuilt(void **unused)
{
    struct state_error error;
    rig_ask(rig, create_one);
    rig_acknowledge_events(rig);
    partition_apply(part(rig));
    struct state_change changes[] = {
        {.kind = STATE_CLAIM, .offset = 0, .key = SLICE("a-claim-of-the-other-log")},
        {.kind = STATE_EVENT,
         .offset = 1,
         .key = SLICE("1"),
         .value = SLICE("foreign"),
         .version = 9,
         .exists = true},
        {.kind = STATE_EVENT,
         .offset = 1,
         .key = SLICE("7"),
         .value = SLICE("foreign"),
         .version = 9,
         .exists = true},
    };
    assert_int_equal(state_apply(part(rig)->state, changes, 3, 2, &error), 0);
    recover_restart(part(rig), "test", 0);
    serve_again(rig);
    rig_ask_at(rig, get_one, 1);
    rig_ask_at(rig, (struct ask){.type = "thing.get", .key = "7", .id = "h"}, 2);
    assert_slice(rig_reply(rig, rig_replies(rig) - 2).body, "one");
    assert_reply(rig, rig_replies(rig) - 1, "h", 404);
    assert_int_equal(part(rig)->replayed_from, 0);
}

static void a_copy_of_this_log_is_kept(void **unused)
{
    rig_ask(rig, create_one);
    rig_acknowledge_events(rig);
    partition_apply(part(rig));
    recover_restart(part(rig), "test", 0);
    serve_again(rig);
    assert_int_equal(part(rig)->replayed_from, 2); /* not from the beginning */
}

/* Its claim is not where it stood, as after a restore from elsewhere; a later record of the log stands there.
 */
static void a_log_without_the_claim_is_another(void **unused)
{
    struct state_error error;
    rig_ask(rig, create_one);
    rig_acknowledge_events(rig);
    partition_apply(part(rig));
    struct state_change claim = {.kind = STATE_CLAIM,
                                 .offset = 1,
                                 .key = slice_make(part(rig)->writer.claim.id, part(rig)->writer.claim.len)};
    assert_int_equal(state_apply(part(rig)->state, &claim, 1, 2, &error), 0);
    recover_restart(part(rig), "test", 0);
    serve_again(rig);
    assert_int_equal(part(rig)->replayed_from, 0);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(a_partition_is_claimed_read_and_then_served),
        WITH_RIG(a_claim_that_fails_is_tried_again),
        WITH_RIG(what_was_written_before_is_there),
        WITH_RIG(a_long_log_is_read_whole),
        WITH_RIG(after_an_uncertain_delivery_the_log_decides),
        WITH_RIG(what_was_on_its_way_at_a_restart_counts_once),
        WITH_RIG(commands_that_arrive_while_waiting_come_again),
        WITH_RIG(a_deposed_owner_answers_nothing),
        WITH_RIG(what_a_void_record_hides_is_appended_again),
        WITH_RIG(an_idle_owner_notices_that_it_was_deposed),
        WITH_RIG(an_owner_with_events_on_their_way_is_not_deposed),
        WITH_RIG(a_sleeper_that_claimed_first_cannot_answer_a_later_read),
        WITH_RIG(a_sleeper_that_finds_a_write_expired_cannot_answer_a_later_read),
        WITH_RIG(a_revoked_partition_keeps_what_is_final_for_the_next_time),
        WITH_RIG(strange_records_do_not_stop_the_replay),
        WITH_RIG(a_copy_of_another_log_is_rebuilt),
        WITH_RIG(a_copy_of_this_log_is_kept),
        WITH_RIG(a_log_without_the_claim_is_another),
        WITH_RIG(a_command_log_made_anew_is_read_from_its_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
