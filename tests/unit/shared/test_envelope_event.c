/* SPDX-License-Identifier: Apache-2.0 */
/* Events: what is written comes back, to the last bit of state. */
#include "envelope.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "messages.h"

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
        .result = random_slice(),
        .auth_type = random_slice(),
        .auth_id = random_slice(),
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
        assert_slice(back.result, ev.result);
        assert_slice(back.auth_type, ev.auth_type);
        assert_slice(back.auth_id, ev.auth_id);
        assert_slice(back.time, ev.time);
        assert_slice(back.traceparent, ev.traceparent);
        assert_slice(back.tracestate, ev.tracestate);
    }
}

static void a_part_of_a_result(void **state)
{
    struct headers headers;
    struct slice name;
    struct tombstone tombstone;
    envelope_encode_part(SLICE("c1"), SLICE("image/png"), SLICE("2026-01-31T12:00:00.000Z"), &headers);
    struct record rec = record_of(&headers, SLICE("__part/019374a1-0000-7000-8000-000000000000/00001"), SLICE("\0\1"));
    assert_true(envelope_decode_part(&rec, &name));
    assert_slice(name, SLICE("019374a1-0000-7000-8000-000000000000/00001"));
    assert_slice(record_header(&rec, "ce_claim"), SLICE("c1"));
    assert_slice(record_header(&rec, "content-type"), SLICE("image/png"));
    assert_true(envelope_key_reserved(rec.key));
    assert_int_equal(envelope_id_time_ms(name), 0x019374a10000);
    assert_int_equal(envelope_id_time_ms(SLICE("not-one-of-them")), 0);
    assert_int_equal(envelope_id_time_ms(SLICE("019374a1-0000-8")), 0);
    assert_int_equal(envelope_id_time_ms(SLICE("")), 0);
    rec.value = SLICE_NONE;
    assert_false(envelope_decode_part(&rec, &name));
    assert_true(envelope_decode_tombstone(&rec, &tombstone));
    assert_slice(tombstone.part, SLICE("019374a1-0000-7000-8000-000000000000/00001"));
    assert_null(tombstone.attempts_of.p);
    rec.value = SLICE("x");
    rec.key = SLICE("__part/longer-than-the-name-of-a-part-can-be-so-it-is-none");
    assert_false(envelope_decode_part(&rec, &name));
    rec.key = SLICE("__part/");
    assert_false(envelope_decode_part(&rec, &name));
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

static void tombstones_tell_whose_they_are(void **unused)
{
    struct headers headers;
    struct tombstone tombstone;
    envelope_encode_tombstone(SLICE("w-1"), SLICE("2026-01-01T00:00:00.000Z"), &headers);
    struct record rec = {.key = SLICE("7"), .headers = headers.list, .header_count = headers.count};
    assert_true(envelope_decode_tombstone(&rec, &tombstone));
    assert_true(slice_is(tombstone.writer, "w-1"));
    assert_null(tombstone.claim_id.p);
    rec.key = SLICE("__claim/c-1");
    assert_true(envelope_decode_tombstone(&rec, &tombstone));
    assert_true(slice_is(tombstone.claim_id, "c-1"));
    assert_null(envelope_claim_of(&rec).p);
    rec.value = SLICE("{}");
    assert_false(envelope_decode_tombstone(&rec, &tombstone));
    assert_true(slice_is(envelope_claim_of(&rec), "c-1"));
    rec.value = SLICE("");
    assert_false(envelope_decode_tombstone(&rec, &tombstone)); /* empty is not absent */
    rec = (struct record){.key = SLICE("7")};
    assert_true(envelope_decode_tombstone(&rec, &tombstone));
    assert_null(tombstone.writer.p);
}

static void attempts_are_counted(void **unused)
{
    struct headers headers;
    struct attempts read;
    struct tombstone tombstone;
    const struct attempts written = {.writer = SLICE("w-1"), .count = 3, .crashes = 1, .beside = 2, .first_ms = INT64_C(1767225600123)};
    envelope_encode_attempts(&written, &headers);
    struct record rec = {
        .key = SLICE("__attempts/id/1"), .value = SLICE("{}"), .headers = headers.list, .header_count = headers.count};
    assert_true(envelope_decode_attempts(&rec, &read));
    assert_true(slice_is(read.command_id, "id/1"));
    assert_true(slice_is(read.writer, "w-1"));
    assert_int_equal(read.count, 3);
    assert_int_equal(read.crashes, 1);
    assert_int_equal(read.beside, 2);
    assert_int_equal(read.first_ms, INT64_C(1767225600123));
    rec.key = SLICE("__attempts/");
    assert_false(envelope_decode_attempts(&rec, &read));
    rec.key = SLICE("7");
    assert_false(envelope_decode_attempts(&rec, &read));
    rec = (struct record){.key = SLICE("__attempts/id/1"), .headers = headers.list, .header_count = headers.count};
    assert_false(envelope_decode_attempts(&rec, &read));
    assert_true(envelope_decode_tombstone(&rec, &tombstone));
    assert_true(slice_is(tombstone.attempts_of, "id/1"));
    assert_null(tombstone.claim_id.p);
    rec.value = SLICE("{}");
    rec.header_count = 1; /* no count, no writer */
    assert_false(envelope_decode_attempts(&rec, &read));
}

static void who_leaves_says_so(void **unused)
{
    struct headers headers;
    struct slice writer;
    envelope_encode_left(SLICE("w-1"), &headers);
    struct record rec = {
        .key = SLICE("__left"), .value = SLICE("{}"), .headers = headers.list, .header_count = headers.count};
    assert_true(envelope_decode_left(&rec, &writer));
    assert_true(slice_is(writer, "w-1"));
    assert_true(envelope_key_reserved(rec.key));
    rec.key = SLICE("7");
    assert_false(envelope_decode_left(&rec, &writer));
    rec = (struct record){.key = SLICE("__left"), .value = SLICE("{}")};
    assert_false(envelope_decode_left(&rec, &writer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_back_as_they_were),
        cmocka_unit_test(a_part_of_a_result),
        cmocka_unit_test(an_event_has_these_headers),
        cmocka_unit_test(events_are_checked),
        cmocka_unit_test(tombstones_tell_whose_they_are),
        cmocka_unit_test(attempts_are_counted),
        cmocka_unit_test(who_leaves_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
