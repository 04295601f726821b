/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a command: decoded, placed, repeated, expired, decided. Bus and pool are fakes. */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>

static struct rig *rig;

static int set_up(void **unused)
{
    rig = rig_serving();
    return 0;
}

static int tear_down(void **unused)
{
    rig_free(rig);
    assert_int_equal(fake_messages_alive(), 0);
    fake_bus_reset();
    return 0;
}

/* A write that is answered. */
static void done(const char *type, const char *key, const char *id, const char *body, int status)
{
    size_t replies = rig_replies(rig);
    rig_ask(rig, (struct ask){.type = type, .key = key, .id = id, .body = body});
    rig_acknowledge_events(rig);
    assert_int_equal(rig_replies(rig), replies + 1);
    assert_reply(rig, replies, id, status);
    rig_acknowledge_replies(rig);
}

static struct reply last_reply(void)
{
    return rig_reply(rig, rig_replies(rig) - 1);
}

static struct event last_event(void)
{
    return rig_event(rig, rig_events(rig) - 1);
}

static int64_t floor_now(void)
{
    return rig->partitions[0].offsets.floor;
}

/* ---- what cannot be decided ---- */

static const struct buried_case {
    struct ask ask;
    int status;
    const char *says; /* part of the reason */
} buried[] = {
    {{.key = "1", .id = "x"}, 400, "ce_type is missing"},
    {{.type = "No Type", .key = "1", .id = "x"}, 400, "ce_type must be"},
    {{.type = "thing.create", .key = "1", .id = "x", .expiry = "soon"}, 400, "RFC 3339"},
    {{.type = "thing.create", .key = "__claim/x", .id = "x"}, 400, "__claim/"},
    {{.type = "thing.explode", .key = "1", .id = "x"}, 501, "ce_type"},
    {{.type = "item.create", .key = "1", .id = "x"}, 501, "ce_type"},
    {{.type = "thing.create", .key = "one", .id = "x"}, 422, "64-bit integer"},
    {{.type = "thing.create", .key = "01", .id = "x"}, 422, "64-bit integer"},
    {{.type = "thing.get", .key = NULL, .id = "x"}, 422, "record key"},
};

/* A dead letter and an answer, no event; the offset is done when both are acknowledged. */
static void what_cannot_be_decided_is_buried_and_answered(void **unused)
{
    for (size_t i = 0; i < sizeof(buried) / sizeof(buried[0]); i++) {
        int64_t offset = rig_ask(rig, buried[i].ask);
        assert_int_equal(rig_dead(rig), i + 1);
        assert_int_equal(rig_replies(rig), i); /* the letter must be safe first */
        fake_acknowledge(rig->worker.replies);
        assert_int_equal(rig_replies(rig), i + 1);
        assert_reply(rig, i, "x", buried[i].status);
        assert_slice(rig_reply(rig, i).content_type, "application/problem+json");
        assert_int_equal(floor_now(), offset);
        fake_acknowledge(rig->worker.replies);
        assert_int_equal(floor_now(), offset + 1);
        const struct record *rec = rig_dead_letter(rig, i);
        struct slice message = record_header(rec, "__dlq.errors.message");
        if (!memmem(message.p, message.len, buried[i].says, strlen(buried[i].says)))
            fail_msg("\"%.*s\" does not say \"%s\"", SLICE_ARG(message), buried[i].says);
    }
    assert_int_equal(rig_events(rig), 0);
}

static void a_misplaced_command_is_forwarded_with_its_id(void **unused)
{
    rig->next_offset = 41;
    int64_t offset = rig_ask(rig, (struct ask){.type = "thing.create", .key = "9", .body = "{}"});
    assert_int_equal(rig_forwarded(rig), 1);
    const struct record *rec = fake_sent(rig->worker.replies, 0);
    assert_string_equal(rec->topic, "thing.commands");
    assert_int_equal(rec->partition, 1);
    assert_slice(rec->key, "9");
    assert_slice(rec->value, "{}");
    assert_header(rec, "ce_id", "thing.commands/0/41");
    assert_int_equal(floor_now(), offset); /* not lost: it is done when the copy is safe */
    rig_acknowledge_replies(rig);
    assert_int_equal(floor_now(), offset + 1);
    assert_int_equal(rig_events(rig), 0);
    assert_int_equal(rig_replies(rig), 0);
}

