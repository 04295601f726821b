/* SPDX-License-Identifier: Apache-2.0 */
/* Building the records a worker writes. */
#include "worker/letters.h"

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "worker/etag.h"

#define DEAD_PREFIX "__dlq.errors."

struct slice letters_event_type(const struct work *work)
{
    return work->decision.effect == EFFECT_NONE || !work->op->event_type ? work->cmd.type : slice_of(work->op->event_type);
}

void letters_event(struct work *work, struct headers *ret_headers, struct record *ret_rec)
{
    struct partition *p = work->partition;
    int time_len = clock_format_rfc3339(work->event_time_ms, work->event_time);
    bool repair = work->msg == NULL;
    bool body_is_state = work->exists && slice_equal(work->answer.body, work->state);
    struct event event = {
        .type = repair ? SLICE(LETTERS_REPAIR) : letters_event_type(work),
        .command_id = work->cmd.id,
        .fingerprint = slice_make(work->fingerprint, repair ? 0 : sizeof(work->fingerprint)),
        .status = work->answer.status,
        .command_partition = repair ? -1 : work->msg->rec.partition,
        .command_offset = repair ? -1 : work->msg->rec.offset,
        .claim = slice_make(p->writer.claim.id, p->writer.claim.len),
        .version = work->version,
        .exists = work->exists,
        .binding = work->binding,
        .dead_class = slice_of(work->bury),
        .state = work->state,
        .reply_body = body_is_state ? SLICE_NONE : work->answer.body,
        .content_type = work->answer.content_type,
        .result = work->result_len ? slice_make(work->result_text, work->result_len) : SLICE_NONE,
        .auth_type = work->cmd.auth_type,
        .auth_id = work->cmd.auth_id,
        .time = slice_make(work->event_time, (size_t)time_len),
        .traceparent = work->cmd.traceparent,
        .tracestate = work->cmd.tracestate,
    };
    headers_init(ret_headers);
    envelope_encode_event(&event, ret_headers);
    *ret_rec = (struct record){.topic = p->worker->events_topic,
                               .partition = p->number,
                               .key = work->key,
                               .value = work->exists ? work->state : SLICE("")};
}

void letters_removal(struct work *work, struct headers *ret_headers, struct record *ret_rec)
{
    struct partition *p = work->partition;
    int time_len = clock_format_rfc3339(work->event_time_ms, work->event_time);
    envelope_encode_tombstone(slice_make(p->writer.claim.id, p->writer.claim.len),
                              slice_make(work->event_time, (size_t)time_len), ret_headers);
    *ret_rec = (struct record){
        .topic = p->worker->events_topic, .partition = p->number, .key = work->key, .value = SLICE_NONE};
}

void letters_attempts(struct work *work, struct headers *ret_headers, struct record *ret_rec)
{
    struct partition *p = work->partition;
    const struct attempts attempts = {.count = work->attempts,
                                      .crashes = work->crashes,
                                      .beside = work->beside,
                                      .first_ms = work->first_attempt_ms,
                                      .writer = slice_make(p->writer.claim.id, p->writer.claim.len)};
    envelope_encode_attempts(&attempts, ret_headers);
    *ret_rec = (struct record){
        .topic = p->worker->events_topic, .partition = p->number, .key = work->key, .value = work->state};
}

void letters_part(struct work *work, struct headers *ret_headers, struct record *ret_rec)
{
    struct partition *p = work->partition;
    int time_len = clock_format_rfc3339(work->event_time_ms, work->event_time);
    envelope_encode_part(slice_make(p->writer.claim.id, p->writer.claim.len), slice_of(work->part_type),
                         slice_make(work->event_time, (size_t)time_len), ret_headers);
    *ret_rec = (struct record){
        .topic = p->worker->events_topic, .partition = p->number, .key = work->key, .value = work->state};
}

void letters_left(struct work *work, struct headers *ret_headers, struct record *ret_rec)
{
    struct partition *p = work->partition;
    envelope_encode_left(slice_make(p->writer.claim.id, p->writer.claim.len), ret_headers);
    *ret_rec = (struct record){
        .topic = p->worker->events_topic, .partition = p->number, .key = work->key, .value = SLICE("{}")};
}

