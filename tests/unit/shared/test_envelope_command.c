/* SPDX-License-Identifier: Apache-2.0 */
/* Commands: what is written comes back, what is malformed is said, and who can be answered is. */
#include "envelope.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "messages.h"

static struct command random_command(void)
{
    static const char *const types[] = {"item.create", "compute.start", "a.b", "x-1.y-2.z"};
    static const char *const ids[] = {NULL, "1", "0198c3a4-7b1e-7d55-8f00-000000000001",
                                      "Gr\xc3\xb6\xc3\x9f"
                                      "e"};
    static const char *const keys[] = {NULL, "1", "-9223372036854775808", "__claim", "job/\x01"};
    static const char *const topics[] = {NULL, "replies", "a_b.c-D9"};
    struct command cmd = {
        .key = random_of(keys, COUNT(keys)),
        .body = random_slice(),
        .type = random_of(types, COUNT(types)),
        .id = random_of(ids, COUNT(ids)),
        .source = random_slice(),
        .subject = random_slice(),
        .time = random_slice(),
        .content_type = random_slice(),
        .expiry_ms = random_bool() ? 0 : random_int(INT64_C(253402300799999)),
        .idempotency_key = random_slice(),
        .traceparent = random_slice(),
        .if_match = random_slice(),
        .auth_type = random_of(types, COUNT(types)),
        .auth_id = random_of(ids, COUNT(ids)),
        .reply = {.topic = random_of(topics, COUNT(topics)), .partition = -1},
    };
    cmd.tracestate = cmd.traceparent.p ? random_slice() : SLICE_NONE;
    if (cmd.reply.topic.p) {
        cmd.reply.partition = (int32_t)random_int(800000000) - 1;
        cmd.reply.correlation = random_slice();
    }
    return cmd;
}

static void assert_same_command(const struct command *a, const struct command *b)
{
    assert_slice(a->key, b->key);
    assert_slice(a->body, b->body);
    assert_slice(a->type, b->type);
    assert_slice(a->id, b->id);
    assert_slice(a->source, b->source);
    assert_slice(a->subject, b->subject);
    assert_slice(a->time, b->time);
    assert_slice(a->content_type, b->content_type);
    assert_int_equal(a->expiry_ms, b->expiry_ms);
    assert_slice(a->idempotency_key, b->idempotency_key);
    assert_slice(a->traceparent, b->traceparent);
    assert_slice(a->tracestate, b->tracestate);
    assert_slice(a->if_match, b->if_match);
    assert_slice(a->auth_type, b->auth_type);
    assert_slice(a->auth_id, b->auth_id);
    assert_slice(a->reply.topic, b->reply.topic);
    assert_int_equal(a->reply.partition, b->reply.partition);
    assert_slice(a->reply.correlation, b->reply.correlation);
}

static void commands_come_back_as_they_were(void **state)
{
    random_state = 1;
    for (int i = 0; i < RANDOM_ROUNDS; i++) {
        struct headers headers;
        struct command cmd = random_command(), back;
        envelope_encode_command(&cmd, &headers);
        struct record rec = record_of(&headers, cmd.key, cmd.body);
        assert_int_equal(envelope_decode_command(&rec, &back), ENVELOPE_OK);
        assert_same_command(&back, &cmd);
    }
}