static void a_command_that_cannot_be_forwarded_is_not_lost(void **unused)
{
    rig_ask(rig, (struct ask){.type = "thing.create", .key = "9", .id = "a", .body = "{}"});
    fake_fail(rig->worker.replies);
    assert_int_equal(rig->partitions[0].phase, PARTITION_WAITING);
    assert_int_equal(rig->partitions[0].position, 0);
}

/* ---- deadlines ---- */

static void an_expired_write_leaves_an_event_and_no_effect(void **unused)
{
    done("thing.create", "1", "a", "old", 201);
    rig_ask(rig, (struct ask){.type = "thing.put", .key = "1", .id = "b", .body = "new", .expiry = LONG_AGO});
    assert_int_equal(rig_events(rig), 2);
    struct event event = last_event();
    assert_int_equal(event.status, 504);
    assert_false(event.binding);
    assert_true(event.exists);
    assert_int_equal(event.version, 1);
    assert_slice(event.state, "old");
    assert_slice(event.command_id, "b");
    rig_acknowledge_events(rig);
    assert_reply(rig, 1, "b", 504);
    assert_null(rig_reply(rig, 1).etag.p);
    assert_int_equal(rig->worker.count.expired, 1);
}

static void an_expired_write_of_nothing_leaves_nothing(void **unused)
{
    rig_ask(rig,
            (struct ask){.type = "thing.create", .key = "1", .id = "a", .body = "{}", .expiry = LONG_AGO});
    struct event event = last_event();
    assert_int_equal(event.status, 504);
    assert_false(event.exists);
    assert_int_equal(event.version, 0);
    rig_acknowledge_events(rig);
    done("thing.get", "1", "g", NULL, 404);
}

static void an_expired_command_may_be_tried_anew(void **unused)
{
    for (int applied = 0; applied < 2; applied++) { /* its outcome young, or in the local copy */
        const char *key = applied ? "2" : "1", *id = applied ? "b" : "a";
        rig_ask(rig,
                (struct ask){.type = "thing.create", .key = key, .id = id, .body = "{}", .expiry = LONG_AGO});
        if (applied) {
            rig_acknowledge_events(rig);
            partition_apply(&rig->partitions[0]);
        }
        rig_ask(rig,
                (struct ask){.type = "thing.create", .key = key, .id = id, .body = "{}", .expiry = FAR_OFF});
        struct event event = last_event();
        assert_int_equal(event.status, 201);
        assert_true(event.binding);
        rig_acknowledge_events(rig);
        assert_int_equal(last_reply().status, 201);
        assert_false(last_reply().replayed);
        done("thing.create", key, id, "{}", 201); /* and now it binds */
        assert_true(last_reply().replayed);
    }
    assert_int_equal(rig_events(rig), 4);
}

static void an_expired_read_is_only_answered(void **unused)
{
    static const char *const reads[] = {"thing.get", "thing.list"};
    for (size_t i = 0; i < 2; i++) {
        rig_ask(rig, (struct ask){.type = reads[i], .key = "1", .id = "a", .expiry = LONG_AGO});
        assert_reply(rig, i, "a", 504);
    }
    assert_int_equal(rig_events(rig), 0);
}

static void a_repeated_command_is_answered_after_its_deadline(void **unused)
{
    done("thing.create", "1", "a", "{}", 201);
    rig_ask(rig,
            (struct ask){.type = "thing.create", .key = "1", .id = "a", .body = "{}", .expiry = LONG_AGO});
    assert_reply(rig, 1, "a", 201);
    assert_true(rig_reply(rig, 1).replayed);
}

/* ---- repetition ---- */

