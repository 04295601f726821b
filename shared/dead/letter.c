/* SPDX-License-Identifier: Apache-2.0 */
/* Reading dead letters, writing them as JSON, making commands of them again. */
#include "dead/letter.h"

#include <inttypes.h>
#include <stdio.h>

#include "clock.h"
#include "envelope_fields.h"
#include "utf8.h"

#define OWN_PREFIX     "__dlq."
#define ERRORS_PREFIX  OWN_PREFIX "errors."
#define JOB_HEADER     OWN_PREFIX "job"
#define OMITTED        ERRORS_PREFIX "omitted"
#define TOPIC_PREFIX   "dlq."
#define COMMANDS       ".commands"

/* ---- names ---- */

/* Takes "-<digits>" off the end. */
static bool take_number(struct slice *text, int64_t max, int64_t *ret_value)
{
    size_t i = text->len;
    while (i > 0 && text->p[i - 1] != '-')
        i--;
    if (i < 2 || !fields_read_int(slice_make(text->p + i, text->len - i), 0, max, ret_value))
        return false;
    text->len = i - 1;
    return true;
}

bool dead_id_parse(struct slice text, struct dead_id *ret_id)
{
    int64_t partition, offset;
    if (!text.p || !take_number(&text, INT64_MAX, &offset) || !take_number(&text, INT32_MAX, &partition) ||
        text.len == 0 || text.len >= sizeof(ret_id->service))
        return false;
    memset(ret_id, 0, sizeof(*ret_id));
    memcpy(ret_id->service, text.p, text.len);
    ret_id->partition = (int32_t)partition;
    ret_id->offset = offset;
    return true;
}

int dead_id_write(const struct dead_id *id, char ret_text[DEAD_ID_SIZE])
{
    return snprintf(ret_text, DEAD_ID_SIZE, "%.*s-%" PRId32 "-%" PRId64, DEAD_SERVICE_SIZE - 1, id->service, id->partition,
                    id->offset);
}

bool dead_topic_service(struct slice topic, char ret_service[DEAD_SERVICE_SIZE])
{
    const size_t before = sizeof(TOPIC_PREFIX) - 1, behind = sizeof(COMMANDS) - 1;
    if (topic.len <= before + behind || topic.len - before - behind >= DEAD_SERVICE_SIZE ||
        memcmp(topic.p, TOPIC_PREFIX, before) != 0 || memcmp(topic.p + topic.len - behind, COMMANDS, behind) != 0)
        return false;
    memset(ret_service, 0, DEAD_SERVICE_SIZE);
    memcpy(ret_service, topic.p + before, topic.len - before - behind);
    return true;
}

void dead_topic_of(const char *service, char ret_topic[DEAD_TOPIC_SIZE])
{
    snprintf(ret_topic, DEAD_TOPIC_SIZE, TOPIC_PREFIX "%.*s" COMMANDS, DEAD_SERVICE_SIZE - 1, service);
}

void dead_commands_topic_of(const char *service, char ret_topic[DEAD_TOPIC_SIZE])
{
    snprintf(ret_topic, DEAD_TOPIC_SIZE, "%.*s" COMMANDS, DEAD_SERVICE_SIZE - 1, service);
}

const char *dead_state_name(enum dead_state state)
{
    static const char *const names[] = {"open", "redriven", "discarded", "any"};
    return names[state];
}

/* ---- reading ---- */

static int64_t number(const struct record *rec, const char *name)
{
    int64_t value;
    return fields_read_int(record_header(rec, name), 0, INT64_MAX, &value) ? value : -1;
}

void dead_letter_read(const struct record *rec, const char *service, struct dead_letter *ret_letter)
{
    *ret_letter = (struct dead_letter){
        .id = {.partition = rec->partition, .offset = rec->offset},
        .rec = rec,
        .class = record_header(rec, ERRORS_PREFIX "class"),
        .reason = record_header(rec, ERRORS_PREFIX "message"),
        .type = record_header(rec, "ce_type"),
        .key = rec->key,
        .command_id = record_header(rec, "ce_id"),
        .died_ms = rec->timestamp_ms,
        .deliveries = number(rec, ERRORS_PREFIX "delivery.count"),
        .origin_topic = record_header(rec, ERRORS_PREFIX "topic"),
        .origin_partition = number(rec, ERRORS_PREFIX "partition"),
        .origin_offset = number(rec, ERRORS_PREFIX "offset"),
    };
    snprintf(ret_letter->id.service, sizeof(ret_letter->id.service), "%s", service);
}

bool dead_letter_is_bare(const struct dead_letter *letter)
{
    return record_header(letter->rec, OMITTED).p != NULL;
}

/* ---- as JSON ---- */

static void append_base64(struct buf *out, struct slice s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)s.p;
    for (size_t i = 0; i < s.len; i += 3) {
        size_t n = s.len - i < 3 ? s.len - i : 3;
        uint32_t bits = (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (n > 2 ? p[i + 2] : 0);
        char text[4] = {digits[bits >> 18], digits[bits >> 12 & 63], n > 1 ? digits[bits >> 6 & 63] : '=',
                        n > 2 ? digits[bits & 63] : '='};
        buf_append(out, text, sizeof(text));
    }
}

