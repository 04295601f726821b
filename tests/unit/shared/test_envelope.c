/* SPDX-License-Identifier: Apache-2.0 */
/* The message contract: what is written comes back, what is malformed is said, and nothing reads out of
 * bounds. */
#include "envelope.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(array)                   (sizeof(array) / sizeof((array)[0]))
#define assert_slice(actual, expected) assert_true(slice_equal(actual, expected))
#define RANDOM_ROUNDS                  20000

static struct record record_of(const struct headers *headers, struct slice key, struct slice value)
{
    assert_false(headers->overflow);
    return (struct record){.topic = "item.commands",
                           .partition = 3,
                           .offset = 42,
                           .key = key,
                           .value = value,
                           .headers = headers->list,
                           .header_count = headers->count};
}

/* ---- random messages, the same in every run ---- */

static uint64_t random_state;

static uint64_t random_next(void)
{
    random_state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    uint64_t z = random_state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t random_below(uint64_t n)
{
    return random_next() % n;
}

static bool random_bool(void)
{
    return random_next() & 1;
}

static const char noise[] =
    "aZ09 \xc3\xbc-._~/\"{}:\xf0\x9f\x8e\x89 the quick brown fox jumps over the lazy dog 0123456789";

/* Present bytes, one time in four absent. */
static struct slice random_slice(void)
{
    if (random_below(4) == 0)
        return SLICE_NONE;
    size_t from = random_below(sizeof(noise) - 1);
    return slice_make(noise + from, random_below(sizeof(noise) - from));
}

static struct slice random_of(const char *const *choices, size_t count)
{
    return slice_of(choices[random_below(count)]);
}

static int64_t random_int(int64_t max)
{
    int bits = (int)random_below(63) + 1;
    return (int64_t)((random_next() >> (64 - bits)) % ((uint64_t)max + 1));
}

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

static void replies_come_back_as_they_were(void **state)
{
    random_state = 2;
    for (int i = 0; i < RANDOM_ROUNDS; i++) {
        struct headers headers;
        struct reply reply = {
            .correlation = random_slice(),
            .command_id = random_slice(),
            .type = random_slice(),
            .status = 100 + (int)random_below(500),
            .etag = random_slice(),
            .location = random_slice(),
            .retry_after = random_slice(),
            .content_type = random_slice(),
            .replayed = random_bool(),
            .traceparent = random_slice(),
            .body = random_slice(),
        };
        reply.tracestate = reply.traceparent.p ? random_slice() : SLICE_NONE;
        struct reply back;
        envelope_encode_reply(&reply, &headers);
        struct record rec = record_of(&headers, reply.correlation, reply.body);
        assert_int_equal(envelope_decode_reply(&rec, &back), ENVELOPE_OK);
        assert_slice(back.correlation, reply.correlation);
        assert_slice(back.command_id, reply.command_id);
        assert_slice(back.type, reply.type);
        assert_int_equal(back.status, reply.status);
        assert_slice(back.etag, reply.etag);
        assert_slice(back.location, reply.location);
        assert_slice(back.retry_after, reply.retry_after);
        assert_slice(back.content_type, reply.content_type);
        assert_int_equal(back.replayed, reply.replayed);
        assert_slice(back.traceparent, reply.traceparent);
        assert_slice(back.tracestate, reply.tracestate);
        assert_slice(back.body, reply.body);
    }
}

static struct event random_event(void)
{
    struct event ev = {
        .type = SLICE("item.created"),
        .command_id = random_slice(),
        .fingerprint = random_slice(),
        .status = 100 + (int)random_below(500),
        .command_partition = (int32_t)random_int(INT32_MAX) - (int32_t)random_bool(),
        .command_offset = random_int(INT64_MAX) - (int64_t)random_bool(),
        .claim = SLICE("c1"),
        .version = random_int(INT64_MAX),
        .binding = random_bool(),
        .state = SLICE("{}"),
        .reply_body = random_slice(),
        .location = random_slice(),
        .content_type = random_slice(),
        .retry_after = random_slice(),
        .time = random_slice(),
        .traceparent = random_slice(),
    };
    ev.exists = ev.version > 0 && random_bool();
    ev.tracestate = ev.traceparent.p ? random_slice() : SLICE_NONE;
    return ev;
}

static void events_come_back_as_they_were(void **state)
{
    random_state = 3;
    for (int i = 0; i < RANDOM_ROUNDS; i++) {
        struct headers headers;
        struct event ev = random_event(), back;
        envelope_encode_event(&ev, &headers);
        struct record rec = record_of(&headers, SLICE("7"), ev.state);
        assert_int_equal(envelope_decode_event(&rec, &back), ENVELOPE_OK);
        assert_slice(back.type, ev.type);
        assert_slice(back.command_id, ev.command_id);
        assert_slice(back.fingerprint, ev.fingerprint);
        assert_int_equal(back.status, ev.status);
        assert_int_equal(back.command_partition, ev.command_partition);
        assert_int_equal(back.command_offset, ev.command_offset);
        assert_slice(back.claim, ev.claim);
        assert_int_equal(back.version, ev.version);
        assert_int_equal(back.exists, ev.exists);
        assert_int_equal(back.binding, ev.binding);
        assert_slice(back.state, ev.state);
        assert_slice(back.reply_body, ev.reply_body);
        assert_slice(back.location, ev.location);
        assert_slice(back.content_type, ev.content_type);
        assert_slice(back.retry_after, ev.retry_after);
        assert_slice(back.time, ev.time);
        assert_slice(back.traceparent, ev.traceparent);
        assert_slice(back.tracestate, ev.tracestate);
    }
}

/* ---- the header names are a contract with programs that are not ours ---- */

static void assert_header(const struct headers *headers, const char *name, struct slice value)
{
    const struct record rec = {.headers = headers->list, .header_count = headers->count};
    assert_slice(record_header(&rec, name), value);
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
                                .reply = {SLICE("replies"), 258, SLICE("\x01\xff")}};
    envelope_encode_command(&cmd, &headers);
    assert_int_equal(headers.count, 15);
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
    assert_header(&headers, "kafka_replyTopic", SLICE("replies"));
    assert_header(&headers, "kafka_replyPartition", (struct slice){"\0\0\1\2", 4});
    assert_header(&headers, "kafka_correlationId", SLICE("\x01\xff"));
}

