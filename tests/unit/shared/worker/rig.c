/* SPDX-License-Identifier: Apache-2.0 */
/* The worker under test and the commands it gets; see rig.h. */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "log.h"
#include "worker/suspects.h"

/* ---- the service ---- */

static void put_body(const struct call *call, struct decision *d, int status)
{
    buf_append_slice(&d->state, call->cmd->body);
    decide_put(d, status);
}

static void create(const struct call *call, struct decision *d)
{
    if (call->before.exists)
        decide_problem(d, 400, "Thing already exists");
    else
        put_body(call, d, 201);
}

static void put(const struct call *call, struct decision *d)
{
    if (!call->before.exists)
        decide_problem(d, 404, "Thing not found");
    else
        put_body(call, d, 200);
}

static void delete (const struct call *call, struct decision *d)
{
    if (!call->before.exists)
        decide_problem(d, 404, "Thing not found");
    else
        decide_delete(d, 204);
}

static void get(const struct call *call, struct decision *d)
{
    if (call->running) {
        decide_status(d, 202);
        buf_append_slice(&d->body, call->before.state);
    } else if (!call->before.exists) {
        decide_problem(d, 404, "Thing not found");
    } else {
        decide_state(d, call);
    }
}

static void list(const struct call *call, struct decision *d)
{
    decide_status(d, 200);
    for (bool more = scan_seek(call->scan, SLICE_NONE); more; more = scan_next(call->scan)) {
        struct slice key = scan_key(call->scan), state = scan_state(call->scan);
        buf_printf(&d->body, "%.*s=%.*s;", SLICE_ARG(key), SLICE_ARG(state));
    }
}

static void history(const struct call *call, struct decision *d)
{
    static const char *const states[] = {"pending", "running", "cancelling", "succeeded", "failed"};
    struct known known;
    decide_status(d, 200);
    for (bool more = scan_older(call->scan, INT64_MAX, SLICE_NONE, &known); more;
         more = scan_older(call->scan, known.time_ms, known.id, &known))
        buf_printf(&d->body, "%s %.*s %.*s %d %.*s %.*s;", states[known.state], SLICE_ARG(known.id), SLICE_ARG(known.key), known.status,
                   SLICE_ARG(known.owner), SLICE_ARG(known.type));
}

static void mute(const struct call *call, struct decision *d)
{
    buf_append_text(&d->state, "half a state");
}

static void large(const struct call *call, struct decision *d)
{
    decide_status(d, 200);
    for (int i = 0; i < 10; i++)
        buf_append_text(&d->body, "0123456789");
}

/* A body "<n>%" is a share to report. */
static void work(const struct call *call, struct decision *d)
{
    unsigned percent;
    char body[32] = {0};
    memcpy(body, call->cmd->body.p, call->cmd->body.len < sizeof(body) ? call->cmd->body.len : sizeof(body) - 1);
    if (sscanf(body, "%u%%", &percent) == 1)
        job_progress(call->job, percent, 100);
    put_body(call, d, call->before.exists ? 200 : 201);
}

static void append(const struct call *call, struct decision *d)
{
    buf_append_slice(&d->state, call->before.state);
    put_body(call, d, 200);
}

static void fat(const struct call *call, struct decision *d)
{
    struct buf bytes = {0};
    char text[12] = {0};
    memcpy(text, call->cmd->body.p, call->cmd->body.len < sizeof(text) ? call->cmd->body.len : sizeof(text) - 1);
    put_body(call, d, 200);
    for (long left = atol(text); left > 0; left--)
        buf_append(&bytes, &"abcdefghijklmnopqrstuvwxyz"[bytes.len % 26], 1);
    if (bytes.len)
        decide_result(d, "text/plain", buf_slice(&bytes));
    else
        decide_result_piece(d, "application/json", 0, 1);
    buf_done(&bytes);
}

static void faulty(const struct call *call, struct decision *d)
{
    decide_fault(d, FAULT_PERMANENT, "it never works");
}

static void shaky(const struct call *call, struct decision *d)
{
    decide_fault(d, FAULT_TRANSIENT, "it does not work now");
}

static void busy(const struct call *call, struct decision *d)
{
    const bool *full = call->context;
    if (*full)
        decide_fault(d, FAULT_BUSY, "there is no room");
    else
        put_body(call, d, 200);
}

static void gate(const struct call *call, struct decision *d)
{
    if (slice_is(call->before.state, "shut"))
        decide_problem(d, 409, "Thing is shut");
}