static void a_full_command_has_these_headers(void **state)
{
    struct headers headers;
    const struct command cmd = {.type = SLICE("item.put"),
                                .id = SLICE("id-1"),
                                .source = SLICE("/gateway"),
                                .subject = SLICE("7"),
                                .time = SLICE("2026-01-31T12:00:00Z"),
                                .content_type = SLICE("application/json"),
                                .expiry_ms = 1769860805000,
                                .idempotency_key = SLICE("key-1"),
                                .traceparent = SLICE("00-1-2-01"),
                                .tracestate = SLICE("a=b"),
                                .if_match = SLICE("\"3\""),
                                .auth_type = SLICE("api_key"),
                                .auth_id = SLICE("alice"),
                                .reply = {SLICE("replies"), 258, SLICE("\x01\xff")}};
    envelope_encode_command(&cmd, &headers);
    assert_int_equal(headers.count, 17);
    assert_header(&headers, "ce_type", SLICE("item.put"));
    assert_header(&headers, "ce_id", SLICE("id-1"));
    assert_header(&headers, "ce_specversion", SLICE("1.0"));
    assert_header(&headers, "ce_source", SLICE("/gateway"));
    assert_header(&headers, "ce_subject", SLICE("7"));
    assert_header(&headers, "ce_time", SLICE("2026-01-31T12:00:00Z"));
    assert_header(&headers, "content-type", SLICE("application/json"));
    assert_header(&headers, "ce_expirytime", SLICE("2026-01-31T12:00:05.000Z"));
    assert_header(&headers, "idempotency-key", SLICE("key-1"));
    assert_header(&headers, "traceparent", SLICE("00-1-2-01"));
    assert_header(&headers, "tracestate", SLICE("a=b"));
    assert_header(&headers, "if-match", SLICE("\"3\""));
    assert_header(&headers, "ce_authtype", SLICE("api_key"));
    assert_header(&headers, "ce_authid", SLICE("alice"));
    assert_header(&headers, "kafka_replyTopic", SLICE("replies"));
    assert_header(&headers, "kafka_replyPartition", (struct slice){"\0\0\1\2", 4});
    assert_header(&headers, "kafka_correlationId", SLICE("\x01\xff"));
}

/* ---- decoding commands ---- */

static enum envelope_error decode(const struct header *list, size_t count, struct slice key,
                                  struct command *ret_cmd)
{
    const struct record rec = {.topic = "t", .key = key, .headers = list, .header_count = count};
    return envelope_decode_command(&rec, ret_cmd);
}

static void type_and_key_are_enough(void **state)
{
    const struct header list[] = {{"ce_type", SLICE("item.get")}};
    struct command cmd;
    assert_int_equal(decode(list, 1, SLICE("7"), &cmd), ENVELOPE_OK);
    assert_slice(cmd.key, SLICE("7"));
    assert_null(cmd.id.p);
    assert_null(cmd.reply.topic.p);
    assert_int_equal(cmd.reply.partition, -1);
    assert_int_equal(cmd.expiry_ms, 0);
    assert_int_equal(decode(list, 1, SLICE_NONE, &cmd), ENVELOPE_OK);
}

static void foreign_headers_are_ignored_and_the_last_of_a_name_counts(void **state)
{
    const struct header list[] = {{"b3", SLICE("x")},      {"ce_type", SLICE("nonsense")},
                                  {"ce_idx", SLICE("x")},  {"ce_id", SLICE("first")},
                                  {"", SLICE("")},         {"ce_id", SLICE("last")},
                                  {"CE_TYPE", SLICE("x")}, {"ce_type", SLICE("item.get")}};
    struct command cmd;
    assert_int_equal(decode(list, COUNT(list), SLICE("7"), &cmd), ENVELOPE_OK);
    assert_slice(cmd.id, SLICE("last"));
    assert_slice(cmd.type, SLICE("item.get"));
}

static void types_are_checked(void **state)
{
    static const char *const good[] = {"a.b", "item.create", "x1-.y-9", "a.b.c.d"};
    static const char *const bad[] = {"",    "item", ".a",   "a.",    "a..b", "A.b",  "1a.b",
                                      "a.1", "-a.b", "a.-b", "a_b.c", "a.b ", "a b.c"};
    char long_type[ENVELOPE_TYPE_MAX + 2];
    struct command cmd;
    for (size_t i = 0; i < COUNT(good); i++) {
        const struct header list[] = {{"ce_type", slice_of(good[i])}};
        assert_int_equal(decode(list, 1, SLICE("7"), &cmd), ENVELOPE_OK);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        const struct header list[] = {{"ce_type", slice_of(bad[i])}};
        assert_int_equal(decode(list, 1, SLICE("7"), &cmd), ENVELOPE_BAD_TYPE);
        assert_null(cmd.type.p);
    }
    memset(long_type, 'a', sizeof(long_type));
    long_type[1] = '.';
    for (size_t len = ENVELOPE_TYPE_MAX; len <= ENVELOPE_TYPE_MAX + 1; len++) {
        const struct header list[] = {{"ce_type", slice_make(long_type, len)}};
        assert_int_equal(decode(list, 1, SLICE("7"), &cmd) == ENVELOPE_OK, len == ENVELOPE_TYPE_MAX);
    }
    assert_int_equal(decode(NULL, 0, SLICE("7"), &cmd), ENVELOPE_NO_TYPE);
}