void letters_claim(struct work *work, struct slice id, struct headers *ret_headers, struct record *ret_rec)
{
    struct partition *p = work->partition;
    int len = snprintf(work->id, sizeof(work->id), ENVELOPE_CLAIM_KEY_PREFIX "%.*s", SLICE_ARG(id));
    headers_init(ret_headers);
    headers_add(ret_headers, "ce_specversion", SLICE("1.0"));
    headers_add(ret_headers, "ce_type", SLICE("roundtrip.claimed"));
    headers_add(ret_headers, "ce_id", id);
    headers_add(ret_headers, "ce_source", slice_of(p->worker->instance));
    headers_add_int(ret_headers, ENVELOPE_CLAIM_POSITION, p->position < 0 ? 0 : p->position);
    if (p->held.len > 0)
        headers_add(ret_headers, ENVELOPE_CLAIM_AFTER, slice_make(p->held.id, p->held.len));
    work->key = slice_make(work->id, (size_t)len);
    *ret_rec = (struct record){
        .topic = p->worker->events_topic, .partition = p->number, .key = work->key, .value = SLICE("{}")};
}

bool letters_topic_allowed(const char *allowed, struct slice topic)
{
    while (*(allowed += strspn(allowed, " "))) { /* "a, b" is how people write lists */
        size_t len = strcspn(allowed, ", ");
        bool prefix = len > 0 && allowed[len - 1] == '*';
        size_t fixed = prefix ? len - 1 : len;
        if (fixed > 0 && topic.len >= fixed && (prefix || topic.len == fixed) && memcmp(topic.p, allowed, fixed) == 0)
            return true;
        allowed += len;
        allowed += strspn(allowed, ", ");
    }
    return false;
}

bool letters_reply(struct work *work, const char *allowed, struct headers *ret_headers, struct record *ret_rec)
{
    static _Thread_local char topic[250]; /* the producer wants a C string; Kafka's limit is 249 */
    const struct reply_address *address = &work->cmd.reply;
    if (!work->msg || !address->topic.p || address->topic.len >= sizeof(topic) ||
        !letters_topic_allowed(allowed, address->topic))
        return false;
    struct slice tag = work->answer.tag;
    if (work->answer.version > 0)
        tag = slice_make(work->etag, (size_t)etag_write(work->answer.version, work->etag));
    struct reply reply = {
        .correlation = address->correlation,
        .command_id = work->cmd.id,
        .type = work->cmd.type,
        .status = work->answer.status,
        .etag = tag,
        .content_type = work->answer.content_type,
        .retry_after = work->answer.retry_after,
        .replayed = work->answer.replayed,
        .worked_us = work->answer.replayed ? 0 : (work->worked_ns + 999) / 1000,
        .traceparent = work->cmd.traceparent,
        .tracestate = work->cmd.tracestate,
        .result_bytes = work->answer.result_bytes,
        .result_parts = work->answer.result_parts,
        .body = work->answer.body.p ? work->answer.body : SLICE(""),
    };
    headers_init(ret_headers);
    envelope_encode_reply(&reply, ret_headers);
    snprintf(topic, sizeof(topic), "%.*s", SLICE_ARG(address->topic));
    *ret_rec = (struct record){.topic = topic,
                               .partition = address->partition,
                               .key = address->correlation,
                               .value = reply.body};
    return true;
}

/* A header whose value is null goes on as an empty one: lists drop absent values. */
static void copy_header(const struct header *header, struct headers *headers)
{
    headers_add(headers, header->name, header->value.p ? header->value : SLICE(""));
}

void letters_forward(struct work *work, int32_t to, struct headers *ret_headers, struct record *ret_rec)
{
    const struct record *rec = &work->msg->rec;
    headers_init(ret_headers);
    for (size_t i = 0; i < rec->header_count; i++)
        copy_header(&rec->headers[i], ret_headers);
    if (!record_header(rec, "ce_id").p)
        headers_add(ret_headers, "ce_id", work->cmd.id);
    *ret_rec = (struct record){
        .topic = work->partition->worker->commands_topic, .partition = to, .key = rec->key, .value = rec->value};
}

