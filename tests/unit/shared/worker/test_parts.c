/* SPDX-License-Identifier: Apache-2.0 */
/* Results beside the answer: their parts in the log, what is said of them, and how they go. */
#include "rig.h"

#include <stdio.h>

#include "clock.h"
#include "worker/partition.h"
#include "worker/sweep.h"

#define WINDOW_MS (INT64_C(24) * 3600 * 1000)
#define PART      (FAKE_MAX_BYTES / 2)

static struct rig *rig;

static int serve(void **unused)
{
    rig = rig_serving();
    rig->worker.dedupe_ms = WINDOW_MS;
    return 0;
}

static int end(void **unused)
{
    rig_free(rig);
    fake_bus_reset();
    return 0;
}

static struct partition *part(void)
{
    return &rig->partitions[0];
}

static void compute(const char *id, const char *bytes)
{
    rig_ask(rig, (struct ask){.type = "thing.fat", .key = "1", .id = id, .body = bytes});
    fake_run_task();
}

/* The newest record of the events topic that is an event, and the number of parts sent so far. */
static size_t parts_sent(void)
{
    size_t parts = 0;
    for (size_t i = 0; i < fake_sent_count(rig->worker.events); i++)
        parts += envelope_part_of(fake_sent(rig->worker.events, i)->key).p && fake_sent(rig->worker.events, i)->value.p;
    return parts;
}

/* Asks for a part of the result of "a"; the answer. */
static struct reply ask(const char *id, const char *body)
{
    size_t before = rig_replies(rig);
    rig_ask(rig, (struct ask){.type = "thing.result", .key = "1", .id = "q", .subject = id, .body = body});
    return rig_replies(rig) > before ? rig_reply(rig, rig_replies(rig) - 1) : (struct reply){.status = 0};
}

static void expect_parts(const char *id, size_t bytes)
{
    char body[32], tag[24] = "";
    size_t at = 0, parts = (bytes + PART - 1) / PART;
    for (size_t i = 0; i < parts; i++) {
        snprintf(body, sizeof(body), "{\"part\":%zu}", i);
        struct reply reply = ask(id, body);
        assert_int_equal(reply.status, 200);
        assert_slice(reply.content_type, "text/plain");
        assert_int_equal(reply.result_bytes, bytes);
        assert_int_equal(reply.result_parts, parts);
        assert_int_equal(reply.body.len, i + 1 < parts ? PART : bytes - at);
        for (size_t k = 0; k < reply.body.len; k++)
            assert_int_equal(reply.body.p[k], 'a' + (int)((at + k) % 26));
        at += reply.body.len;
        assert_int_equal(reply.etag.len, 18);
        if (i > 0)
            assert_slice(reply.etag, tag);
        memcpy(tag, reply.etag.p, 18);
    }
    snprintf(body, sizeof(body), "{\"part\":%zu}", parts);
    assert_int_equal(ask(id, body).status, 404);
}

static void parts_stand_before_their_event(void **unused)
{
    compute("a", "120000");
    assert_int_equal(parts_sent(), 3);
    assert_int_equal(rig_events(rig), 4); /* with the parts */
    const struct record *last = fake_sent(rig->worker.events, fake_sent_count(rig->worker.events) - 1);
    struct event event;
    struct result result;
    assert_int_equal(envelope_decode_event(last, &event), ENVELOPE_OK);
    assert_slice(event.command_id, "a");
    assert_slice(event.state, "120000");
    assert_true(result_read(event.result, &result));
    assert_int_equal(result_parts(&result), 3);
    for (size_t i = 0; i < 3; i++) {
        const struct record *rec = fake_sent(rig->worker.events, fake_sent_count(rig->worker.events) - 4 + i);
        char name[RESULT_PART_SIZE];
        result_part_name(result.parts_id, (int64_t)i, name);
        assert_slice(envelope_part_of(rec->key), name);
        assert_header(rec, "content-type", "text/plain");
        assert_true(journal_claim_is(&part()->writer.claim, record_header(rec, "ce_claim")));
    }
    rig_acknowledge_events(rig);
    assert_reply(rig, 0, "a", 200);
    assert_slice(rig_reply(rig, 0).body, "120000");
}

static void it_is_asked_for_part_by_part(void **unused)
{
    compute("a", "120000");
    assert_int_equal(ask("a", NULL).status, 0); /* not before it is final */
    rig_acknowledge_events(rig);
    expect_parts("a", 120000);
    partition_apply(part());
    expect_parts("a", 120000); /* from the local copy as well */
    compute("b", "50000");
    compute("c", "1");
    rig_acknowledge_events(rig);
    expect_parts("b", 50000);
    expect_parts("c", 1);
    assert_int_equal(ask("a", "{\"part\":-1}").status, 422);
    assert_int_equal(ask("a", "{\"other\":1}").status, 422);
    assert_int_equal(ask("a", "nonsense").status, 422);
    assert_int_equal(ask("nobody", NULL).status, 404);
}

