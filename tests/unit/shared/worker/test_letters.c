/* SPDX-License-Identifier: Apache-2.0 */
/* The records a worker writes, header by header. */
#include "worker/letters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* A command that was consumed, and what it was decoded to. */
struct desk {
    struct worker worker;
    struct partition partition;
    struct message msg;
    struct work work;
    struct headers headers; /* of the record written */
    struct record rec;
};

static struct desk *desk;

static int set_up(void **unused)
{
    desk = calloc(1, sizeof(*desk));
    assert_non_null(desk);
    strcpy(desk->worker.commands_topic, "thing.commands");
    strcpy(desk->worker.events_topic, "thing.events");
    desk->worker.instance = "test-1";
    desk->partition = (struct partition){.worker = &desk->worker, .number = 4};
    journal_claim_set(&desk->partition.writer.claim, SLICE("claim-1"));
    desk->msg.rec = (struct record){.topic = "thing.commands",
                                    .partition = 4,
                                    .offset = 77,
                                    .key = SLICE("12"),
                                    .value = SLICE("{\"a\":1}"),
                                    .headers = desk->msg.headers};
    desk->work.partition = &desk->partition;
    desk->work.msg = &desk->msg;
    return 0;
}

static int tear_down(void **unused)
{
    free(desk);
    return 0;
}

static void give(const char *name, struct slice value)
{
    desk->msg.headers[desk->msg.rec.header_count++] = (struct header){name, value};
}

/* Decodes what was given, as dispatch does. */
static void decode(void)
{
    struct work *work = &desk->work;
    assert_int_equal(envelope_decode_command(&desk->msg.rec, &work->cmd), ENVELOPE_OK);
    work->key = work->cmd.key;
    if (!work->cmd.id.p)
        work->cmd.id = slice_make(work->id, envelope_position_id(&desk->msg.rec, work->id, sizeof(work->id)));
}

/* What was written, as its receiver sees it. */
static const struct record *written(void)
{
    assert_false(desk->headers.overflow);
    desk->rec.headers = desk->headers.list;
    desk->rec.header_count = desk->headers.count;
    return &desk->rec;
}

static void assert_slice(struct slice s, const char *expected)
{
    if (!slice_is(s, expected))
        fail_msg("\"%.*s\" is not \"%s\"", SLICE_ARG(s), expected);
}

static void assert_header(const char *name, const char *expected)
{
    struct slice value = record_header(written(), name);
    if (!slice_is(value, expected))
        fail_msg("header %s is \"%.*s\", not \"%s\"", name, SLICE_ARG(value), expected);
}

static void assert_no_header(const char *name)
{
    if (record_header(written(), name).p)
        fail_msg("there is a header %s", name);
}

/* Every header of the command is there, as it came. */
static void assert_copied(void)
{
    for (size_t i = 0; i < desk->msg.rec.header_count; i++) {
        struct slice value = desk->msg.headers[i].value;
        assert_true(
            slice_equal(record_header(written(), desk->msg.headers[i].name), value.p ? value : SLICE("")));
    }
}

/* ---- who may be answered ---- */

static const struct allow_case {
    const char *allowed, *topic;
    bool expected;
} allows[] = {
    {"replies", "replies", true},
    {"replies", "repliesx", false},
    {"replies", "replie", false},
    {"replies", "", false},
    {"", "replies", false},
    {"", "", false},
    {"replies,replies.*", "replies", true},
    {"replies,replies.*", "replies.a", true},
    {"replies,replies.*", "replies.", true},
    {"replies,replies.*", "repliesa", false},
    {"replies,replies.*", "item.events", false},
    {"a,b,c", "c", true},
    {"a,b,c", "b", true},
    {"a,b,c", "a,b", false},
    {"a,,c", "c", true},
    {"a,,c", "", false},
    {",a,", "a", true},
    {"x*,a", "a", true},
    {"x*", "xyz", true},
    {"x*", "x", true},
    {"x*y", "xay", false},       /* a star counts at the end only */
    {"*", "item.events", false}, /* everything would be a hole, not a list */
};

static void the_allow_list_decides_who_is_answered(void **unused)
{
    for (size_t i = 0; i < sizeof(allows) / sizeof(allows[0]); i++) {
        if (letters_topic_allowed(allows[i].allowed, slice_of(allows[i].topic)) != allows[i].expected)
            fail_msg("\"%s\" in \"%s\": expected %d", allows[i].topic, allows[i].allowed, allows[i].expected);
    }
    assert_false(letters_topic_allowed("replies", SLICE_NONE));
    assert_false(letters_topic_allowed("*", SLICE_NONE));
}

/* ---- replies ---- */