/* Decodes a command with one more header. */
static enum envelope_error decode_with(const char *name, struct slice value, struct command *ret_cmd)
{
    const struct header list[] = {{"ce_type", SLICE("item.get")}, {name, value}};
    return decode(list, 2, SLICE("7"), ret_cmd);
}

static void ids_are_checked(void **state)
{
    char long_id[ENVELOPE_ID_MAX + 1];
    struct command cmd;
    memset(long_id, 'x', sizeof(long_id));
    assert_int_equal(decode_with("ce_id", slice_make(long_id, ENVELOPE_ID_MAX), &cmd), ENVELOPE_OK);
    assert_int_equal(cmd.id.len, ENVELOPE_ID_MAX);
    assert_int_equal(decode_with("ce_id", slice_make(long_id, ENVELOPE_ID_MAX + 1), &cmd), ENVELOPE_BAD_ID);
    assert_null(cmd.id.p);
    assert_int_equal(decode_with("ce_id", SLICE(""), &cmd), ENVELOPE_BAD_ID);
    assert_int_equal(decode_with("ce_id", SLICE("a\nb"), &cmd), ENVELOPE_BAD_ID);
    assert_int_equal(decode_with("ce_id", SLICE("a\xff"), &cmd), ENVELOPE_BAD_ID);
    assert_int_equal(decode_with("ce_id", SLICE_NONE, &cmd), ENVELOPE_OK);
}

static void keys_are_checked(void **state)
{
    const struct header list[] = {{"ce_type", SLICE("item.get")}};
    char long_key[ENVELOPE_KEY_MAX + 1] = {0};
    struct command cmd;
    assert_int_equal(decode(list, 1, slice_make(long_key, ENVELOPE_KEY_MAX), &cmd), ENVELOPE_OK);
    assert_int_equal(decode(list, 1, slice_make(long_key, ENVELOPE_KEY_MAX + 1), &cmd), ENVELOPE_BAD_KEY);
    assert_null(cmd.key.p);
    assert_int_equal(decode(list, 1, SLICE(""), &cmd), ENVELOPE_BAD_KEY);
    assert_int_equal(decode(list, 1, SLICE("__claim/x"), &cmd), ENVELOPE_BAD_KEY);
    assert_int_equal(decode(list, 1, SLICE("__claim/"), &cmd), ENVELOPE_BAD_KEY);
}

static void deadlines_are_read(void **state)
{
    struct command cmd;
    assert_int_equal(decode_with("ce_expirytime", SLICE("2026-01-31T14:00:00+02:00"), &cmd), ENVELOPE_OK);
    assert_int_equal(cmd.expiry_ms, 1769860800000);
    assert_int_equal(decode_with("ce_expirytime", SLICE("1970-01-01T00:00:00Z"), &cmd), ENVELOPE_OK);
    assert_int_equal(cmd.expiry_ms, 1);
    assert_int_equal(decode_with("ce_expirytime", SLICE("0001-01-01T00:00:00Z"), &cmd), ENVELOPE_OK);
    assert_int_equal(cmd.expiry_ms, 1);
    assert_int_equal(decode_with("ce_expirytime", SLICE("tomorrow"), &cmd), ENVELOPE_BAD_EXPIRY);
    assert_int_equal(cmd.expiry_ms, 0);
    assert_int_equal(decode_with("ce_expirytime", SLICE(""), &cmd), ENVELOPE_BAD_EXPIRY);
}

