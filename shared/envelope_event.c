/* SPDX-License-Identifier: Apache-2.0 */
/* Events: the entity after one command and that command's outcome; the log of them is the truth. */
#include "envelope.h"

#include "clock.h"
#include "envelope_fields.h"
#include "result.h"

struct event_wire {
    struct event ev;
    struct slice specversion, source, content_type, status, version, deleted, binding, partition, offset;
};

static const struct field event_fields[] = {
    FIELD("ce_id", event_wire, ev.command_id),
    FIELD("ce_type", event_wire, ev.type),
    FIELD("ce_specversion", event_wire, specversion),
    FIELD("ce_source", event_wire, source),
    FIELD("ce_time", event_wire, ev.time),
    FIELD("content-type", event_wire, content_type),
    FIELD("ce_fingerprint", event_wire, ev.fingerprint),
    FIELD("ce_claim", event_wire, ev.claim),
    FIELD("ce_version", event_wire, version),
    FIELD("ce_deleted", event_wire, deleted),
    FIELD(":status", event_wire, status),
    FIELD("ce_commandpartition", event_wire, partition),
    FIELD("ce_commandoffset", event_wire, offset),
    FIELD("ce_binding", event_wire, binding),
    FIELD("ce_deadletter", event_wire, ev.dead_class),
    FIELD("reply-body", event_wire, ev.reply_body),
    FIELD("reply-content-type", event_wire, ev.content_type),
    FIELD("reply-location", event_wire, ev.location),
    FIELD("reply-retry-after", event_wire, ev.retry_after),
    FIELD("reply-result", event_wire, ev.result),
    FIELD("ce_authtype", event_wire, ev.auth_type),
    FIELD("ce_authid", event_wire, ev.auth_id),
    FIELD("traceparent", event_wire, ev.traceparent),
    FIELD("tracestate", event_wire, ev.tracestate),
};
#define EVENT_FIELDS (sizeof(event_fields) / sizeof(event_fields[0]))

/* A number that is -1 when its header is absent. */
static bool read_position(struct slice text, int64_t max, int64_t *ret_value)
{
    *ret_value = -1;
    return !text.p || fields_read_int(text, 0, max, ret_value);
}

static struct slice keep_position(struct headers *headers, int64_t value)
{
    return value < 0 ? SLICE_NONE : fields_keep_int(headers, value);
}

static bool read_numbers(struct event_wire *wire)
{
    struct event *ev = &wire->ev;
    int64_t status, partition;
    if (!fields_read_int(wire->status, 100, 599, &status) ||
        !fields_read_int(wire->version, 0, INT64_MAX, &ev->version) ||
        !read_position(wire->partition, INT32_MAX, &partition) ||
        !read_position(wire->offset, INT64_MAX, &ev->command_offset))
        return false;
    ev->status = (int)status;
    ev->command_partition = (int32_t)partition;
    return true;
}

enum envelope_error envelope_decode_event(const struct record *rec, struct event *ret_event)
{
    struct event_wire wire = {.ev = {.state = rec->value, .binding = true}};
    struct event *ev = &wire.ev;
    bool deleted = false;
    if (!rec->value.p) /* a tombstone */
        return ENVELOPE_BAD_EVENT;
    fields_read(rec, event_fields, EVENT_FIELDS, &wire);
    if (ev->type.len == 0 || ev->claim.len == 0 || !read_numbers(&wire) ||
        !fields_read_bool(wire.deleted, &deleted) || !fields_read_bool(wire.binding, &ev->binding))
        return ENVELOPE_BAD_EVENT;
    ev->exists = ev->version > 0 && !deleted; /* version 0: it never was */
    fields_limit_trace(&ev->traceparent, &ev->tracestate);
    *ret_event = *ev;
    return ENVELOPE_OK;
}

int64_t envelope_claim_position(const struct record *rec)
{
    int64_t position;
    struct slice text = record_header(rec, ENVELOPE_CLAIM_POSITION);
    return text.p && fields_read_int(text, 0, INT64_MAX, &position) ? position : -1;
}

/* What follows the prefix; absent when it does not begin with it or ends there. */
static struct slice after(struct slice key, struct slice prefix)
{
    if (key.len <= prefix.len || memcmp(key.p, prefix.p, prefix.len) != 0)
        return SLICE_NONE;
    return slice_make(key.p + prefix.len, key.len - prefix.len);
}

struct slice envelope_attempts_of(struct slice key)
{
    return after(key, SLICE(ENVELOPE_ATTEMPTS_KEY_PREFIX));
}

struct slice envelope_part_of(struct slice key)
{
    struct slice name = after(key, SLICE(ENVELOPE_PART_KEY_PREFIX));
    return name.len < RESULT_PART_SIZE ? name : SLICE_NONE;
}

bool envelope_decode_part(const struct record *rec, struct slice *ret_name)
{
    struct slice name = envelope_part_of(rec->key);
    if (!rec->value.p || !name.p)
        return false;
    *ret_name = name;
    return true;
}