static void ask_with_an_address(void)
{
    give("ce_type", SLICE("thing.get"));
    give("ce_id", SLICE("id-1"));
    give("kafka_replyTopic", SLICE("replies.x"));
    give("kafka_replyPartition", slice_make("\0\0\0\7", 4));
    give("kafka_correlationId", slice_make("\1\0\2", 3));
    give("traceparent", SLICE("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
    give("tracestate", SLICE("a=1"));
    decode();
}

static void a_reply_goes_where_the_command_says(void **unused)
{
    struct reply reply;
    ask_with_an_address();
    desk->work.answer = (struct answer){
        .status = 200, .version = 9, .body = SLICE("{}"), .content_type = SLICE("application/json")};
    assert_true(letters_reply(&desk->work, "replies.*", &desk->headers, &desk->rec));
    assert_int_equal(envelope_decode_reply(written(), &reply), ENVELOPE_OK);
    assert_string_equal(desk->rec.topic, "replies.x");
    assert_int_equal(desk->rec.partition, 7);
    assert_true(slice_equal(reply.correlation, slice_make("\1\0\2", 3)));
    assert_slice(reply.command_id, "id-1");
    assert_slice(reply.type, "thing.get");
    assert_int_equal(reply.status, 200);
    assert_slice(reply.etag, "\"9\"");
    assert_slice(reply.body, "{}");
    assert_slice(reply.content_type, "application/json");
    assert_slice(reply.tracestate, "a=1");
    assert_slice(reply.traceparent, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    assert_false(reply.replayed);
    assert_no_header("location");
}

static void a_reply_without_a_version_or_body_has_neither(void **unused)
{
    struct reply reply;
    ask_with_an_address();
    desk->work.answer = (struct answer){.status = 204, .replayed = true, .retry_after = SLICE("5")};
    assert_true(letters_reply(&desk->work, "replies.*", &desk->headers, &desk->rec));
    assert_int_equal(envelope_decode_reply(written(), &reply), ENVELOPE_OK);
    assert_no_header("etag");
    assert_no_header("content-type");
    assert_non_null(desk->rec.value.p); /* empty, not a tombstone */
    assert_int_equal(desk->rec.value.len, 0);
    assert_slice(reply.retry_after, "5");
    assert_true(reply.replayed);
}

static void a_partition_may_be_left_to_the_correlation_id(void **unused)
{
    give("ce_type", SLICE("thing.get"));
    give("kafka_replyTopic", SLICE("replies"));
    give("kafka_correlationId", SLICE("c-1"));
    decode();
    desk->work.answer.status = 200;
    assert_true(letters_reply(&desk->work, "replies", &desk->headers, &desk->rec));
    assert_int_equal(desk->rec.partition, -1);
    assert_slice(desk->rec.key, "c-1");
}

static void no_reply_without_an_allowed_address(void **unused)
{
    ask_with_an_address();
    desk->work.answer.status = 200;
    assert_false(letters_reply(&desk->work, "replies", &desk->headers, &desk->rec));
    desk->work.cmd.reply.topic = SLICE_NONE;
    assert_false(letters_reply(&desk->work, "replies.*", &desk->headers, &desk->rec));
    char longest[251];
    memset(longest, 'r', sizeof(longest));
    desk->work.cmd.reply.topic = slice_make(longest, 249);
    assert_true(letters_reply(&desk->work, "r*", &desk->headers, &desk->rec));
    assert_int_equal(strlen(desk->rec.topic), 249);
    desk->work.cmd.reply.topic = slice_make(longest, 250);
    assert_false(letters_reply(&desk->work, "r*", &desk->headers, &desk->rec));
    desk->work.msg = NULL; /* a repair or a claim has nobody who waits */
    assert_false(letters_reply(&desk->work, "r*", &desk->headers, &desk->rec));
}

/* ---- forwarding ---- */

static void a_forwarded_command_gets_its_id_fixed(void **unused)
{
    struct command again;
    give("ce_type", SLICE("thing.put"));
    give("x-unknown", slice_make("\0\1", 2));
    give("x-null", SLICE_NONE);
    give("if-match", SLICE("\"3\""));
    decode();
    letters_forward(&desk->work, 2, &desk->headers, &desk->rec);
    assert_copied();
    assert_string_equal(desk->rec.topic, "thing.commands");
    assert_int_equal(desk->rec.partition, 2);
    assert_slice(desk->rec.key, "12");
    assert_slice(desk->rec.value, "{\"a\":1}");
    assert_int_equal(envelope_decode_command(written(), &again), ENVELOPE_OK);
    assert_slice(again.id, "thing.commands/4/77"); /* where it stood first: the same however often it comes */
}

static void a_forwarded_command_keeps_its_own_id(void **unused)
{
    give("ce_type", SLICE("thing.put"));
    give("ce_id", SLICE("mine"));
    decode();
    letters_forward(&desk->work, 2, &desk->headers, &desk->rec);
    assert_header("ce_id", "mine");
    assert_int_equal(written()->header_count, 2);
}

static void a_null_id_is_none(void **unused)
{
    struct command again;
    give("ce_type", SLICE("thing.put"));
    give("ce_id", SLICE_NONE);
    decode();
    letters_forward(&desk->work, 2, &desk->headers, &desk->rec);
    assert_int_equal(envelope_decode_command(written(), &again), ENVELOPE_OK);
    assert_slice(again.id, "thing.commands/4/77");
}

/* ---- dead letters ---- */

static void bury(const char *reason)
{
    letters_dead(&desk->work, "thing-workers", "dlq.thing.commands", slice_of(reason), &desk->headers, &desk->rec);
}

static void a_dead_letter_is_the_command_and_its_origin(void **unused)
{
    give("ce_type", SLICE("thing.put"));
    give("x-unknown", slice_make("\0\1", 2));
    decode();
    bury("because");
    assert_copied();
    assert_string_equal(desk->rec.topic, "dlq.thing.commands");
    assert_int_equal(desk->rec.partition, -1);
    assert_slice(desk->rec.key, "12");
    assert_slice(desk->rec.value, "{\"a\":1}");
    assert_header("__dlq.errors.topic", "thing.commands");
    assert_header("__dlq.errors.partition", "4");
    assert_header("__dlq.errors.offset", "77");
    assert_header("__dlq.errors.group", "thing-workers");
    assert_header("__dlq.errors.delivery.count", "1");
    assert_header("__dlq.errors.message", "because");
    assert_header("ce_id", "thing.commands/4/77"); /* redriven, it is the same command */
}

static void a_null_key_and_value_stay_null(void **unused)
{
    desk->msg.rec.key = desk->msg.rec.value = SLICE_NONE;
    desk->work.cmd.id = SLICE("x");
    bury("because");
    assert_null(desk->rec.key.p);
    assert_null(desk->rec.value.p);
}

static size_t count_headers(const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < desk->headers.count; i++)
        n += strcmp(desk->headers.list[i].name, name) == 0;
    return n;
}

#define ROUNDS 12

/* What was written becomes the record that is consumed next. */
static void redrive(int round)
{
    static char memory[ROUNDS][4096];
    char *at = memory[round];
    desk->msg.rec.offset = 1000 + round;
    desk->msg.rec.header_count = 0;
    for (size_t i = 0; i < desk->headers.count; i++) {
        const struct header *header = &desk->headers.list[i];
        give(header->name, slice_make(memcpy(at, header->value.p, header->value.len), header->value.len));
        at += header->value.len;
    }
}

/* Redriven to the commands topic and dead again, as often as it likes. */
static void a_letter_that_dies_again_keeps_its_first_origin_and_a_count(void **unused)
{
    give("ce_type", SLICE("thing.put"));
    decode();
    bury("first reason");
    for (int round = 2; round < ROUNDS; round++) {
        char expected[8];
        redrive(round);
        decode();
        bury("another reason");
        snprintf(expected, sizeof(expected), "%d", round);
        assert_header("__dlq.errors.delivery.count", expected);
        assert_header("__dlq.errors.message", "another reason");
        assert_header("__dlq.errors.topic", "thing.commands");
        assert_header("__dlq.errors.offset", "77");
        assert_header("ce_id", "thing.commands/4/77");
        for (size_t i = 0; i < desk->headers.count; i++)
            assert_int_equal(count_headers(desk->headers.list[i].name), 1);
        assert_string_equal(desk->rec.topic, "dlq.thing.commands");
    }
}

static const char *const odd_counts[] = {"", "many", "99999999999999999999", " "};

static void an_odd_count_starts_again(void **unused)
{
    for (size_t i = 0; i < sizeof(odd_counts) / sizeof(odd_counts[0]); i++) {
        desk->msg.rec.header_count = 0;
        give("__dlq.errors.topic", SLICE("thing.commands"));
        give("__dlq.errors.delivery.count", slice_of(odd_counts[i]));
        desk->work.cmd.id = SLICE("x");
        bury("because");
        assert_header("__dlq.errors.delivery.count", "1");
    }
}

static void a_record_with_all_the_headers_it_may_have_can_be_sent_on(void **unused)
{
    for (int i = 0; i < RECORD_HEADERS_IN_MAX; i++)
        give("x", SLICE("y"));
    desk->work.cmd.id = SLICE("x");
    bury("because");
    assert_header("__dlq.errors.message", "because");
    letters_forward(&desk->work, 1, &desk->headers, &desk->rec);
    assert_header("ce_id", "x");
}

/* ---- events and claims ---- */

static void a_claim_is_a_claim(void **unused)
{
    letters_claim(&desk->work, SLICE("claim-2"), &desk->headers, &desk->rec);
    assert_slice(envelope_claim_of(written()), "claim-2");
    assert_string_equal(desk->rec.topic, "thing.events");
    assert_int_equal(desk->rec.partition, 4);
    assert_non_null(desk->rec.value.p); /* not a tombstone: compaction keeps it */
    assert_header("ce_source", "test-1");
}

static void an_event_has_the_state_and_the_outcome(void **unused)
{
    static const struct operation op = {.type = "thing.put", .event_type = "thing.replaced"};
    struct event event;
    ask_with_an_address();
    struct work *work = &desk->work;
    work->op = &op;
    work->exists = work->binding = true;
    work->version = 3;
    work->state = SLICE("{\"s\":1}");
    work->decision.effect = EFFECT_PUT;
    work->answer = (struct answer){.status = 200, .version = 3, .body = SLICE("{\"s\":1}")};
    memset(work->fingerprint, 'f', sizeof(work->fingerprint));
    letters_event(work, &desk->headers, &desk->rec);
    assert_int_equal(envelope_decode_event(written(), &event), ENVELOPE_OK);
    assert_slice(desk->rec.key, "12");
    assert_slice(event.state, "{\"s\":1}");
    assert_slice(event.type, "thing.replaced");
    assert_slice(event.command_id, "id-1");
    assert_slice(event.claim, "claim-1");
    assert_slice(event.tracestate, "a=1");
    assert_int_equal(event.fingerprint.len, ENVELOPE_FINGERPRINT_LEN);
    assert_int_equal(event.version, 3);
    assert_int_equal(event.command_partition, 4);
    assert_int_equal(event.command_offset, 77);
    assert_true(event.binding);
    assert_null(event.reply_body.p);
    work->answer.body = SLICE("other");
    letters_event(work, &desk->headers, &desk->rec);
    assert_int_equal(envelope_decode_event(written(), &event), ENVELOPE_OK);
    assert_slice(event.reply_body, "other");
}

/* An empty body is an answer as well: on replay it must not turn into the state. */
static void an_event_of_an_empty_answer_says_so(void **unused)
{
    static const struct operation op = {.type = "thing.put"};
    struct event event;
    ask_with_an_address();
    struct work *work = &desk->work;
    work->op = &op;
    work->exists = true;
    work->version = 1;
    work->state = SLICE("{}");
    work->answer = (struct answer){.status = 204, .body = SLICE("")};
    letters_event(work, &desk->headers, &desk->rec);
    assert_int_equal(envelope_decode_event(written(), &event), ENVELOPE_OK);
    assert_non_null(event.reply_body.p);
    assert_int_equal(event.reply_body.len, 0);
    assert_slice(event.type, "thing.get"); /* no effect: named after the command */
}

static void a_repair_is_an_event_without_a_command(void **unused)
{
    struct event event;
    struct work *work = &desk->work;
    work->msg = NULL;
    work->key = SLICE("12");
    work->exists = work->binding = true;
    work->version = 3;
    work->state = SLICE("{}");
    work->answer.status = 200;
    letters_event(work, &desk->headers, &desk->rec);
    assert_int_equal(envelope_decode_event(written(), &event), ENVELOPE_OK);
    assert_slice(event.type, LETTERS_REPAIR);
    assert_null(event.command_id.p);
    assert_slice(event.state, "{}");
    assert_int_equal(event.version, 3);
    assert_int_equal(event.command_partition, -1);
    assert_int_equal(event.command_offset, -1);
}

#define AT_DESK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_allow_list_decides_who_is_answered),
        AT_DESK(a_reply_goes_where_the_command_says),
        AT_DESK(a_reply_without_a_version_or_body_has_neither),
        AT_DESK(a_partition_may_be_left_to_the_correlation_id),
        AT_DESK(no_reply_without_an_allowed_address),
        AT_DESK(a_forwarded_command_gets_its_id_fixed),
        AT_DESK(a_forwarded_command_keeps_its_own_id),
        AT_DESK(a_null_id_is_none),
        AT_DESK(a_dead_letter_is_the_command_and_its_origin),
        AT_DESK(a_null_key_and_value_stay_null),
        AT_DESK(a_letter_that_dies_again_keeps_its_first_origin_and_a_count),
        AT_DESK(an_odd_count_starts_again),
        AT_DESK(a_record_with_all_the_headers_it_may_have_can_be_sent_on),
        AT_DESK(a_claim_is_a_claim),
        AT_DESK(an_event_has_the_state_and_the_outcome),
        AT_DESK(an_event_of_an_empty_answer_says_so),
        AT_DESK(a_repair_is_an_event_without_a_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