static const struct operation operations[] = {
    {.type = "thing.create", .kind = OPERATION_WRITE, .handler = create, .event_type = "thing.created"},
    {.type = "thing.put", .kind = OPERATION_WRITE, .handler = put, .event_type = "thing.replaced"},
    {.type = "thing.delete", .kind = OPERATION_WRITE, .handler = delete, .event_type = "thing.deleted"},
    {.type = "thing.get", .kind = OPERATION_READ, .handler = get},
    {.type = "thing.list", .kind = OPERATION_READ, .scope = SCOPE_PARTITION, .handler = list},
    {.type = "thing.history", .kind = OPERATION_READ, .scope = SCOPE_PARTITION, .handler = history},
    {.type = "thing.mute", .kind = OPERATION_WRITE, .handler = mute},
    {.type = "thing.large", .kind = OPERATION_READ, .handler = large},
    {.type = "thing.work",
     .kind = OPERATION_WRITE,
     .place = RUN_POOL,
     .handler = work,
     .event_type = "thing.worked"},
    {.type = "thing.append", .kind = OPERATION_WRITE, .place = RUN_POOL, .handler = append},
    {.type = "thing.fat", .kind = OPERATION_WRITE, .place = RUN_POOL, .handler = fat},
    {.type = "thing.faulty", .kind = OPERATION_WRITE, .handler = faulty},
    {.type = "thing.shaky", .kind = OPERATION_WRITE, .handler = shaky},
    {.type = "thing.busy", .kind = OPERATION_WRITE, .handler = busy},
    {.type = "thing.rogue", .kind = OPERATION_READ, .handler = put},
    {.type = "thing.gated", .kind = OPERATION_WRITE, .place = RUN_POOL, .handler = work, .admit = gate},
    {.type = NULL},
};

static const struct service service = {
    .name = "thing", .summary = "Things.", .key_order = KEY_INT64, .operations = operations};

/* ---- the worker ---- */

struct rig *rig_new(int64_t committed)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    log_init("test", LOG_LEVEL_ERROR);
    strcpy(rig->dir, "/tmp/roundtrip-rig-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    struct worker *worker = &rig->worker;
    worker->service = &service;
    worker->instance = "test-1";
    worker->reply_topics = "replies,replies.*";
    worker->control_topic = "control";
    worker->has_pool = true;
    worker->key_queue = 4;
    worker->partition_count = FAKE_PARTITIONS;
    worker->partitions = rig->partitions;
    worker->breakers = rig->breakers;
    worker->breaker_settings = (struct breaker_settings){
        .keys = 3, .window_ns = INT64_C(10000000000), .pause_ns = 1000000000, .pause_max_ns = INT64_C(8000000000)};
    strcpy(worker->commands_topic, "thing.commands");
    strcpy(worker->events_topic, "thing.events");
    strcpy(worker->dead_topic, "dlq.thing.commands");
    strcpy(worker->group, "thing-workers");
    strcpy(worker->state_dir, rig->dir);
    fake_bus_connect(worker);
    for (int32_t i = 0; i < FAKE_PARTITIONS; i++) {
        rig->partitions[i].worker = worker;
        rig->partitions[i].number = i;
    }
    recover_assigned(&rig->partitions[0], committed);
    return rig;
}

void rig_recover(struct rig *rig)
{
    fake_acknowledge(rig->worker.events);
    rig_turn(rig, 0);
}

struct rig *rig_serving(void)
{
    struct rig *rig = rig_new(-1);
    rig_recover(rig);
    assert_int_equal(rig->partitions[0].phase, PARTITION_SERVING);
    return rig;
}

void rig_turn(struct rig *rig, int64_t now_ns)
{
    struct message *msg;
    while ((msg = reader_poll(rig->worker.reader, 0)))
        recover_replay(&rig->worker, msg);
    recover_tick(&rig->partitions[0], now_ns);
    assert_false(rig->worker.failed);
}

void rig_free(struct rig *rig)
{
    char command[128];
    recover_revoked(&rig->partitions[0]);
    suspects_done(&rig->partitions[0]);
    while (fake_waiting(rig->worker.events))
        fake_fail(rig->worker.events);
    while (fake_waiting(rig->worker.replies))
        fake_fail(rig->worker.replies);
    while (fake_tasks()) /* whose commands were let go: their worker still is there, as when a pool is closed */
        fake_run_task();
    assert_false(rig->worker.failed);
    assert_null(rig->partitions[0].works);
    snprintf(command, sizeof(command), "rm -r -- '%s'", rig->dir);
    assert_int_equal(system(command), 0);
    free(rig);
}

/* ---- commands ---- */

static void add(struct headers *headers, const char *name, const char *value)
{
    if (value)
        headers_add(headers, name, slice_of(value));
}

