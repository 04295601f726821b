/* SPDX-License-Identifier: Apache-2.0 */
/* Commands: what a caller may ask, read with suspicion. */
#include "envelope.h"

#include "clock.h"
#include "envelope_fields.h"
#include "utf8.h"

#define TOPIC_NAME_MAX 249 /* Kafka's */
/* The last moment RFC 3339 can write, 9999-12-31T23:59:59.999Z; a later deadline is none that anyone waits
 * for. */
#define EXPIRY_MAX_MS INT64_C(253402300799999)

struct command_wire {
    struct command cmd;
    struct slice specversion, expiry, reply_partition;
};

static const struct field command_fields[] = {
    FIELD("ce_type", command_wire, cmd.type),
    FIELD("ce_id", command_wire, cmd.id),
    FIELD("ce_specversion", command_wire, specversion),
    FIELD("ce_source", command_wire, cmd.source),
    FIELD("ce_time", command_wire, cmd.time),
    FIELD("ce_subject", command_wire, cmd.subject),
    FIELD("content-type", command_wire, cmd.content_type),
    FIELD("ce_expirytime", command_wire, expiry),
    FIELD("idempotency-key", command_wire, cmd.idempotency_key),
    FIELD("traceparent", command_wire, cmd.traceparent),
    FIELD("tracestate", command_wire, cmd.tracestate),
    FIELD("if-match", command_wire, cmd.if_match),
    FIELD("ce_authtype", command_wire, cmd.auth_type),
    FIELD("ce_authid", command_wire, cmd.auth_id),
    FIELD("kafka_replyTopic", command_wire, cmd.reply.topic),
    FIELD("kafka_replyPartition", command_wire, reply_partition),
    FIELD("kafka_correlationId", command_wire, cmd.reply.correlation),
};
#define COMMAND_FIELDS (sizeof(command_fields) / sizeof(command_fields[0]))

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* ^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+$ */
static bool type_is_good(struct slice type)
{
    bool at_start = true;
    size_t dots = 0;
    if (type.len > ENVELOPE_TYPE_MAX)
        return false;
    for (size_t i = 0; i < type.len; i++) {
        char c = type.p[i];
        if (is_lower(c) || (!at_start && (is_digit(c) || c == '-'))) {
            at_start = false;
        } else if (c == '.' && !at_start) {
            at_start = true;
            dots++;
        } else {
            return false;
        }
    }
    return dots > 0 && !at_start;
}

static bool id_is_good(struct slice id)
{
    return id.len >= 1 && id.len <= ENVELOPE_ID_MAX && utf8_is_text(id);
}

/* A command's key becomes its events' key, so it must not look like one of ours. */
static bool key_is_good(struct slice key)
{
    return key.len >= 1 && key.len <= ENVELOPE_KEY_MAX && !envelope_key_reserved(key);
}

static bool read_expiry(struct slice text, int64_t *ret_ms)
{
    if (!clock_parse_rfc3339(text, ret_ms))
        return false;
    if (*ret_ms < 1)
        *ret_ms = 1; /* long ago; 0 would mean none */
    return true;
}

