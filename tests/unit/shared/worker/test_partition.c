/* SPDX-License-Identifier: Apache-2.0 */
/* When an answer may leave and an offset is done: finality, order, what does not fit, what is not answered.
 */
#include "rig.h"

#include <errno.h>
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

static int64_t ask(const char *type, const char *key, const char *id, const char *body)
{
    return rig_ask(rig, (struct ask){.type = type, .key = key, .id = id, .body = body});
}

static int64_t floor_now(void)
{
    return rig->partitions[0].offsets.floor;
}

/* ---- the order of things ---- */

static void a_write_is_answered_after_its_event_and_done_after_its_reply(void **unused)
{
    ask("thing.create", "1", "a", "{}");
    assert_int_equal(rig_events(rig), 1);
    assert_int_equal(rig_replies(rig), 0);
    assert_int_equal(floor_now(), 0);
    fake_acknowledge(rig->worker.events);
    assert_reply(rig, 0, "a", 201);
    assert_int_equal(floor_now(), 0);
    fake_acknowledge(rig->worker.replies);
    assert_int_equal(floor_now(), 1);
    assert_true(rig->partitions[0].floor_dirty);
    partition_apply(&rig->partitions[0]);
    assert_int_equal(rig->partitions[0].work_count, 0);
}

static void a_read_with_nothing_before_it_is_answered_at_once(void **unused)
{
    ask("thing.get", "1", "a", NULL);
    assert_reply(rig, 0, "a", 404);
    assert_int_equal(rig_events(rig), 0);
}

/* Also of another key: else an owner that was deposed could answer from a state that never was. */
static void a_read_waits_for_every_write_before_it(void **unused)
{
    ask("thing.create", "1", "a", "{}");
    ask("thing.get", "2", "b", NULL);
    ask("thing.create", "3", "c", "{}");
    ask("thing.get", "1", "d", NULL);
    ask("thing.list", NULL, "e", NULL);
    assert_int_equal(rig_replies(rig), 0);
    fake_acknowledge(rig->worker.events);
    assert_int_equal(rig_replies(rig), 2);
    assert_reply(rig, 0, "a", 201);
    assert_reply(rig, 1, "b", 404);
    fake_acknowledge(rig->worker.events);
    assert_int_equal(rig_replies(rig), 5);
    assert_reply(rig, 2, "c", 201);
    assert_reply(rig, 3, "d", 200);
    assert_reply(rig, 4, "e", 200);
}

static void a_read_sees_the_writes_before_it_and_no_later_ones(void **unused)
{
    ask("thing.create", "1", "a", "one");
    ask("thing.get", "1", "b", NULL);
    ask("thing.put", "1", "c", "two");
    ask("thing.get", "1", "d", NULL);
    rig_acknowledge_events(rig);
    assert_slice(rig_reply(rig, 1).body, "one");
    assert_slice(rig_reply(rig, 1).etag, "\"1\"");
    assert_slice(rig_reply(rig, 3).body, "two");
    assert_slice(rig_reply(rig, 3).etag, "\"2\"");
}

static void a_list_shows_what_is_final_in_key_order(void **unused)
{
    ask("thing.create", "10", "a", "x");
    ask("thing.create", "-2", "b", "y");
    ask("thing.create", "3", "c", "z");
    ask("thing.delete", "3", "d", NULL);
    ask("thing.list", NULL, "e", NULL);
    ask("thing.create", "4", "f", "later");
    for (int i = 0; i < 4; i++)
        fake_acknowledge(rig->worker.events);
    assert_reply(rig, 4, "e", 200);
    assert_slice(rig_reply(rig, 4).body, "-2=y;10=x;");
    assert_null(rig_reply(rig, 4).etag.p);
}

/* Some reads wait for a write while later ones find nothing to wait for any more: order is kept. */
static void offsets_are_done_in_any_order(void **unused)
{
    ask("thing.create", "1", "a", "{}");
    ask("thing.explode", "1", "b", NULL);
    ask("thing.get", "1", "c", NULL);
    rig_acknowledge_replies(rig); /* the letter and its answer; b is done before a */
    assert_int_equal(floor_now(), 0);
    assert_int_equal(rig->partitions[0].offsets.count, 2);
    rig_acknowledge_events(rig);
    rig_acknowledge_replies(rig);
    assert_int_equal(floor_now(), 3);
}