void envelope_encode_part(struct slice writer, struct slice media_type, struct slice time, struct headers *ret_headers)
{
    headers_init(ret_headers);
    headers_add(ret_headers, "ce_specversion", SLICE("1.0"));
    headers_add(ret_headers, "ce_type", SLICE("roundtrip.part"));
    headers_add(ret_headers, "ce_source", SLICE("roundtrip"));
    headers_add(ret_headers, "ce_time", time);
    headers_add(ret_headers, "content-type", media_type);
    headers_add(ret_headers, "ce_claim", writer);
}

bool envelope_decode_tombstone(const struct record *rec, struct tombstone *ret_tombstone)
{
    if (rec->value.p)
        return false;
    *ret_tombstone = (struct tombstone){.writer = record_header(rec, "ce_claim"),
                                        .claim_id = after(rec->key, SLICE(ENVELOPE_CLAIM_KEY_PREFIX)),
                                        .attempts_of = envelope_attempts_of(rec->key),
                                        .part = envelope_part_of(rec->key)};
    return true;
}

bool envelope_decode_attempts(const struct record *rec, struct attempts *ret_attempts)
{
    int64_t count, crashes, beside = 0;
    struct slice others = record_header(rec, "beside");
    struct attempts read = {.command_id = envelope_attempts_of(rec->key),
                            .writer = record_header(rec, "ce_claim")};
    if (!rec->value.p || !read.command_id.p || !read.writer.p ||
        !fields_read_int(record_header(rec, "attempts"), 0, INT32_MAX, &count) ||
        !fields_read_int(record_header(rec, "crashes"), 0, INT32_MAX, &crashes) ||
        (others.p && !fields_read_int(others, 0, INT32_MAX, &beside)) ||
        !clock_parse_rfc3339(record_header(rec, "ce_time"), &read.first_ms))
        return false;
    read.count = (int)count;
    read.crashes = (int)crashes;
    read.beside = (int)beside;
    *ret_attempts = read;
    return true;
}

void envelope_encode_attempts(const struct attempts *attempts, struct headers *ret_headers)
{
    char time[CLOCK_RFC3339_SIZE];
    int len = clock_format_rfc3339(attempts->first_ms, time);
    headers_init(ret_headers);
    headers_add(ret_headers, "ce_specversion", SLICE("1.0"));
    headers_add(ret_headers, "ce_type", SLICE("roundtrip.attempted"));
    headers_add(ret_headers, "ce_source", SLICE("roundtrip"));
    headers_add(ret_headers, "content-type", SLICE("application/json"));
    headers_add_copy(ret_headers, "ce_time", slice_make(time, (size_t)len));
    headers_add_int(ret_headers, "attempts", attempts->count);
    headers_add_int(ret_headers, "crashes", attempts->crashes);
    headers_add_int(ret_headers, "beside", attempts->beside);
    headers_add(ret_headers, "ce_claim", attempts->writer);
}

bool envelope_decode_left(const struct record *rec, struct slice *ret_writer)
{
    struct slice writer = record_header(rec, "ce_claim");
    if (!rec->value.p || !writer.p || !slice_is(rec->key, ENVELOPE_LEFT_KEY))
        return false;
    *ret_writer = writer;
    return true;
}

void envelope_encode_left(struct slice writer, struct headers *ret_headers)
{
    headers_init(ret_headers);
    headers_add(ret_headers, "ce_specversion", SLICE("1.0"));
    headers_add(ret_headers, "ce_type", SLICE("roundtrip.left"));
    headers_add(ret_headers, "ce_source", SLICE("roundtrip"));
    headers_add(ret_headers, "content-type", SLICE("application/json"));
    headers_add(ret_headers, "ce_claim", writer);
}

void envelope_encode_tombstone(struct slice writer, struct slice time, struct headers *ret_headers)
{
    headers_init(ret_headers);
    headers_add(ret_headers, "ce_specversion", SLICE("1.0"));
    headers_add(ret_headers, "ce_type", SLICE("roundtrip.removed"));
    headers_add(ret_headers, "ce_source", SLICE("roundtrip"));
    headers_add(ret_headers, "ce_time", time);
    headers_add(ret_headers, "ce_claim", writer);
}

void envelope_encode_event(const struct event *event, struct headers *ret_headers)
{
    headers_init(ret_headers);
    struct event_wire wire = {
        .ev = *event,
        .specversion = SLICE("1.0"),
        .source = SLICE("roundtrip"),
        .status = fields_keep_int(ret_headers, event->status),
        .version = fields_keep_int(ret_headers, event->version),
        .partition = keep_position(ret_headers, event->command_partition),
        .offset = keep_position(ret_headers, event->command_offset),
    };
    if (event->exists)
        wire.content_type = SLICE("application/json"); /* of the value, which is the state */
    if (!event->exists && event->version > 0)
        wire.deleted = SLICE("true");
    if (!event->binding)
        wire.binding = SLICE("false");
    fields_write(event_fields, EVENT_FIELDS, &wire, ret_headers);
}