static void assert_same_answer(size_t first, size_t again)
{
    struct reply a = rig_reply(rig, first), b = rig_reply(rig, again);
    assert_int_equal(a.status, b.status);
    assert_true(slice_equal(a.body, b.body));
    assert_true(slice_equal(a.etag, b.etag));
    assert_true(slice_equal(a.content_type, b.content_type));
    assert_true(slice_equal(a.location, b.location));
    assert_false(a.replayed);
    assert_true(b.replayed);
}

static void a_duplicate_in_flight_waits_for_the_first(void **unused)
{
    struct ask ask = {.type = "thing.create", .key = "1", .id = "a", .body = "{}"};
    rig_ask(rig, ask);
    rig_ask(rig, ask);
    assert_int_equal(rig_events(rig), 1);
    assert_int_equal(rig_replies(rig), 0);
    fake_acknowledge(rig->worker.events);
    assert_int_equal(rig_replies(rig), 2);
    assert_same_answer(0, 1);
    rig_acknowledge_replies(rig);
    assert_int_equal(floor_now(), 2);
}

static const struct repeat_case {
    const char *type, *key, *body;
    int status;
} repeats[] = {
    {"thing.create", "1", "{\"n\":1}", 201}, {"thing.put", "1", "{\"n\":2}", 200},
    {"thing.create", "1", "{\"n\":3}", 400}, {"thing.put", "2", "{}", 404},
    {"thing.delete", "1", NULL, 204},        {"thing.delete", "1", NULL, 404},
};
#define REPEATS (sizeof(repeats) / sizeof(repeats[0]))

static void ask_repeats(void)
{
    for (size_t i = 0; i < REPEATS; i++) {
        char id[2] = {(char)('a' + i), '\0'};
        done(repeats[i].type, repeats[i].key, id, repeats[i].body, repeats[i].status);
    }
}

/* Young, then in the local copy, then in a copy that was rebuilt from the log alone. */
static void a_repeated_command_gets_the_same_answer(void **unused)
{
    ask_repeats();
    size_t events = rig_events(rig);
    ask_repeats();
    partition_apply(&rig->partitions[0]);
    assert_null(rig->partitions[0].journal.first);
    ask_repeats();
    recover_revoked(&rig->partitions[0]);
    char command[160];
    snprintf(command, sizeof(command), "rm -r -- '%s'/*", rig->dir);
    assert_int_equal(system(command), 0);
    recover_assigned(&rig->partitions[0], rig->next_offset);
    rig_recover(rig);
    ask_repeats();
    assert_int_equal(rig_events(rig), events);
    assert_int_equal(rig->worker.count.replayed, 3 * REPEATS);
    for (size_t i = 0; i < REPEATS; i++) {
        for (size_t round = 1; round < 4; round++)
            assert_same_answer(i, round * REPEATS + i);
    }
}

static void a_command_without_an_id_is_repeated_by_its_position(void **unused)
{
    struct ask ask = {.type = "thing.create", .key = "1", .body = "{}"};
    rig_ask(rig, ask);
    rig_acknowledge_events(rig);
    recover_restart(&rig->partitions[0], "test", 0);
    rig_turn(rig, INT64_MAX);
    rig_recover(rig);
    rig_ask_at(rig, ask, 0);
    assert_int_equal(rig_events(rig), 1);
    assert_slice(last_reply().command_id, "thing.commands/0/0");
    assert_int_equal(last_reply().status, 201);
    assert_true(last_reply().replayed);
}

static void another_command_with_a_used_id_is_refused(void **unused)
{
    static const struct ask others[] = {
        {.type = "thing.create", .key = "1", .id = "a", .body = "{ }"},
        {.type = "thing.create", .key = "2", .id = "a", .body = "{}"},
        {.type = "thing.put", .key = "1", .id = "a", .body = "{}"},
    };
    done("thing.create", "1", "a", "{}", 201);
    for (int applied = 0; applied < 2; applied++) {
        for (size_t i = 0; i < 3; i++) {
            rig_ask(rig, others[i]);
            assert_int_equal(last_reply().status, 422);
            assert_false(last_reply().replayed);
        }
        partition_apply(&rig->partitions[0]);
    }
    assert_int_equal(rig_replies(rig), 7);
    assert_int_equal(rig_events(rig), 1);
    done("thing.get", "2", "g", NULL, 404);
}