static void a_deadline_beyond_all_years_is_the_last_moment_there_is(void **state)
{
    struct headers headers;
    struct command cmd = {.type = SLICE("a.b"), .expiry_ms = INT64_MAX}, back;
    envelope_encode_command(&cmd, &headers);
    struct record rec = record_of(&headers, SLICE("7"), SLICE_NONE);
    assert_int_equal(envelope_decode_command(&rec, &back), ENVELOPE_OK);
    assert_int_equal(back.expiry_ms, INT64_C(253402300799999));
}

static void other_versions_of_cloudevents_are_refused(void **state)
{
    struct command cmd;
    assert_int_equal(decode_with("ce_specversion", SLICE("1.0"), &cmd), ENVELOPE_OK);
    assert_int_equal(decode_with("ce_specversion", SLICE("0.3"), &cmd), ENVELOPE_BAD_SPECVERSION);
}

static void an_oversized_trace_context_is_dropped(void **state)
{
    static const char big[1000] = {0};
    const struct header list[] = {
        {"ce_type", SLICE("item.get")}, {"traceparent", slice_make(big, 129)}, {"tracestate", SLICE("a=b")}};
    struct command cmd;
    assert_int_equal(decode(list, 3, SLICE("7"), &cmd), ENVELOPE_OK);
    assert_null(cmd.traceparent.p);
    assert_null(cmd.tracestate.p);
}

static void a_principal_is_whole_or_nobody(void **state)
{
    char long_id[ENVELOPE_AUTH_ID_MAX + 1];
    struct command cmd;
    memset(long_id, 'x', sizeof(long_id));
    assert_int_equal(decode_with("ce_authid", slice_make(long_id, ENVELOPE_AUTH_ID_MAX), &cmd), ENVELOPE_OK);
    assert_int_equal(cmd.auth_id.len, ENVELOPE_AUTH_ID_MAX);
    const struct slice bad[] = {slice_make(long_id, sizeof(long_id)), SLICE(""), SLICE("a\nb"), SLICE("a\xff")};
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(decode_with("ce_authid", bad[i], &cmd), ENVELOPE_OK);
        assert_null(cmd.auth_id.p);
    }
    assert_int_equal(decode_with("ce_authtype", SLICE("a\nb"), &cmd), ENVELOPE_OK);
    assert_null(cmd.auth_type.p);
}

/* ---- reply addresses ---- */

static bool decode_address(struct slice topic, struct slice partition, struct slice correlation,
                           struct reply_address *ret_address)
{
    const struct header list[] = {{"kafka_correlationId", correlation},
                                  {"kafka_replyPartition", partition},
                                  {"kafka_replyTopic", topic}};
    const struct record rec = {.headers = list, .header_count = 3};
    return envelope_decode_reply_address(&rec, ret_address);
}

static void partitions_are_read_in_both_spellings(void **state)
{
    static const struct {
        struct slice bytes;
        int32_t partition;
    } cases[] = {
        {{"\0\0\0\0", 4}, 0},
        {{"\0\0\1\2", 4}, 258},
        {{"\x7f\xff\xff\xff", 4}, INT32_MAX},
        {{"\xff\xff\xff\xff", 4}, -1},
        {{"0", 1}, 0},
        {{"11", 2}, 11},
        {{"1234", 4}, 1234},
        {{"0003", 4}, 3},
        {{"12345", 5}, 12345},
        {{"2147483647", 10}, INT32_MAX},
        {{"-1", 2}, -1},
        {{NULL, 0}, -1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct reply_address address;
        assert_true(decode_address(SLICE("replies"), cases[i].bytes, SLICE_NONE, &address));
        assert_int_equal(address.partition, cases[i].partition);
        assert_slice(address.topic, SLICE("replies"));
    }
}

static void malformed_partitions_leave_the_topic(void **state)
{
    static const struct slice bad[] = {{"", 0},
                                       {"2147483648", 10},
                                       {"-2", 2},
                                       {"1.", 2},
                                       {" 1", 2},
                                       {"+1", 2},
                                       {"\0", 1},
                                       {"\x80\0\0\0", 4},
                                       {"x", 1},
                                       {"-", 1},
                                       {"\0\0\0\0\0\0\0\1", 8},
                                       {"\xff\xff\xff\xfe", 4},
                                       {"99999999999999999999", 20}};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct reply_address address;
        assert_false(decode_address(SLICE("replies"), bad[i], SLICE("c"), &address));
        assert_int_equal(address.partition, -1);
        assert_slice(address.topic, SLICE("replies"));
        assert_slice(address.correlation, SLICE("c"));
    }
}