static void an_offset_that_comes_twice_is_taken_once(void **unused)
{
    struct ask create = {.type = "thing.create", .key = "1", .id = "a", .body = "{}"};
    rig_ask_at(rig, create, 5);
    rig_ask_at(rig, create, 5);
    rig_ask_at(rig, create, 4);
    rig_acknowledge_events(rig);
    assert_int_equal(rig_replies(rig), 1);
    assert_int_equal(rig->worker.count.commands, 1);
    assert_false(rig->worker.failed);
}

/* ---- not every command is answered ---- */

static const char *const silent_topics[] = {"", "item.events", "repliesx", "thing.commands"};

static void who_gave_no_allowed_address_gets_no_answer(void **unused)
{
    size_t count = sizeof(silent_topics) / sizeof(silent_topics[0]);
    for (size_t i = 0; i < count; i++) {
        char id[2] = {(char)('a' + i), '\0'}, key[2] = {(char)('1' + i), '\0'};
        rig_ask(
            rig,
            (struct ask){
                .type = "thing.create", .key = key, .id = id, .body = "{}", .reply_topic = silent_topics[i]});
        rig_acknowledge_events(rig);
        assert_int_equal(floor_now(), (int64_t)i + 1);
    }
    assert_int_equal(fake_sent_count(rig->worker.replies), 0);
    assert_int_equal(rig->worker.count.no_reply, count);
    assert_int_equal(rig_events(rig), count);
}

static void a_reply_that_fails_or_cannot_be_sent_does_not_hold_the_offset(void **unused)
{
    ask("thing.create", "1", "a", "{}");
    fake_acknowledge(rig->worker.events);
    fake_fail(rig->worker.replies);
    assert_int_equal(floor_now(), 1);
    fake_refuse(rig->worker.replies, -ENOBUFS);
    ask("thing.get", "1", "b", NULL);
    assert_int_equal(floor_now(), 2);
    ask("thing.create", "1", "a", "{}"); /* who repeats gets the outcome */
    assert_reply(rig, 1, "a", 201);
    assert_int_equal(rig->partitions[0].phase, PARTITION_SERVING);
}

/* ---- what does not fit ---- */

static char *large_text(size_t size)
{
    char *text = malloc(size + 1);
    assert_non_null(text);
    memset(text, 'x', size);
    text[size] = '\0';
    return text;
}

static void a_state_too_large_for_a_record_is_refused(void **unused)
{
    char *text = large_text(FAKE_MAX_BYTES);
    ask("thing.create", "1", "a", "small");
    ask("thing.put", "1", "b", text);
    rig_acknowledge_events(rig);
    assert_reply(rig, 1, "b", 413);
    struct event event = rig_event(rig, 1);
    assert_slice(event.state, "small");
    assert_int_equal(event.version, 1);
    assert_int_equal(event.status, 413);
    ask("thing.get", "1", "c", NULL);
    assert_slice(rig_reply(rig, 2).body, "small");
    assert_int_equal(rig->partitions[0].phase, PARTITION_SERVING);
    free(text);
}