static void a_read_needs_no_id_of_its_own(void **unused)
{
    done("thing.create", "1", "a", "{}", 201);
    done("thing.get", "1", "a", NULL, 200);
}

/* ---- preconditions and versions ---- */

static const struct match_case {
    const char *type, *key, *if_match;
    int status;
} matches[] = {
    {"thing.put", "1", "\"2\"", 412},
    {"thing.put", "1", "W/\"1\"", 412},
    {"thing.put", "1", "\"1\"", 200}, /* now version 2 */
    {"thing.put", "1", "\"1\"", 412},
    {"thing.put", "1", "*", 200},        /* 3 */
    {"thing.create", "1", "\"9\"", 400}, /* would not succeed anyway: its own error */
    {"thing.put", "2", "\"1\"", 404},
    {"thing.create", "2", "*", 412}, /* would succeed, but there is no entity */
    {"thing.delete", "1", "\"2\"", 412},
    {"thing.delete", "1", "\"3\"", 204}, /* 4 */
    {"thing.create", "1", "\"4\"", 412}, /* a deleted entity matches nothing */
    {"thing.get", "1", "\"77\"", 404},   /* reads do not look at it */
};

static void if_match_counts_only_where_it_would_succeed(void **unused)
{
    done("thing.create", "1", "first", "{}", 201);
    for (size_t i = 0; i < sizeof(matches) / sizeof(matches[0]); i++) {
        char id[2] = {(char)('a' + i), '\0'};
        rig_ask(rig, (struct ask){.type = matches[i].type,
                                  .key = matches[i].key,
                                  .id = id,
                                  .body = "{}",
                                  .if_match = matches[i].if_match});
        rig_acknowledge_events(rig);
        if (last_reply().status != matches[i].status)
            fail_msg("%s %s: %d", matches[i].type, matches[i].if_match, last_reply().status);
    }
    rig_acknowledge_replies(rig);
    done("thing.get", "2", "g", NULL, 404); /* 412 had no effect */
}

static void versions_go_on_over_a_deletion(void **unused)
{
    static const struct {
        const char *type, *etag;
        int64_t version;
        bool exists;
    } steps[] = {{"thing.create", "\"1\"", 1, true},
                 {"thing.put", "\"2\"", 2, true},
                 {"thing.delete", NULL, 3, false},
                 {"thing.create", "\"4\"", 4, true}};
    for (int apply = 0; apply < 2; apply++) {
        const char *key = apply ? "2" : "1";
        for (size_t i = 0; i < 4; i++) {
            char id[3] = {(char)('a' + i), (char)('0' + apply), '\0'};
            rig_ask(rig, (struct ask){.type = steps[i].type, .key = key, .id = id, .body = "{}"});
            assert_int_equal(last_event().version, steps[i].version);
            assert_int_equal(last_event().exists, steps[i].exists);
            rig_acknowledge_events(rig);
            if (steps[i].etag)
                assert_slice(last_reply().etag, steps[i].etag);
            else
                assert_null(last_reply().etag.p);
            if (apply)
                partition_apply(&rig->partitions[0]);
        }
    }
}

static void a_refused_write_repeats_the_state(void **unused)
{
    done("thing.create", "1", "a", "{\"n\":1}", 201);
    done("thing.create", "1", "b", "{\"n\":2}", 400);
    struct event event = last_event();
    assert_slice(event.state, "{\"n\":1}"); /* compaction keeps only this record */
    assert_true(event.exists);
    assert_true(event.binding);
    assert_int_equal(event.version, 1);
    assert_int_equal(event.status, 400);
    assert_slice(event.type, "thing.create"); /* nothing was created */
    assert_true(slice_equal(event.reply_body, last_reply().body));
    assert_slice(event.content_type, "application/problem+json");
    done("thing.get", "1", "g", NULL, 200);
    assert_slice(last_reply().body, "{\"n\":1}");
    assert_slice(last_reply().etag, "\"1\"");
}