static void a_full_reply_has_these_headers(void **state)
{
    struct headers headers;
    const struct reply reply = {.correlation = SLICE("c"),
                                .command_id = SLICE("id-1"),
                                .type = SLICE("item.put"),
                                .status = 200,
                                .etag = SLICE("\"4\""),
                                .location = SLICE("/items/7"),
                                .retry_after = SLICE("2"),
                                .content_type = SLICE("application/json"),
                                .replayed = true};
    envelope_encode_reply(&reply, &headers);
    assert_int_equal(headers.count, 13);
    assert_header(&headers, "kafka_correlationId", SLICE("c"));
    assert_header(&headers, ":status", SLICE("200"));
    assert_header(&headers, "ce_specversion", SLICE("1.0"));
    assert_header(&headers, "ce_type", SLICE("item.put.reply"));
    assert_header(&headers, "ce_source", SLICE("roundtrip"));
    assert_header(&headers, "ce_id", SLICE("id-1.reply"));
    assert_header(&headers, "ce_correlationid", SLICE("id-1"));
    assert_header(&headers, "ce_causationid", SLICE("id-1"));
    assert_header(&headers, "etag", SLICE("\"4\""));
    assert_header(&headers, "location", SLICE("/items/7"));
    assert_header(&headers, "retry-after", SLICE("2"));
    assert_header(&headers, "content-type", SLICE("application/json"));
    assert_header(&headers, "ce_replayed", SLICE("true"));
}

static const struct event sample_event = {.type = {"item.deleted", 12},
                                          .command_id = {"id-1", 4},
                                          .fingerprint = {"f", 1},
                                          .status = 204,
                                          .command_partition = 2,
                                          .command_offset = 99,
                                          .claim = {"c1", 2},
                                          .version = 5,
                                          .binding = true,
                                          .time = {"2026-01-31T12:00:00.000Z", 24}};