/* Whatever is stored, a later refusal repeats it with an id of any length and a body: it must fit too. */
static void any_state_that_is_stored_can_be_repeated(void **unused)
{
    char id[ENVELOPE_ID_MAX + 1];
    memset(id, 'i', sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    size_t size = FAKE_MAX_BYTES;
    char *text = large_text(size);
    int status = 413;
    for (int i = 0; status == 413;
         i++, text[size -= 64] = '\0') { /* the largest one that is taken, or nearly */
        char small[8] = {(char)('a' + i / 100), (char)('0' + i / 10 % 10), (char)('0' + i % 10), '\0'};
        ask("thing.create", "1", small, text);
        rig_acknowledge_events(rig);
        status = rig_reply(rig, rig_replies(rig) - 1).status;
    }
    assert_int_equal(status, 201);
    assert_int_equal(rig->partitions[0].phase, PARTITION_SERVING);
    ask("thing.create", "1", id, "{}");
    assert_int_equal(rig->partitions[0].phase, PARTITION_SERVING);
    rig_acknowledge_events(rig);
    assert_slice(rig_reply(rig, rig_replies(rig) - 1).command_id, id);
    assert_int_equal(rig_reply(rig, rig_replies(rig) - 1).status, 400);
    free(text);
}

static void an_answer_too_large_says_so(void **unused)
{
    fake_refuse(rig->worker.replies, -EMSGSIZE);
    ask("thing.large", "1", "a", NULL);
    assert_reply(rig, 0, "a", 500);
    assert_slice(rig_reply(rig, 0).content_type, "application/problem+json");
}

static void a_dead_letter_too_large_goes_without_its_value(void **unused)
{
    char *text = large_text(FAKE_MAX_BYTES - 100);
    ask("thing.explode", "1", "a", text);
    assert_int_equal(rig_dead(rig), 1);
    const struct record *rec = rig_dead_letter(rig, 0);
    assert_null(rec->value.p);
    assert_header(rec, "__dlq.errors.topic", "thing.commands");
    assert_header(rec, "__dlq.errors.offset", "0");
    rig_acknowledge_replies(rig);
    assert_reply(rig, 0, "a", 501);
    assert_int_equal(floor_now(), 1);
    free(text);
}

/* max.message.bytes of the topic may be less than the producer's limit: only the broker knows. */
static void a_dead_letter_too_large_for_its_topic_says_where_the_command_lies(void **unused)
{
    ask("thing.explode", "1", "a", "{}");
    fake_fail_too_large(rig->worker.replies);
    assert_int_equal(rig_dead(rig), 2);
    assert_slice(rig_dead_letter(rig, 1)->value, "{}"); /* others may have been too large, that went with it */
    fake_fail_too_large(rig->worker.replies);
    assert_int_equal(rig_dead(rig), 3);
    assert_null(rig_dead_letter(rig, 2)->value.p);
    assert_header(rig_dead_letter(rig, 2), "__dlq.errors.omitted", "value");
    fake_fail_too_large(rig->worker.replies);
    assert_int_equal(rig_dead(rig), 4);
    assert_header(rig_dead_letter(rig, 3), "__dlq.errors.omitted", "all");
    assert_header(rig_dead_letter(rig, 3), "__dlq.errors.offset", "0");
    rig_acknowledge_replies(rig);
    assert_reply(rig, 0, "a", 501);
    assert_int_equal(rig->partitions[0].phase, PARTITION_SERVING);
    assert_int_equal(floor_now(), 1);
}

/* The topic's limit counts for what is sent together: then they go one at a time, and nothing is left out. */
static void dead_letters_too_large_together_go_one_at_a_time(void **unused)
{
    ask("thing.explode", "1", "a", "{}");
    ask("thing.explode", "1", "b", "{}");
    fake_fail_too_large(rig->worker.replies);
    ask("thing.explode", "1", "c", "{}");
    assert_int_equal(rig_dead(rig), 2); /* the second is still on its way */
    fake_fail_too_large(rig->worker.replies);
    for (size_t i = 3; i <= 5; i++) {
        assert_int_equal(rig_dead(rig), i);
        assert_slice(rig_dead_letter(rig, i - 1)->value, "{}");
        fake_acknowledge(rig->worker.replies);
        if (i < 5)
            fake_acknowledge(rig->worker.replies); /* a reply is before the next letter */
    }
    rig_acknowledge_replies(rig);
    assert_int_equal(rig_replies(rig), 3);
    assert_int_equal(floor_now(), 3);
    ask("thing.explode", "1", "d", "{}");
    assert_int_equal(rig_dead(rig), 6); /* at once, as before */
    rig_acknowledge_replies(rig);
}

static void a_command_too_large_to_forward_is_buried(void **unused)
{
    char *text = large_text(FAKE_MAX_BYTES - 100);
    rig_ask(rig, (struct ask){.type = "thing.create", .key = "9", .body = text});
    rig_acknowledge_replies(rig);
    assert_int_equal(rig_forwarded(rig), 0);
    assert_int_equal(rig_dead(rig), 1);
    assert_int_equal(rig_reply(rig, 0).status, 413);
    assert_int_equal(rig->partitions[0].phase, PARTITION_SERVING);
    assert_int_equal(floor_now(), 1);
    free(text);
}

/* ---- flow ---- */

static void a_full_window_pauses_and_an_empty_one_resumes(void **unused)
{
    struct partition *p = &rig->partitions[0];
    for (int i = 0; i < PARTITION_WINDOW; i++) {
        char id[16];
        snprintf(id, sizeof(id), "id-%d", i);
        rig_ask(rig,
                (struct ask){.type = "thing.put", .key = "1", .id = id, .body = "{}", .reply_topic = ""});
        partition_tick(p, 0);
        assert_int_equal(p->flow_paused, i == PARTITION_WINDOW - 1);
    }
    assert_int_equal(fake_pauses(), 1);
    while (fake_waiting(rig->worker.events) > PARTITION_WINDOW_RESUME)
        fake_acknowledge(rig->worker.events);
    partition_tick(p, 0);
    assert_false(p->flow_paused);
    assert_int_equal(fake_resumed_at(), CONSUMER_CONTINUE);
    rig_acknowledge_events(rig);
    assert_int_equal(floor_now(), PARTITION_WINDOW);
}

static void final_events_are_applied_when_many_or_old(void **unused)
{
    struct partition *p = &rig->partitions[0];
    assert_int_equal(partition_due_ns(p), INT64_MAX);
    ask("thing.create", "1", "a", "{}");
    rig_acknowledge_events(rig);
    int64_t due = partition_due_ns(p);
    partition_tick(p, due - 1);
    assert_int_equal(p->final_count, 1);
    partition_tick(p, due);
    assert_int_equal(p->final_count, 0);
    assert_int_equal(state_checkpoint(p->state), fake_log_end());
    assert_int_equal(partition_due_ns(p), INT64_MAX);
    for (int i = 0; i < PARTITION_APPLY_COUNT; i++) {
        char id[16];
        snprintf(id, sizeof(id), "id-%d", i);
        ask("thing.put", "1", id, "{}");
    }
    rig_acknowledge_events(rig);
    partition_tick(p, 0);
    assert_int_equal(p->final_count, 0);
    assert_int_equal(state_checkpoint(p->state), fake_log_end());
}

/* What is applied is only what is final, however much is on its way. */
static void the_local_copy_is_never_ahead_of_the_log(void **unused)
{
    struct partition *p = &rig->partitions[0];
    ask("thing.create", "1", "a", "one");
    ask("thing.put", "1", "b", "two");
    fake_acknowledge(rig->worker.events);
    partition_apply(p);
    assert_int_equal(state_checkpoint(p->state), fake_log_end());
    bool exists;
    int64_t version;
    struct slice value;
    assert_true(state_entity(p->state, SLICE("1"), &exists, &version, &value));
    assert_slice(value, "one");
    ask("thing.get", "1", "c", NULL);
    rig_acknowledge_events(rig);
    assert_slice(rig_reply(rig, 2).body, "two");
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(a_write_is_answered_after_its_event_and_done_after_its_reply),
        WITH_RIG(a_read_with_nothing_before_it_is_answered_at_once),
        WITH_RIG(a_read_waits_for_every_write_before_it),
        WITH_RIG(a_read_sees_the_writes_before_it_and_no_later_ones),
        WITH_RIG(a_list_shows_what_is_final_in_key_order),
        WITH_RIG(offsets_are_done_in_any_order),
        WITH_RIG(an_offset_that_comes_twice_is_taken_once),
        WITH_RIG(who_gave_no_allowed_address_gets_no_answer),
        WITH_RIG(a_reply_that_fails_or_cannot_be_sent_does_not_hold_the_offset),
        WITH_RIG(a_state_too_large_for_a_record_is_refused),
        WITH_RIG(any_state_that_is_stored_can_be_repeated),
        WITH_RIG(an_answer_too_large_says_so),
        WITH_RIG(a_dead_letter_too_large_goes_without_its_value),
        WITH_RIG(a_dead_letter_too_large_for_its_topic_says_where_the_command_lies),
        WITH_RIG(dead_letters_too_large_together_go_one_at_a_time),
        WITH_RIG(a_command_too_large_to_forward_is_buried),
        WITH_RIG(a_full_window_pauses_and_an_empty_one_resumes),
        WITH_RIG(final_events_are_applied_when_many_or_old),
        WITH_RIG(the_local_copy_is_never_ahead_of_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