static void an_effect_is_named_after_its_event(void **unused)
{
    done("thing.create", "1", "a", "{}", 201);
    struct event event = last_event();
    assert_slice(event.type, "thing.created");
    assert_null(event.reply_body.p); /* the answer is the state */
    assert_int_equal(event.command_partition, 0);
    assert_int_equal(event.command_offset, 0);
    assert_true(journal_claim_is(&rig->partitions[0].writer.claim, event.claim));
    assert_slice(last_reply().body, "{}");
    assert_slice(last_reply().content_type, "application/json");
}

static void a_handler_that_decides_nothing_is_a_fault_that_does_not_bind(void **unused)
{
    done("thing.create", "1", "a", "{}", 201);
    done("thing.mute", "1", "b", NULL, 500);
    struct event event = last_event();
    assert_slice(event.state, "{}");
    assert_false(event.binding);
    done("thing.mute", "1", "b", NULL, 500);
    assert_false(last_reply().replayed);
    assert_int_equal(rig_events(rig), 3);
}

/* ---- pooled operations ---- */

static void a_pooled_write_holds_its_key_only(void **unused)
{
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "1", .id = "a", .body = "worked"});
    rig_ask(rig, (struct ask){.type = "thing.put", .key = "1", .id = "b", .body = "put"});
    rig_ask(rig, (struct ask){.type = "thing.create", .key = "1", .id = "c", .body = "create"});
    assert_int_equal(fake_tasks(), 1);
    assert_int_equal(rig_events(rig), 0);
    done("thing.create", "2", "d", "{}", 201);
    done("thing.get", "1", "e", NULL, 202); /* it shows as running */
    done("thing.get", "2", "f", NULL, 200);
    assert_int_equal(floor_now(), 0);
    fake_run_task();
    assert_int_equal(rig_events(rig), 4); /* all three, in their order, each on the state before it */
    assert_slice(rig_event(rig, 1).state, "worked");
    assert_int_equal(rig_event(rig, 1).status, 201);
    assert_slice(rig_event(rig, 2).state, "put");
    assert_int_equal(rig_event(rig, 2).version, 2);
    assert_int_equal(rig_event(rig, 3).status, 400);
    rig_acknowledge_events(rig);
    rig_acknowledge_replies(rig);
    assert_int_equal(floor_now(), 6);
    done("thing.get", "1", "g", NULL, 200);
    assert_slice(last_reply().body, "put");
}

static void pooled_writes_of_one_key_run_one_after_the_other(void **unused)
{
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "1", .id = "a", .body = "1"});
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "1", .id = "b", .body = "2"});
    rig_ask(rig, (struct ask){.type = "thing.put", .key = "1", .id = "c", .body = "3"});
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "2", .id = "d", .body = "4"});
    assert_int_equal(fake_tasks(), 2); /* a and d */
    fake_run_task();
    assert_int_equal(rig_events(rig), 1);
    assert_int_equal(fake_tasks(), 2); /* d and b; c stays behind b */
    fake_run_task();
    fake_run_task();
    assert_int_equal(rig_events(rig), 4);
    static const char *const order[] = {"a", "d", "b", "c"};
    for (size_t i = 0; i < 4; i++)
        assert_slice(rig_event(rig, i).command_id, order[i]);
    assert_int_equal(rig_event(rig, 3).version, 3);
    rig_acknowledge_events(rig);
}

static void a_duplicate_of_a_running_write_waits_for_it(void **unused)
{
    struct ask ask = {.type = "thing.work", .key = "1", .id = "a", .body = "{}"};
    rig_ask(rig, ask);
    rig_ask(rig, ask);
    rig_ask(rig,
            (struct ask){
                .type = "thing.work", .key = "2", .id = "a", .body = "{}"}); /* the id with another key */
    assert_int_equal(fake_tasks(), 1);
    fake_run_task();
    assert_int_equal(fake_tasks(), 0);
    assert_int_equal(rig_events(rig), 1);
    assert_int_equal(rig_replies(rig), 0);
    rig_acknowledge_events(rig);
    assert_int_equal(rig_replies(rig), 3);
    assert_same_answer(0, 1);
    assert_reply(rig, 2, "a", 422);
}