static void malformed_topics_leave_nothing(void **state)
{
    char long_topic[250];
    struct reply_address address;
    static const char *const bad[] = {"", ".", "..", "a b", "a/b", "\xc3\xbc", "a\n"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_false(decode_address(slice_of(bad[i]), SLICE("1"), SLICE("c"), &address));
        assert_null(address.topic.p);
        assert_null(address.correlation.p);
        assert_int_equal(address.partition, -1);
    }
    memset(long_topic, 'a', sizeof(long_topic));
    assert_true(decode_address(slice_make(long_topic, 249), SLICE("1"), SLICE("c"), &address));
    assert_false(decode_address(slice_make(long_topic, 250), SLICE("1"), SLICE("c"), &address));
}

static void correlations_have_a_limit(void **state)
{
    static const char big[ENVELOPE_CORRELATION_MAX + 1] = {0};
    struct reply_address address;
    assert_true(decode_address(SLICE("r"), SLICE("1"), slice_make(big, ENVELOPE_CORRELATION_MAX), &address));
    assert_int_equal(address.correlation.len, ENVELOPE_CORRELATION_MAX);
    assert_false(
        decode_address(SLICE("r"), SLICE("1"), slice_make(big, ENVELOPE_CORRELATION_MAX + 1), &address));
    assert_null(address.topic.p);
}

static void without_a_topic_nobody_waits(void **state)
{
    struct reply_address address;
    assert_true(decode_address(SLICE_NONE, SLICE("nonsense"), SLICE("c"), &address));
    assert_null(address.topic.p);
    assert_null(address.correlation.p);
}

static void the_caller_of_a_bad_command_can_still_be_told(void **state)
{
    const struct header list[] = {{"kafka_replyTopic", SLICE("replies")},
                                  {"kafka_replyPartition", SLICE("4")},
                                  {"kafka_correlationId", SLICE("c")},
                                  {"ce_type", SLICE("NONSENSE")},
                                  {"ce_id", SLICE("id-1")}};
    struct command cmd;
    assert_int_equal(decode(list, COUNT(list), SLICE("7"), &cmd), ENVELOPE_BAD_TYPE);
    assert_slice(cmd.reply.topic, SLICE("replies"));
    assert_int_equal(cmd.reply.partition, 4);
    assert_slice(cmd.reply.correlation, SLICE("c"));
    assert_slice(cmd.id, SLICE("id-1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_come_back_as_they_were),
        cmocka_unit_test(a_full_command_has_these_headers),
        cmocka_unit_test(type_and_key_are_enough),
        cmocka_unit_test(foreign_headers_are_ignored_and_the_last_of_a_name_counts),
        cmocka_unit_test(types_are_checked),
        cmocka_unit_test(ids_are_checked),
        cmocka_unit_test(keys_are_checked),
        cmocka_unit_test(deadlines_are_read),
        cmocka_unit_test(a_deadline_beyond_all_years_is_the_last_moment_there_is),
        cmocka_unit_test(other_versions_of_cloudevents_are_refused),
        cmocka_unit_test(an_oversized_trace_context_is_dropped),
        cmocka_unit_test(a_principal_is_whole_or_nobody),
        cmocka_unit_test(partitions_are_read_in_both_spellings),
        cmocka_unit_test(malformed_partitions_leave_the_topic),
        cmocka_unit_test(malformed_topics_leave_nothing),
        cmocka_unit_test(correlations_have_a_limit),
        cmocka_unit_test(without_a_topic_nobody_waits),
        cmocka_unit_test(the_caller_of_a_bad_command_can_still_be_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