static void a_piece_of_the_answer_is_one_too(void **unused)
{
    compute("a", "0");
    rig_acknowledge_events(rig);
    assert_int_equal(parts_sent(), 0);
    for (int copied = 0; copied < 2; copied++) {
        struct reply reply = ask("a", NULL);
        assert_int_equal(reply.status, 200);
        assert_slice(reply.body, "0");
        assert_slice(reply.content_type, "application/json");
        assert_int_equal(reply.result_parts, 1);
        assert_int_equal(reply.result_bytes, 1);
        partition_apply(part());
    }
    rig_ask(rig, (struct ask){.type = "thing.put", .key = "1", .id = "p", .body = "{\"x\":1}"});
    rig_acknowledge_events(rig);
    assert_slice(ask("p", NULL).body, "{\"x\":1}"); /* who says nothing of a result: the whole answer */
}

static void what_is_not_done_or_has_failed_has_none(void **unused)
{
    rig_ask(rig, (struct ask){.type = "thing.fat", .key = "1", .id = "a", .body = "120000"});
    struct reply reply = ask("a", NULL);
    assert_int_equal(reply.status, 202);
    assert_int_equal(reply.result_parts, 0);
    rig_ask(rig, (struct ask){.type = "thing.cancel", .key = "1", .id = "q", .subject = "a"});
    fake_run_task();
    rig_acknowledge_events(rig);
    assert_int_equal(parts_sent(), 0); /* cancelled: nothing is kept */
    reply = ask("a", NULL);
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.result_parts, 0);
    assert_non_null(memmem(reply.body.p, reply.body.len, "\"status\":409", 12));
}

/* Its claim ended between the parts and the event: whoever decides it anew writes its own. */
static void a_result_whose_event_is_void_is_written_again(void **unused)
{
    compute("a", "120000");
    fake_acknowledge(rig->worker.events); /* the first part is in the log */
    fake_fail(rig->worker.events);
    assert_int_not_equal(part()->phase, PARTITION_SERVING);
    while (fake_waiting(rig->worker.events))
        fake_fail(rig->worker.events);
    rig_turn(rig, INT64_MAX);
    rig_recover(rig);
    assert_int_equal(part()->phase, PARTITION_SERVING);
    assert_int_equal(ask("a", NULL).status, 404);
    compute("a", "120000");
    rig_acknowledge_events(rig);
    expect_parts("a", 120000);
}

static void another_owner_has_it_from_the_log(void **unused)
{
    compute("a", "120000");
    rig_acknowledge_events(rig);
    struct rig *other = rig_new(-1);
    rig_recover(other);
    rig_free(rig);
    rig = other;
    expect_parts("a", 120000);
}

static void parts_go_after_their_outcome(void **unused)
{
    struct state_error error;
    int64_t now_ms = clock_wall_ms();
    compute("a", "120000");
    rig_acknowledge_events(rig);
    partition_apply(part());
    assert_int_equal(sweep_tombstones(part(), now_ms + WINDOW_MS + 1000), 0); /* its outcome may be there still */
    assert_int_equal(state_expire(part()->state, now_ms + 60000, 100, &error), 1);
    assert_int_equal(sweep_tombstones(part(), now_ms + WINDOW_MS + 120000), 3);
    assert_int_equal(sweep_tombstones(part(), now_ms + WINDOW_MS + 120000), 0); /* on their way */
    rig_acknowledge_events(rig);
    partition_apply(part());
    assert_int_equal(sweep_tombstones(part(), now_ms + 2 * WINDOW_MS), 0);
    struct result result;
    struct slice bytes;
    char name[RESULT_PART_SIZE];
    const struct event event = rig_event(rig, 3);
    assert_true(result_read(event.result, &result));
    result_part_name(result.parts_id, 0, name);
    assert_false(state_part(part()->state, slice_of(name), &bytes));
    assert_int_equal(ask("a", NULL).status, 404);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parts_stand_before_their_event, serve, end),
        cmocka_unit_test_setup_teardown(it_is_asked_for_part_by_part, serve, end),
        cmocka_unit_test_setup_teardown(a_piece_of_the_answer_is_one_too, serve, end),
        cmocka_unit_test_setup_teardown(what_is_not_done_or_has_failed_has_none, serve, end),
        cmocka_unit_test_setup_teardown(a_result_whose_event_is_void_is_written_again, serve, end),
        cmocka_unit_test_setup_teardown(another_owner_has_it_from_the_log, serve, end),
        cmocka_unit_test_setup_teardown(parts_go_after_their_outcome, serve, end),
    };
    return cmocka_run_group_tests_name("parts", tests, NULL, NULL);
}