static void a_pooled_handler_sees_the_state_before_even_when_it_is_applied_meanwhile(void **unused)
{
    done("thing.create", "1", "a", "old", 201);
    rig_ask(rig, (struct ask){.type = "thing.append", .key = "1", .id = "b", .body = "+new"});
    partition_apply(&rig->partitions[0]);
    done("thing.create", "2", "c", "other", 201);
    partition_apply(&rig->partitions[0]);
    done("thing.get", "1", "g", NULL, 202);
    assert_slice(last_reply().body, "old"); /* what runs has changed nothing yet */
    fake_run_task();
    assert_int_equal(last_event().status, 200);
    assert_int_equal(last_event().version, 2);
    assert_slice(last_event().state, "old+new");
}

/* What waits for another reason than a running write of its key holds its place as well. */
static void a_write_stays_behind_a_queued_one_of_its_key(void **unused)
{
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "1", .id = "a", .body = "{}", .expiry = FAR_OFF});
    rig_ask(rig, (struct ask){.type = "thing.create", .key = "2", .id = "a", .body = "first"});
    rig_ask(rig, (struct ask){.type = "thing.create", .key = "2", .id = "b", .body = "second"});
    assert_int_equal(rig_events(rig), 0);
    fake_run_task();
    rig_acknowledge_events(rig);
    static const int statuses[] = {201, 422, 201};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(rig_reply(rig, i).status, statuses[i]);
}

static void a_pooled_write_says_how_long_it_worked(void **unused)
{
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "1", .id = "a", .body = "{}"});
    struct work *work = partition_running(&rig->partitions[0], SLICE("1"));
    fake_begin_task();
    assert_true(work->worked_ns > 0);
    work->worked_ns = 1234567890;
    fake_end_task();
    rig_acknowledge_events(rig);
    assert_int_equal(last_reply().worked_us, 1234568);
    rig_acknowledge_replies(rig);
    done("thing.work", "1", "a", "{}", 201); /* again: nothing was worked on */
    assert_true(last_reply().replayed);
    assert_int_equal(last_reply().worked_us, 0);
    done("thing.put", "1", "b", "{}", 200);
    assert_int_equal(last_reply().worked_us, 0);
}

static void a_result_counts_though_its_deadline_passes_before_it_is_served(void **unused)
{
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "1", .id = "a", .body = "{}", .expiry = FAR_OFF});
    struct work *work = partition_running(&rig->partitions[0], SLICE("1"));
    fake_begin_task();
    work->cmd.expiry_ms = 1;
    fake_end_task();
    assert_int_equal(last_event().status, 201);
    assert_true(last_event().binding);
}

/* It waits in the pool's queue until its deadline has passed: the handler is not called. */
static void a_job_whose_deadline_passed_before_its_turn_has_no_effect(void **unused)
{
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "1", .id = "a", .body = "{}", .expiry = FAR_OFF});
    partition_running(&rig->partitions[0], SLICE("1"))->cmd.expiry_ms = 1;
    fake_run_task();
    assert_int_equal(last_event().status, 504);
    assert_false(last_event().binding);
    assert_false(last_event().exists);
}

static void a_read_has_no_effect_whatever_its_handler_says(void **unused)
{
    done("thing.create", "1", "a", "old", 201);
    done("thing.rogue", "1", "b", "new", 200);
    assert_slice(last_reply().etag, "\"1\"");
    assert_slice(last_reply().body, "");
    assert_int_equal(rig_events(rig), 1);
    done("thing.get", "1", "c", NULL, 200);
    assert_slice(last_reply().body, "old");
}

static void admission_decides_before_the_pool(void **unused)
{
    done("thing.create", "1", "a", "shut", 201);
    done("thing.gated", "1", "b", "{}", 409);
    assert_int_equal(fake_tasks(), 0);
    assert_slice(last_event().state, "shut");
    rig_ask(rig, (struct ask){.type = "thing.gated", .key = "2", .id = "c", .body = "{}"});
    assert_int_equal(fake_tasks(), 1);
    fake_run_task();
    assert_int_equal(last_event().status, 201);
}