static void an_event_has_these_headers(void **state)
{
    struct headers headers;
    struct event ev = sample_event;
    envelope_encode_event(&ev, &headers);
    assert_int_equal(headers.count, 12);
    assert_header(&headers, "ce_id", SLICE("id-1"));
    assert_header(&headers, "ce_type", SLICE("item.deleted"));
    assert_header(&headers, "ce_specversion", SLICE("1.0"));
    assert_header(&headers, "ce_source", SLICE("roundtrip"));
    assert_header(&headers, "ce_time", SLICE("2026-01-31T12:00:00.000Z"));
    assert_header(&headers, "ce_fingerprint", SLICE("f"));
    assert_header(&headers, "ce_claim", SLICE("c1"));
    assert_header(&headers, "ce_version", SLICE("5"));
    assert_header(&headers, "ce_deleted", SLICE("true"));
    assert_header(&headers, ":status", SLICE("204"));
    assert_header(&headers, "ce_commandpartition", SLICE("2"));
    assert_header(&headers, "ce_commandoffset", SLICE("99"));
    ev.exists = true;
    ev.binding = false;
    envelope_encode_event(&ev, &headers);
    assert_header(&headers, "ce_deleted", SLICE_NONE);
    assert_header(&headers, "content-type", SLICE("application/json"));
    assert_header(&headers, "ce_binding", SLICE("false"));
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

/* ---- decoding replies and events ---- */

static void replies_need_a_status(void **state)
{
    static const char *const bad[] = {NULL, "", "99", "600", "2oo", "-200", "200 ", "99999999999999999999"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        const struct header list[] = {{":status", slice_of(bad[i])}};
        const struct record rec = {.headers = list, .header_count = 1};
        struct reply reply;
        assert_int_equal(envelope_decode_reply(&rec, &reply), ENVELOPE_BAD_REPLY);
    }
}

static void a_reply_of_another_service_needs_no_suffix(void **state)
{
    const struct header list[] = {{":status", SLICE("200")}, {"ce_type", SLICE("done")}};
    const struct record rec = {.headers = list, .header_count = 2};
    struct reply reply;
    assert_int_equal(envelope_decode_reply(&rec, &reply), ENVELOPE_OK);
    assert_slice(reply.type, SLICE("done"));
}

/* Replaces one header of a good event. */
static enum envelope_error decode_event_with(const char *name, struct slice value, struct slice body)
{
    struct headers headers;
    struct event ev;
    envelope_encode_event(&sample_event, &headers);
    for (size_t i = 0; i < headers.count; i++) {
        if (strcmp(headers.list[i].name, name) == 0)
            headers.list[i].value = value;
    }
    struct record rec = record_of(&headers, SLICE("7"), body);
    return envelope_decode_event(&rec, &ev);
}

static void events_are_checked(void **state)
{
    static const struct {
        const char *name;
        struct slice value;
    } bad[] = {
        {"ce_type", {NULL, 0}},
        {"ce_type", {"", 0}},
        {"ce_claim", {NULL, 0}},
        {"ce_claim", {"", 0}},
        {"ce_version", {NULL, 0}},
        {"ce_version", {"-1", 2}},
        {"ce_version", {"9223372036854775808", 19}},
        {":status", {NULL, 0}},
        {":status", {"1000", 4}},
        {"ce_deleted", {"yes", 3}},
        {"ce_commandoffset", {"-1", 2}},
        {"ce_commandpartition", {"2147483648", 10}},
    };
    assert_int_equal(decode_event_with("-", SLICE_NONE, SLICE("")), ENVELOPE_OK);
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(decode_event_with(bad[i].name, bad[i].value, SLICE("")), ENVELOPE_BAD_EVENT);
    assert_int_equal(decode_event_with("-", SLICE_NONE, SLICE_NONE), ENVELOPE_BAD_EVENT); /* a tombstone */
    assert_int_equal(decode_event_with("ce_id", SLICE_NONE, SLICE("")), ENVELOPE_OK);
}

/* ---- ids, claims, fingerprints, sentences ---- */

static void claims_are_told_by_their_key(void **state)
{
    char long_key[8 + 65 + 1];
    struct record rec = {.key = SLICE("__claim/abc")};
    assert_slice(envelope_claim_of(&rec), SLICE("abc"));
    static const struct slice others[] = {{NULL, 0},      {"", 0},  {"__claim/", 8},
                                          {"__claim", 7}, {"7", 1}, {"x__claim/abc", 12}};
    for (size_t i = 0; i < COUNT(others); i++) {
        rec.key = others[i];
        assert_null(envelope_claim_of(&rec).p);
    }
    memset(long_key, 'c', sizeof(long_key));
    memcpy(long_key, "__claim/", 8);
    rec.key = slice_make(long_key, 8 + 64);
    assert_int_equal(envelope_claim_of(&rec).len, 64);
    rec.key = slice_make(long_key, 8 + 65);
    assert_null(envelope_claim_of(&rec).p);
}

static void a_position_is_an_id(void **state)
{
    const struct record rec = {.topic = "item.commands", .partition = 3, .offset = INT64_MAX};
    char id[64];
    size_t len = envelope_position_id(&rec, id, sizeof(id));
    assert_slice(slice_make(id, len), SLICE("item.commands/3/9223372036854775807"));
    assert_int_equal(envelope_position_id(&rec, id, len), 0);
    assert_int_equal(envelope_position_id(&rec, id, len + 1), len);
}

static struct slice fingerprint(struct slice type, struct slice key, struct slice body, char *ret_hex)
{
    const struct command cmd = {.type = type, .key = key, .body = body, .id = slice_make(ret_hex, 1)};
    envelope_fingerprint(&cmd, ret_hex);
    return slice_make(ret_hex, ENVELOPE_FINGERPRINT_LEN);
}

static void fingerprints_tell_commands_apart(void **state)
{
    char hex[8][ENVELOPE_FINGERPRINT_LEN] = {{0}};
    struct slice prints[] = {
        fingerprint(SLICE("item.put"), SLICE("1"), SLICE("{}"), hex[0]),
        fingerprint(SLICE("item.put"), SLICE("1{"), SLICE("}"), hex[1]),
        fingerprint(SLICE("item.put1"), SLICE(""), SLICE("{}"), hex[2]),
        fingerprint(SLICE("item.put"), SLICE("1"), SLICE("{ }"), hex[3]),
        fingerprint(SLICE("item.pus"), SLICE("1"), SLICE("{}"), hex[4]),
        fingerprint(SLICE("item.put"), SLICE("2"), SLICE("{}"), hex[5]),
    };
    for (size_t i = 0; i < COUNT(prints); i++) {
        for (size_t k = 0; k < i; k++)
            assert_false(slice_equal(prints[i], prints[k]));
        for (size_t k = 0; k < prints[i].len; k++)
            assert_non_null(strchr("0123456789abcdef", prints[i].p[k]));
    }
    assert_slice(fingerprint(SLICE("item.put"), SLICE("1"), SLICE("{}"), hex[6]), prints[0]);
    assert_slice(fingerprint(SLICE("a.b"), SLICE("1"), SLICE_NONE, hex[6]),
                 fingerprint(SLICE("a.b"), SLICE("1"), SLICE(""), hex[7]));
}

/* They are stored: another value would make every command of the dedupe window look like a new one. */
static void fingerprints_never_change(void **state)
{
    char hex[ENVELOPE_FINGERPRINT_LEN];
    fingerprint(SLICE("item.create"), SLICE("42"), SLICE("{\"id\":42}"), hex);
    assert_slice(slice_make(hex, sizeof(hex)), SLICE("da109c9e520bedf358813e2d6ab447f4"));
}

static void new_ids_are_uuids_of_their_time(void **state)
{
    char a[ENVELOPE_UUID_SIZE], b[ENVELOPE_UUID_SIZE];
    envelope_new_id(INT64_C(0x0123456789ab), a);
    envelope_new_id(INT64_C(0x0123456789ab), b);
    assert_int_equal(strlen(a), 36);
    assert_memory_equal(a, "01234567-89ab-7", 15);
    assert_int_equal(a[18], '-');
    assert_int_equal(a[23], '-');
    assert_non_null(strchr("89ab", a[19]));
    assert_string_not_equal(a, b);
    struct command cmd;
    assert_int_equal(decode_with("ce_id", slice_of(a), &cmd), ENVELOPE_OK);
}

static void every_error_has_a_sentence(void **state)
{
    for (int i = 0; i <= ENVELOPE_BAD_SPECVERSION; i++)
        assert_true(strlen(envelope_error_text((enum envelope_error)i)) > 5);
    assert_non_null(envelope_error_text((enum envelope_error)99));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_come_back_as_they_were),
        cmocka_unit_test(replies_come_back_as_they_were),
        cmocka_unit_test(events_come_back_as_they_were),
        cmocka_unit_test(a_full_command_has_these_headers),
        cmocka_unit_test(a_full_reply_has_these_headers),
        cmocka_unit_test(an_event_has_these_headers),
        cmocka_unit_test(type_and_key_are_enough),
        cmocka_unit_test(foreign_headers_are_ignored_and_the_last_of_a_name_counts),
        cmocka_unit_test(types_are_checked),
        cmocka_unit_test(ids_are_checked),
        cmocka_unit_test(keys_are_checked),
        cmocka_unit_test(deadlines_are_read),
        cmocka_unit_test(a_deadline_beyond_all_years_is_the_last_moment_there_is),
        cmocka_unit_test(other_versions_of_cloudevents_are_refused),
        cmocka_unit_test(an_oversized_trace_context_is_dropped),
        cmocka_unit_test(partitions_are_read_in_both_spellings),
        cmocka_unit_test(malformed_partitions_leave_the_topic),
        cmocka_unit_test(malformed_topics_leave_nothing),
        cmocka_unit_test(correlations_have_a_limit),
        cmocka_unit_test(without_a_topic_nobody_waits),
        cmocka_unit_test(the_caller_of_a_bad_command_can_still_be_told),
        cmocka_unit_test(replies_need_a_status),
        cmocka_unit_test(a_reply_of_another_service_needs_no_suffix),
        cmocka_unit_test(events_are_checked),
        cmocka_unit_test(claims_are_told_by_their_key),
        cmocka_unit_test(a_position_is_an_id),
        cmocka_unit_test(fingerprints_tell_commands_apart),
        cmocka_unit_test(fingerprints_never_change),
        cmocka_unit_test(new_ids_are_uuids_of_their_time),
        cmocka_unit_test(every_error_has_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
