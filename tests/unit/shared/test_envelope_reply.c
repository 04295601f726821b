/* SPDX-License-Identifier: Apache-2.0 */
/* Replies: what is written comes back, under the names other programs know. */
#include "envelope.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "messages.h"
#include "result.h"

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
            .worked_us = random_bool() ? (int64_t)(random_next() >> random_below(64) >> 14) : 0,
            .result_bytes = -1,
            .traceparent = random_slice(),
            .body = random_slice(),
        };
        if (random_bool()) {
            reply.result_bytes = random_int(RESULT_BYTES_MAX);
            reply.result_parts = 1 + random_int(RESULT_PARTS_MAX - 1);
        }
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
        assert_int_equal(back.worked_us, reply.worked_us);
        assert_int_equal(back.result_bytes, reply.result_bytes);
        assert_int_equal(back.result_parts, reply.result_parts);
        assert_slice(back.traceparent, reply.traceparent);
        assert_slice(back.tracestate, reply.tracestate);
        assert_slice(back.body, reply.body);
    }
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
                                .replayed = true,
                                .worked_us = 12005};
    envelope_encode_reply(&reply, &headers);
    assert_int_equal(headers.count, 14);
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
    assert_header(&headers, "server-timing", SLICE("work;dur=12.005"));
}

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

static void timings_of_others(void **state)
{
    static const struct {
        const char *list;
        int64_t us;
    } cases[] = {
        {"work;dur=53.2", 53200},
        {"work;dur=53", 53000},
        {"db;dur=9, work; desc=x ; dur = 0.0019\t, work;dur=7", 1},
        {"work;dur=.5", 500},
        {"work", 0},
        {"working;dur=1", 0},
        {"work;dur=", 0},
        {"work;dur=-1", 0},
        {"work;dur=1.2.3", 0},
        {"work;dur=1e3", 0},
        {"work;dur=99999999999999999999999999", 0},
        {",;=,;;", 0},
        {"", 0},
        {NULL, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(envelope_read_timing(slice_of(cases[i].list)), cases[i].us);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_come_back_as_they_were),
        cmocka_unit_test(a_full_reply_has_these_headers),
        cmocka_unit_test(replies_need_a_status),
        cmocka_unit_test(a_reply_of_another_service_needs_no_suffix),
        cmocka_unit_test(timings_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
