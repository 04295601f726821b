/* SPDX-License-Identifier: Apache-2.0 */
/* Replies: one command's answer, addressed by the correlation id its sender chose. */
#include "envelope.h"

#include "envelope_fields.h"
#include "result.h"

/* A reply is a CloudEvent of its own, named after the command it answers: the same for every delivery of that
 * command. */
#define REPLY_SUFFIX SLICE(".reply")

struct reply_wire {
    struct reply reply;
    struct slice type, id, specversion, source, causation, status, replayed, timing, result_bytes, result_parts;
};

static const struct field reply_fields[] = {
    FIELD("kafka_correlationId", reply_wire, reply.correlation),
    FIELD(":status", reply_wire, status),
    FIELD("ce_specversion", reply_wire, specversion),
    FIELD("ce_type", reply_wire, type),
    FIELD("ce_source", reply_wire, source),
    FIELD("ce_id", reply_wire, id),
    FIELD("ce_correlationid", reply_wire, reply.command_id),
    FIELD("ce_causationid", reply_wire, causation),
    FIELD("content-type", reply_wire, reply.content_type),
    FIELD("etag", reply_wire, reply.etag),
    FIELD("location", reply_wire, reply.location),
    FIELD("retry-after", reply_wire, reply.retry_after),
    FIELD("ce_replayed", reply_wire, replayed),
    FIELD("server-timing", reply_wire, timing),
    FIELD("result-bytes", reply_wire, result_bytes),
    FIELD("result-parts", reply_wire, result_parts),
    FIELD("traceparent", reply_wire, reply.traceparent),
    FIELD("tracestate", reply_wire, reply.tracestate),
};
#define REPLY_FIELDS (sizeof(reply_fields) / sizeof(reply_fields[0]))

/* The command's type; a foreign service may name its reply's type as it likes. */
static struct slice strip_suffix(struct slice type)
{
    size_t n = REPLY_SUFFIX.len;
    if (type.p && type.len >= n && memcmp(type.p + type.len - n, REPLY_SUFFIX.p, n) == 0)
        type.len -= n;
    return type;
}

enum envelope_error envelope_decode_reply(const struct record *rec, struct reply *ret_reply)
{
    struct reply_wire wire = {.reply = {.body = rec->value}};
    struct reply *reply = &wire.reply;
    int64_t status;
    fields_read(rec, reply_fields, REPLY_FIELDS, &wire);
    if (!fields_read_int(wire.status, 100, 599, &status) ||
        !fields_read_bool(wire.replayed, &reply->replayed))
        return ENVELOPE_BAD_REPLY;
    reply->status = (int)status;
    if (!fields_read_int(wire.result_bytes, 0, RESULT_BYTES_MAX, &reply->result_bytes) ||
        !fields_read_int(wire.result_parts, 1, RESULT_PARTS_MAX, &reply->result_parts)) {
        reply->result_bytes = -1;
        reply->result_parts = 0;
    }
    reply->worked_us = envelope_read_timing(wire.timing);
    reply->type = strip_suffix(wire.type);
    fields_limit_trace(&reply->traceparent, &reply->tracestate);
    *ret_reply = *reply;
    return ENVELOPE_OK;
}

void envelope_encode_reply(const struct reply *reply, struct headers *ret_headers)
{
    headers_init(ret_headers);
    struct reply_wire wire = {
        .reply = *reply,
        .specversion = SLICE("1.0"),
        .source = SLICE("roundtrip"),
        .causation = reply->command_id,
        .status = fields_keep_int(ret_headers, reply->status),
    };
    if (reply->type.p)
        wire.type = fields_keep(ret_headers, reply->type, REPLY_SUFFIX);
    if (reply->command_id.p)
        wire.id = fields_keep(ret_headers, reply->command_id, REPLY_SUFFIX);
    if (reply->replayed)
        wire.replayed = SLICE("true");
    char timing[ENVELOPE_TIMING_SIZE];
    if (reply->worked_us > 0)
        wire.timing = fields_keep(ret_headers, slice_make(timing, envelope_write_timing(reply->worked_us, timing)), SLICE_NONE);
    if (reply->result_parts > 0) {
        wire.result_bytes = fields_keep_int(ret_headers, reply->result_bytes);
        wire.result_parts = fields_keep_int(ret_headers, reply->result_parts);
    }
    fields_write(reply_fields, REPLY_FIELDS, &wire, ret_headers);
}