/* ,"name":"text" or ,"name_base64":"…" or ,"name":null */
static void append_bytes(struct buf *out, const char *name, struct slice value)
{
    bool text = !value.p || utf8_is_valid(value);
    buf_printf(out, ",\"%s%s\":", name, text ? "" : "_base64");
    if (!value.p) {
        buf_append_text(out, "null");
    } else if (text) {
        buf_append_json(out, value);
    } else {
        buf_append_text(out, "\"");
        append_base64(out, value);
        buf_append_text(out, "\"");
    }
}

static void append_time(struct buf *out, const char *name, int64_t wall_ms)
{
    char text[CLOCK_RFC3339_SIZE];
    if (wall_ms <= 0)
        return;
    clock_format_rfc3339(wall_ms, text);
    buf_printf(out, ",\"%s\":\"%s\"", name, text);
}

static void append_summary(struct buf *out, const struct dead_letter *letter, const struct dead_mark *mark)
{
    char id[DEAD_ID_SIZE];
    dead_id_write(&letter->id, id);
    buf_append_text(out, "{\"id\":");
    buf_append_json(out, slice_of(id));
    buf_printf(out, ",\"state\":\"%s\"", dead_state_name(mark ? mark->state : DEAD_OPEN));
    append_bytes(out, "service", slice_of(letter->id.service));
    append_bytes(out, "class", letter->class);
    append_bytes(out, "reason", letter->reason);
    append_bytes(out, "type", letter->type);
    append_bytes(out, "key", letter->key);
    append_bytes(out, "command_id", letter->command_id);
    append_time(out, "died_at", letter->died_ms);
    buf_printf(out, ",\"deliveries\":%" PRId64, letter->deliveries);
    buf_append_text(out, ",\"origin\":{\"partition\":");
    buf_printf(out, "%" PRId64 ",\"offset\":%" PRId64, letter->origin_partition, letter->origin_offset);
    append_bytes(out, "topic", letter->origin_topic);
    buf_append_text(out, "}");
    if (!mark)
        return;
    append_time(out, "marked_at", mark->at_ms);
    append_bytes(out, "job", slice_of(mark->job));
    if (mark->reason[0])
        append_bytes(out, "discard_reason", slice_of(mark->reason));
}

void dead_letter_write(struct buf *out, const struct dead_letter *letter, const struct dead_mark *mark)
{
    append_summary(out, letter, mark);
    buf_append_text(out, "}");
}

void dead_letter_write_whole(struct buf *out, const struct dead_letter *letter, const struct dead_mark *mark,
                             struct slice history)
{
    append_summary(out, letter, mark);
    buf_append_text(out, ",\"headers\":[");
    for (size_t i = 0; i < letter->rec->header_count; i++) {
        buf_append_text(out, i ? ",{\"name\":" : "{\"name\":");
        struct slice name = slice_of(letter->rec->headers[i].name);
        buf_append_json(out, utf8_is_valid(name) ? name : SLICE("(not UTF-8)"));
        append_bytes(out, "value", letter->rec->headers[i].value);
        buf_append_text(out, "}");
    }
    buf_append_text(out, "]");
    append_bytes(out, "body", letter->rec->value);
    buf_append_text(out, ",\"history\":");
    buf_append_slice(out, history);
    buf_append_text(out, "}");
}

/* ---- as a command again ---- */

/* Headers of the original that the new command must not have, or has with another value. */
static bool is_replaced(const char *name)
{
    return strcmp(name, "ce_expirytime") == 0 || strncmp(name, OWN_PREFIX, sizeof(OWN_PREFIX) - 1) == 0;
}

static bool is_kept_error(const char *name)
{
    return strncmp(name, ERRORS_PREFIX, sizeof(ERRORS_PREFIX) - 1) == 0 && strcmp(name, ERRORS_PREFIX "message") != 0 &&
           strcmp(name, ERRORS_PREFIX "class") != 0 && strcmp(name, OMITTED) != 0;
}

bool dead_letter_command(const struct dead_letter *letter, const struct record *original, const char *topic,
                         struct slice job, struct headers *ret_headers, struct record *ret_rec, const char **ret_why)
{
    headers_init(ret_headers);
    if (original->truncated || letter->rec->truncated) {
        *ret_why = "it has more headers than can be read: send it by hand";
        return false;
    }
    for (size_t i = 0; i < original->header_count; i++) {
        const struct header *header = &original->headers[i];
        if (!is_replaced(header->name))
            headers_add(ret_headers, header->name, header->value.p ? header->value : SLICE(""));
    }
    if (!record_header(original, "ce_id").p && letter->command_id.p)
        headers_add(ret_headers, "ce_id", letter->command_id);
    for (size_t i = 0; i < letter->rec->header_count; i++) {
        const struct header *header = &letter->rec->headers[i];
        if (is_kept_error(header->name))
            headers_add(ret_headers, header->name, header->value.p ? header->value : SLICE(""));
    }
    headers_add(ret_headers, JOB_HEADER, job);
    if (ret_headers->overflow) {
        *ret_why = "it has more headers than can be sent: send it by hand";
        return false;
    }
    /* without a key it was about a partition, and the same again */
    int32_t partition = original->key.p ? -1 : (int32_t)letter->origin_partition;
    *ret_rec = (struct record){
        .topic = topic, .partition = partition, .offset = -1, .key = original->key, .value = original->value};
    return true;
}