static bool topic_is_good(struct slice topic)
{
    if (topic.len < 1 || topic.len > TOPIC_NAME_MAX || slice_is(topic, ".") || slice_is(topic, ".."))
        return false;
    for (size_t i = 0; i < topic.len; i++) {
        char c = topic.p[i];
        if (!is_lower(c) && !is_digit(c) && !(c >= 'A' && c <= 'Z') && c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}

/*
 * Four bytes are Spring's big-endian integer, anything else is decimal text; but four ASCII digits are text,
 * too: as an integer they would be a partition above 800 million. -1 means any partition, in both spellings;
 * less is malformed.
 */
static bool read_partition(struct slice bytes, int32_t *ret_partition)
{
    int64_t value;
    bool digits = true;
    for (size_t i = 0; i < bytes.len && digits; i++)
        digits = is_digit(bytes.p[i]);
    if (bytes.len == 4 && !digits) {
        const unsigned char *b = (const unsigned char *)bytes.p;
        value = (int32_t)((uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3]);
    } else if (!fields_read_int(bytes, -1, INT32_MAX, &value)) {
        return false;
    }
    if (value < -1)
        return false;
    *ret_partition = (int32_t)value;
    return true;
}

static struct slice keep_partition(struct headers *headers, int32_t partition)
{
    if (partition < 0)
        return SLICE_NONE;
    uint32_t p = (uint32_t)partition;
    char bytes[4] = {(char)(p >> 24), (char)(p >> 16), (char)(p >> 8), (char)p};
    return fields_keep(headers, slice_make(bytes, sizeof(bytes)), SLICE_NONE);
}

/* Leaves an address that can be used, if only in part, and says whether it was all right. */
static bool settle_address(struct reply_address *address, struct slice partition)
{
    address->partition = -1;
    if (!address->topic.p) {
        address->correlation = SLICE_NONE;
        return true;
    }
    if (!topic_is_good(address->topic) || address->correlation.len > ENVELOPE_CORRELATION_MAX) {
        *address = (struct reply_address){.partition = -1};
        return false;
    }
    return !partition.p || read_partition(partition, &address->partition);
}

/* A principal that is not one is nobody: half of a name could be another's. */
static void settle_principal(struct command *cmd)
{
    bool good = cmd->auth_id.len >= 1 && cmd->auth_id.len <= ENVELOPE_AUTH_ID_MAX && utf8_is_text(cmd->auth_id);
    if (!good)
        cmd->auth_id = SLICE_NONE;
    if (cmd->auth_type.len > ENVELOPE_TYPE_MAX || !utf8_is_text(cmd->auth_type))
        cmd->auth_type = SLICE_NONE;
}

/* What breaks a rule becomes absent, so that a caller may use the rest; the first broken rule is the error.
 */
static enum envelope_error settle_command(struct command_wire *wire)
{
    struct command *cmd = &wire->cmd;
    enum envelope_error error = ENVELOPE_OK;
    if (!settle_address(&cmd->reply, wire->reply_partition))
        error = ENVELOPE_BAD_REPLY;
    if (wire->expiry.p && !read_expiry(wire->expiry, &cmd->expiry_ms))
        error = ENVELOPE_BAD_EXPIRY;
    if (cmd->key.p && !key_is_good(cmd->key)) {
        cmd->key = SLICE_NONE;
        error = ENVELOPE_BAD_KEY;
    }
    if (cmd->id.p && !id_is_good(cmd->id)) {
        cmd->id = SLICE_NONE;
        error = ENVELOPE_BAD_ID;
    }
    if (wire->specversion.p && !slice_is(wire->specversion, "1.0"))
        error = ENVELOPE_BAD_SPECVERSION;
    if (!cmd->type.p) {
        error = ENVELOPE_NO_TYPE;
    } else if (!type_is_good(cmd->type)) {
        cmd->type = SLICE_NONE;
        error = ENVELOPE_BAD_TYPE;
    }
    settle_principal(cmd);
    fields_limit_trace(&cmd->traceparent, &cmd->tracestate);
    return error;
}

enum envelope_error envelope_decode_command(const struct record *rec, struct command *ret_cmd)
{
    struct command_wire wire = {.cmd = {.key = rec->key, .body = rec->value}};
    fields_read(rec, command_fields, COMMAND_FIELDS, &wire);
    enum envelope_error error = settle_command(&wire);
    *ret_cmd = wire.cmd;
    return rec->truncated ? ENVELOPE_TOO_MANY_HEADERS : error;
}

void envelope_encode_command(const struct command *cmd, struct headers *ret_headers)
{
    struct command_wire wire = {.cmd = *cmd, .specversion = SLICE("1.0")};
    headers_init(ret_headers);
    if (cmd->expiry_ms > 0) {
        char text[CLOCK_RFC3339_SIZE];
        int len = clock_format_rfc3339(cmd->expiry_ms < EXPIRY_MAX_MS ? cmd->expiry_ms : EXPIRY_MAX_MS, text);
        wire.expiry = fields_keep(ret_headers, slice_make(text, (size_t)len), SLICE_NONE);
    }
    if (cmd->reply.topic.p)
        wire.reply_partition = keep_partition(ret_headers, cmd->reply.partition);
    else
        wire.cmd.reply.correlation = SLICE_NONE;
    fields_write(command_fields, COMMAND_FIELDS, &wire, ret_headers);
}

bool envelope_decode_reply_address(const struct record *rec, struct reply_address *ret_address)
{
    ret_address->topic = record_header(rec, "kafka_replyTopic");
    ret_address->correlation = record_header(rec, "kafka_correlationId");
    return settle_address(ret_address, record_header(rec, "kafka_replyPartition"));
}