void rig_ask_at(struct rig *rig, struct ask ask, int64_t offset)
{
    struct headers headers;
    headers_init(&headers);
    add(&headers, "ce_type", ask.type);
    add(&headers, "ce_id", ask.id);
    add(&headers, "if-match", ask.if_match);
    add(&headers, "ce_expirytime", ask.expiry);
    add(&headers, "ce_subject", ask.subject);
    add(&headers, "ce_authtype", ask.auth ? "api_key" : NULL);
    add(&headers, "ce_authid", ask.auth);
    const char *topic = ask.reply_topic ? ask.reply_topic : "replies";
    if (*topic) {
        add(&headers, "kafka_replyTopic", topic);
        add(&headers, "kafka_replyPartition", "3");
        struct slice correlation = slice_of(ask.id ? ask.id : "no-id");
        if (correlation.len > ENVELOPE_CORRELATION_MAX)
            correlation.len = ENVELOPE_CORRELATION_MAX;
        headers_add(&headers, "kafka_correlationId", correlation);
    }
    struct record rec = {.topic = "thing.commands",
                         .partition = 0,
                         .offset = offset,
                         .timestamp_ms = 1,
                         .key = slice_of(ask.key),
                         .value = slice_of(ask.body),
                         .headers = headers.list,
                         .header_count = headers.count};
    partition_take(&rig->partitions[0], fake_message(&rec));
}

int64_t rig_ask(struct rig *rig, struct ask ask)
{
    int64_t offset = rig->next_offset++;
    rig_ask_at(rig, ask, offset);
    return offset;
}

void rig_acknowledge_events(struct rig *rig)
{
    while (fake_waiting(rig->worker.events))
        fake_acknowledge(rig->worker.events);
}

void rig_acknowledge_replies(struct rig *rig)
{
    while (fake_waiting(rig->worker.replies))
        fake_acknowledge(rig->worker.replies);
}

/* ---- what was sent ---- */

/* The `n`-th record to a topic that begins like that, claims of the log left out; NULL when there are no
 * more. */
static const struct record *nth(const struct producer *producer, const char *topic, size_t n)
{
    for (size_t i = 0; i < fake_sent_count(producer); i++) {
        const struct record *rec = fake_sent(producer, i);
        bool claim = strcmp(rec->topic, "thing.events") == 0 && envelope_claim_of(rec).p;
        if (strncmp(rec->topic, topic, strlen(topic)) == 0 && !claim && n-- == 0)
            return rec;
    }
    return NULL;
}

static size_t count(const struct producer *producer, const char *topic)
{
    size_t n = 0;
    while (nth(producer, topic, n))
        n++;
    return n;
}

size_t rig_events(const struct rig *rig)
{
    return count(rig->worker.events, "thing.events");
}

size_t rig_replies(const struct rig *rig)
{
    return count(rig->worker.replies, "replies");
}

size_t rig_dead(const struct rig *rig)
{
    return count(rig->worker.replies, "dlq.");
}

size_t rig_forwarded(const struct rig *rig)
{
    return count(rig->worker.replies, "thing.commands");
}

struct event rig_event(const struct rig *rig, size_t n)
{
    struct event event;
    const struct record *rec = nth(rig->worker.events, "thing.events", n);
    assert_non_null(rec);
    assert_int_equal(envelope_decode_event(rec, &event), ENVELOPE_OK);
    return event;
}

struct reply rig_reply(const struct rig *rig, size_t n)
{
    struct reply reply;
    const struct record *rec = nth(rig->worker.replies, "replies", n);
    assert_non_null(rec);
    assert_int_equal(envelope_decode_reply(rec, &reply), ENVELOPE_OK);
    return reply;
}

const struct record *rig_dead_letter(const struct rig *rig, size_t n)
{
    const struct record *rec = nth(rig->worker.replies, "dlq.", n);
    assert_non_null(rec);
    return rec;
}

void assert_slice(struct slice s, const char *expected)
{
    if (!slice_is(s, expected))
        fail_msg("\"%.*s\" is not \"%s\"", SLICE_ARG(s), expected);
}

void assert_header(const struct record *rec, const char *name, const char *expected)
{
    struct slice value = record_header(rec, name);
    if (!slice_is(value, expected))
        fail_msg("header %s is \"%.*s\", not \"%s\"", name, SLICE_ARG(value), expected);
}

void assert_reply(const struct rig *rig, size_t n, const char *id, int status)
{
    struct reply reply = rig_reply(rig, n);
    assert_slice(reply.command_id, id);
    assert_slice(reply.correlation, id);
    assert_int_equal(reply.status, status);
}
