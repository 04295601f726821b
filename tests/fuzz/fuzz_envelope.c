/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any record into every decoder: no crash, limits kept, and what was decoded survives being written and read
 * again.
 *
 * The input is a list of fields, each a kind byte, a length byte (twice 255: two bytes of length follow) and
 * that many bytes. Kind 0 is the key, 1 the value, 2 an arbitrary header ("name=value"), above it a header of
 * the contract.
 */
#include "envelope.h"

#include <assert.h>
#include <stdlib.h>

#include "result.h"

static const char *const names[] = {
    "ce_type",
    "ce_id",
    "ce_specversion",
    "ce_source",
    "ce_time",
    "ce_subject",
    "content-type",
    "ce_expirytime",
    "idempotency-key",
    "traceparent",
    "tracestate",
    "if-match",
    "kafka_replyTopic",
    "kafka_replyPartition",
    "kafka_correlationId",
    ":status",
    "etag",
    "location",
    "retry-after",
    "ce_correlationid",
    "ce_causationid",
    "ce_replayed",
    "ce_fingerprint",
    "ce_claim",
    "ce_version",
    "ce_deleted",
    "ce_binding",
    "reply-body",
    "reply-content-type",
    "reply-location",
    "reply-retry-after",
    "ce_commandpartition",
    "ce_commandoffset",
    "ce_authtype",
    "ce_authid",
    "reply-result",
    "result-bytes",
    "result-parts",
};
#define NAMES (sizeof(names) / sizeof(names[0]))

/* A field's bytes in memory of their own, so that reading past their end is seen; absent when the kind says
 * so. */
static struct slice take(const uint8_t **data, size_t *size, char **ret_owned)
{
    size_t len = *size ? *(*data)++ : 0;
    *size -= *size > 0;
    if (len == 255 && *size >= 2) {
        len = (size_t)(*data)[0] << 8 | (*data)[1];
        *data += 2;
        *size -= 2;
    }
    if (len > *size)
        len = *size;
    *ret_owned = malloc(len + 1);
    assert(*ret_owned);
    char *exact = realloc(*ret_owned, len ? len : 1);
    assert(exact);
    *ret_owned = exact;
    if (len)
        memcpy(exact, *data, len);
    *data += len;
    *size -= len;
    return slice_make(exact, len);
}

static void check_command(const struct record *rec)
{
    struct command cmd, back;
    struct headers headers;
    char hex[ENVELOPE_FINGERPRINT_LEN];
    enum envelope_error error = envelope_decode_command(rec, &cmd);
    assert(envelope_error_text(error));
    assert(cmd.key.len <= ENVELOPE_KEY_MAX && cmd.id.len <= ENVELOPE_ID_MAX &&
           cmd.type.len <= ENVELOPE_TYPE_MAX);
    assert(cmd.reply.correlation.len <= ENVELOPE_CORRELATION_MAX && cmd.reply.partition >= -1 &&
           cmd.expiry_ms >= 0);
    assert(cmd.reply.topic.p || !cmd.reply.correlation.p);
    envelope_fingerprint(&cmd, hex);
    if (error != ENVELOPE_OK)
        return;
    envelope_encode_command(&cmd, &headers);
    assert(!headers.overflow);
    const struct record again = {.topic = rec->topic,
                                 .key = cmd.key,
                                 .value = cmd.body,
                                 .headers = headers.list,
                                 .header_count = headers.count};
    error = envelope_decode_command(&again, &back);
    assert(error == ENVELOPE_OK);
    assert(slice_equal(cmd.type, back.type) && slice_equal(cmd.id, back.id) &&
           cmd.expiry_ms == back.expiry_ms);
    assert(slice_equal(cmd.reply.topic, back.reply.topic) &&
           slice_equal(cmd.reply.correlation, back.reply.correlation));
    assert(slice_equal(cmd.traceparent, back.traceparent) && slice_equal(cmd.if_match, back.if_match));
    assert(cmd.auth_id.len <= ENVELOPE_AUTH_ID_MAX && slice_equal(cmd.auth_id, back.auth_id) &&
           slice_equal(cmd.auth_type, back.auth_type));
    /* A partition above 800 million may have four digits for its four bytes; no cluster has such. */
    assert(cmd.reply.partition == back.reply.partition || cmd.reply.partition > 800000000);
}