static void add_origin(struct headers *headers, const struct record *rec, const char *group)
{
    headers_add(headers, DEAD_PREFIX "topic", slice_of(rec->topic));
    headers_add_int(headers, DEAD_PREFIX "partition", rec->partition);
    headers_add_int(headers, DEAD_PREFIX "offset", rec->offset);
    headers_add(headers, DEAD_PREFIX "group", slice_of(group));
}

/* What a dead letter says anew each time. */
static bool replaced(const char *name)
{
    return strcmp(name, DEAD_PREFIX "delivery.count") == 0 || strcmp(name, DEAD_PREFIX "message") == 0 ||
           strcmp(name, DEAD_PREFIX "class") == 0 || strcmp(name, LETTERS_OMITTED) == 0;
}

void letters_dead(struct work *work, const char *group, const char *topic, struct slice reason,
                  struct headers *ret_headers, struct record *ret_rec)
{
    const struct record *rec = &work->msg->rec;
    struct slice count = record_header(rec, DEAD_PREFIX "delivery.count");
    long deliveries = 0;
    if (count.p && count.len < 10) {
        char text[10] = {0};
        memcpy(text, count.p, count.len);
        deliveries = strtol(text, NULL, 10);
    }
    headers_init(ret_headers); /* ours first: a reader may not get to the end of very many */
    if (!record_header(rec, DEAD_PREFIX "topic").p)
        add_origin(ret_headers, rec, group);
    headers_add_int(ret_headers, DEAD_PREFIX "delivery.count", deliveries + 1);
    headers_add(ret_headers, DEAD_PREFIX "message", reason);
    headers_add(ret_headers, DEAD_PREFIX "class", slice_of(work->dead_class ? work->dead_class : "poison"));
    if (!record_header(rec, "ce_id").p)
        headers_add(ret_headers, "ce_id", work->cmd.id);
    for (size_t i = 0; i < rec->header_count; i++) {
        if (!replaced(rec->headers[i].name))
            copy_header(&rec->headers[i], ret_headers);
    }
    *ret_rec = (struct record){.topic = topic, .partition = -1, .key = rec->key, .value = rec->value};
}

void letters_dead_bare(struct work *work, const char *group, const char *topic, struct slice reason,
                       struct headers *ret_headers, struct record *ret_rec)
{
    const struct record *rec = &work->msg->rec;
    headers_init(ret_headers);
    add_origin(ret_headers, rec, group);
    headers_add_int(ret_headers, DEAD_PREFIX "delivery.count", 1);
    headers_add(ret_headers, DEAD_PREFIX "message", reason);
    headers_add(ret_headers, DEAD_PREFIX "class", slice_of(work->dead_class ? work->dead_class : "poison"));
    headers_add(ret_headers, LETTERS_OMITTED, SLICE("all"));
    *ret_rec = (struct record){.topic = topic, .partition = -1};
}

void letters_breaker(const struct work *work, const struct breaker *breaker, int64_t now_ns, int64_t now_ms, struct buf *key,
                     struct buf *value, struct headers *ret_headers, struct record *ret_rec)
{
    const struct worker *worker = work->partition->worker;
    char at[CLOCK_RFC3339_SIZE], until[CLOCK_RFC3339_SIZE];
    bool closed = breaker->phase == BREAKER_CLOSED;
    clock_format_rfc3339(now_ms, at);
    clock_format_rfc3339(closed ? now_ms : now_ms + (breaker->until_ns - now_ns) / CLOCK_NS_PER_MS, until);
    buf_printf(key, "breaker/%s/%s/%s", worker->service->name, worker->instance, work->op->type);
    buf_printf(value, "{\"phase\":\"%s\",\"at\":\"%s\",\"until\":\"%s\",\"reason\":", closed ? "closed" : "open", at, until);
    buf_append_json(value, closed ? SLICE("") : buf_slice(&work->reason));
    buf_append_text(value, "}");
    headers_init(ret_headers);
    *ret_rec = (struct record){
        .topic = worker->control_topic, .partition = 0, .key = buf_slice(key), .value = buf_slice(value)};
}