static void an_expired_pooled_write_does_not_reach_the_pool(void **unused)
{
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "1", .id = "a", .body = "{}", .expiry = LONG_AGO});
    assert_int_equal(fake_tasks(), 0);
    assert_int_equal(last_event().status, 504);
}

static void a_deadline_of_centuries_is_none_to_a_job(void **unused)
{
    rig_ask(rig,
            (struct ask){
                .type = "thing.work", .key = "1", .id = "a", .body = "{}", .expiry = "9999-12-31T23:59:59Z"});
    const struct work *work = partition_running(&rig->partitions[0], SLICE("1"));
    assert_non_null(work);
    assert_false(job_stopping(&work->job));
    fake_run_task();
    assert_int_equal(last_event().status, 201);
}

/* Its partition is given up while it runs: the result is nobody's. */
static void an_orphaned_job_is_told_to_stop_and_has_no_effect(void **unused)
{
    rig_ask(rig, (struct ask){.type = "thing.work", .key = "1", .id = "a", .body = "{}"});
    const struct work *work = partition_running(&rig->partitions[0], SLICE("1"));
    assert_false(job_stopping(&work->job));
    recover_restart(&rig->partitions[0], "test", 0);
    assert_true(job_stopping(&work->job));
    fake_run_task();
    assert_int_equal(rig_events(rig), 0);
    assert_int_equal(rig_replies(rig), 0);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(what_cannot_be_decided_is_buried_and_answered),
        WITH_RIG(a_misplaced_command_is_forwarded_with_its_id),
        WITH_RIG(a_command_that_cannot_be_forwarded_is_not_lost),
        WITH_RIG(an_expired_write_leaves_an_event_and_no_effect),
        WITH_RIG(an_expired_write_of_nothing_leaves_nothing),
        WITH_RIG(an_expired_command_may_be_tried_anew),
        WITH_RIG(an_expired_read_is_only_answered),
        WITH_RIG(a_repeated_command_is_answered_after_its_deadline),
        WITH_RIG(a_duplicate_in_flight_waits_for_the_first),
        WITH_RIG(a_repeated_command_gets_the_same_answer),
        WITH_RIG(a_command_without_an_id_is_repeated_by_its_position),
        WITH_RIG(another_command_with_a_used_id_is_refused),
        WITH_RIG(a_read_needs_no_id_of_its_own),
        WITH_RIG(if_match_counts_only_where_it_would_succeed),
        WITH_RIG(versions_go_on_over_a_deletion),
        WITH_RIG(a_refused_write_repeats_the_state),
        WITH_RIG(an_effect_is_named_after_its_event),
        WITH_RIG(a_handler_that_decides_nothing_is_a_fault_that_does_not_bind),
        WITH_RIG(a_pooled_write_holds_its_key_only),
        WITH_RIG(pooled_writes_of_one_key_run_one_after_the_other),
        WITH_RIG(a_duplicate_of_a_running_write_waits_for_it),
        WITH_RIG(a_pooled_handler_sees_the_state_before_even_when_it_is_applied_meanwhile),
        WITH_RIG(a_write_stays_behind_a_queued_one_of_its_key),
        WITH_RIG(a_pooled_write_says_how_long_it_worked),
        WITH_RIG(a_result_counts_though_its_deadline_passes_before_it_is_served),
        WITH_RIG(a_job_whose_deadline_passed_before_its_turn_has_no_effect),
        WITH_RIG(a_read_has_no_effect_whatever_its_handler_says),
        WITH_RIG(admission_decides_before_the_pool),
        WITH_RIG(an_expired_pooled_write_does_not_reach_the_pool),
        WITH_RIG(a_deadline_of_centuries_is_none_to_a_job),
        WITH_RIG(an_orphaned_job_is_told_to_stop_and_has_no_effect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