static void check_reply(const struct record *rec)
{
    struct reply reply, back;
    struct headers headers;
    if (envelope_decode_reply(rec, &reply) != ENVELOPE_OK)
        return;
    assert(reply.status >= 100 && reply.status <= 599);
    envelope_encode_reply(&reply, &headers);
    if (headers.overflow) /* a foreign reply may name a command whose id we would never have taken */
        return;
    const struct record again = {.value = reply.body, .headers = headers.list, .header_count = headers.count};
    enum envelope_error error = envelope_decode_reply(&again, &back);
    assert(error == ENVELOPE_OK);
    assert(reply.status == back.status && reply.replayed == back.replayed &&
           slice_equal(reply.type, back.type));
    assert(slice_equal(reply.correlation, back.correlation) &&
           slice_equal(reply.command_id, back.command_id));
}

static void check_result(struct slice text)
{
    struct result result, back;
    char again[RESULT_TEXT_MAX], name[RESULT_PART_SIZE];
    if (!result_read(text, &result))
        return;
    assert(result_parts(&result) >= 1 && result_parts(&result) <= RESULT_PARTS_MAX);
    size_t len = result_write(&result, again);
    bool good = result_read(slice_make(again, len), &back);
    assert(good && back.bytes == result.bytes && back.hash == result.hash && slice_equal(back.parts_id, result.parts_id));
    assert(slice_equal(back.media_type, result.media_type) && back.at == result.at && back.part_bytes == result.part_bytes);
    if (result.parts_id.p)
        assert(result_part_name(result.parts_id, result_parts(&result) - 1, name) < RESULT_PART_SIZE);
}

static void check_event(const struct record *rec)
{
    struct event ev, back;
    struct headers headers;
    if (envelope_decode_event(rec, &ev) != ENVELOPE_OK)
        return;
    assert(!ev.exists || ev.version > 0);
    envelope_encode_event(&ev, &headers);
    assert(!headers.overflow);
    const struct record again = {.value = ev.state, .headers = headers.list, .header_count = headers.count};
    enum envelope_error error = envelope_decode_event(&again, &back);
    assert(error == ENVELOPE_OK);
    assert(ev.status == back.status && ev.version == back.version && ev.exists == back.exists);
    assert(ev.binding == back.binding && ev.command_partition == back.command_partition);
    assert(ev.command_offset == back.command_offset && slice_equal(ev.command_id, back.command_id));
    assert(slice_equal(ev.result, back.result) && slice_equal(ev.auth_id, back.auth_id));
    check_result(ev.result);
    assert(slice_equal(ev.reply_body, back.reply_body) && slice_equal(ev.fingerprint, back.fingerprint));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct header list[RECORD_HEADERS_MAX];
    char *owned[RECORD_HEADERS_MAX];
    struct record rec = {.topic = "t", .headers = list};
    size_t used = 0;
    while (size > 0 && used < RECORD_HEADERS_MAX) {
        uint8_t kind = *data++;
        size--;
        struct slice bytes = take(&data, &size, &owned[used++]);
        if (kind == 0)
            rec.key = bytes;
        else if (kind == 1)
            rec.value = bytes;
        else if (kind == 2)
            list[rec.header_count++] = (struct header){"ce_", bytes};
        else /* the upper half of the kinds are headers whose value is null */
            list[rec.header_count++] = (struct header){names[kind % NAMES], kind < 240 ? bytes : SLICE_NONE};
    }
    check_command(&rec);
    check_reply(&rec);
    check_event(&rec);
    assert(envelope_claim_of(&rec).len <= 64);
    assert(envelope_part_of(rec.key).len < RESULT_PART_SIZE);
    assert(envelope_id_time_ms(rec.key) >= 0);
    check_result(rec.value);
    for (size_t i = 0; i < used; i++)
        free(owned[i]);
    return 0;
}
