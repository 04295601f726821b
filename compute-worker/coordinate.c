/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts out, outcomes in; spread.h decides who gets which, fan.h carries.
 *
 * The outcomes of parts are kept by their workers as those of any command: they are the job's checkpoint. A coordinator that starts again
 * asks for all parts, and those that are done are answered at once. So nothing is written down here, and a job that is told to stop
 * because its process ends leaves its parts running: its next coordinator, elsewhere, will ask for them. Only a cancelled or failed job
 * takes them back; at the deadline they stop by themselves.
 */
#include "coordinate.h"

#include "bus/bus.h"
#include "clock.h"
#include "part.h"
#include "problem.h"
#include "spread.h"

/** How soon it is noticed that the job is to stop. */
#define LOOK_NS (INT64_C(25) * CLOCK_NS_PER_MS)
/** Without replies for so long it is computed alone: the reply topic does not exist. */
#define READY_NS (INT64_C(5000) * CLOCK_NS_PER_MS)
#define RESEND_NS (INT64_C(15000) * CLOCK_NS_PER_MS)
#define AGAIN_NS  (INT64_C(500) * CLOCK_NS_PER_MS)

struct coordinator {
    const struct call *call;
    struct compute *compute;
    const struct kind *kind;
    const char *params; /* JSON */
    char job[PART_JOB_LEN + 1];
    int32_t partitions;
    struct spread spread;
    struct fan_call fan_call;
    struct gathered *gathered;
    struct decision *decision;
    bool failed;
};

/* ---- sending ---- */

static void send_part(struct coordinator *c, const struct spread_order *order, const char *type, struct slice body)
{
    const struct command *job = c->call->cmd;
    char id[PART_ID_SIZE], key[PART_KEY_SIZE];
    size_t id_len = part_id(c->job, order->part, c->spread.options.parts, id);
    size_t key_len = part_key(id, order->partition, c->partitions, key);
    bool cancels = body.p == NULL;
    const struct command cmd = {
        .type = slice_of(type),
        .id = cancels ? SLICE_NONE : slice_make(id, id_len),
        .subject = cancels ? slice_make(id, id_len) : job->id,
        .key = slice_make(key, key_len),
        .body = body,
        .content_type = cancels ? SLICE_NONE : SLICE("application/json"),
        .expiry_ms = cancels ? 0 : job->expiry_ms,
        .traceparent = job->traceparent,
        .tracestate = job->tracestate,
        .auth_type = job->auth_type,
        .auth_id = job->auth_id,
    };
    fan_send(c->compute->fan, cancels ? NULL : &c->fan_call, &cmd, order->part, order->place);
}

static void send_due(struct coordinator *c)
{
    struct spread_order order;
    while (spread_next(&c->spread, clock_mono_ns(), &order)) {
        struct buf body = {0};
        part_write_body(c->kind, c->params, order.part, c->spread.options.parts, &body);
        if (buf_ok(&body)) /* else it is sent again later */
            send_part(c, &order, PART_TYPE, buf_slice(&body));
        buf_done(&body);
    }
}

/* In those of its places. */
static void cancel_part(struct coordinator *c, size_t part, unsigned places)
{
    for (unsigned place = 0; place < spread_places(&c->spread); place++) {
        if (!(places >> place & 1))
            continue;
        const struct spread_order order = {part, place, spread_partition(&c->spread, part, place)};
        send_part(c, &order, "compute.cancel", SLICE_NONE);
    }
}

static void cancel_parts(struct coordinator *c)
{
    for (size_t i = 0; i < c->spread.options.parts; i++)
        cancel_part(c, i, c->spread.parts[i].open);
}

/* ---- gathering ---- */

static void fail(struct coordinator *c, const struct fan_reply *reply)
{
    c->failed = true;
    decide_status(c->decision, reply->status);
    buf_append_slice(&c->decision->body, buf_slice(&reply->body));
    c->decision->content_type = PROBLEM_CONTENT_TYPE;
}

static void gather(struct coordinator *c, const struct fan_reply *reply, int64_t now_ns)
{
    struct gathered *gathered = c->gathered;
    size_t peak_bytes = 0;
    if (!spread_done(&c->spread, reply->part, reply->place, !reply->replayed, now_ns))
        return; /* its second answer */
    /* A worker that was dead would compute it again when it is back, also where an earlier coordinator had sent it. */
    cancel_part(c, reply->part, reply->replayed ? ~(1U << reply->place) : c->spread.parts[reply->part].open);
    switch (part_read_outcome(buf_slice(&reply->body), &gathered->arena, &gathered->outcomes[reply->part], &peak_bytes)) {
    case KERNEL_DONE:
        break;
    case KERNEL_NO_MEMORY: /* what is done is kept by its workers, so little is lost */
        c->failed = true;
        decide_fault(c->decision, FAULT_BUSY, "the memory for outcomes of parts (gathered-memory) is in use");
        return;
    default:
        c->failed = true;
        decide_problem(c->decision, 500, "The outcome of a part cannot be read: are all workers of the same version?");
        return;
    }
    gathered->worked_ns += reply->worked_us * 1000;
    gathered->peak_bytes = peak_bytes > gathered->peak_bytes ? peak_bytes : gathered->peak_bytes;
    job_progress(c->call->job, c->spread.done, gathered->parts);
    job_memory(c->call->job, gathered->arena.current, gathered->arena.peak);
}

/* 501: a worker of an older version; 503: no room, or put aside; 504: its clock is ahead. Elsewhere, or later, it may do. */
static bool may_pass(int status)
{
    return status == 501 || status == 503 || status == 504;
}

/* False: it will not be done there, nor elsewhere. */
static bool go_on_without(struct coordinator *c, const struct fan_reply *reply, int64_t now_ns)
{
    if (reply->status == 409) /* cancelled, by this coordinator or the one before it */
        return spread_gone(&c->spread, reply->part, reply->place, now_ns);
    bool again = spread_failed(&c->spread, reply->part, reply->place, now_ns + AGAIN_NS);
    return c->spread.parts[reply->part].done || (again && may_pass(reply->status));
}

static void take_reply(struct coordinator *c, const struct fan_reply *reply)
{
    int64_t now_ns = clock_mono_ns();
    if (reply->part >= c->gathered->parts || reply->place >= SPREAD_PLACES || c->failed)
        return;
    if (reply->status == 200)
        gather(c, reply, now_ns);
    else if (!go_on_without(c, reply, now_ns))
        fail(c, reply);
}

static int64_t sooner(int64_t a_ns, int64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

static void take_replies(struct coordinator *c)
{
    int64_t until_ns = sooner(clock_mono_ns() + LOOK_NS, spread_due_ns(&c->spread));
    if (c->call->job)
        until_ns = sooner(until_ns, c->call->job->deadline_ns);
    struct fan_reply *reply = fan_wait(c->compute->fan, &c->fan_call, until_ns);
    while (reply) {
        struct fan_reply *next = reply->next;
        take_reply(c, reply);
        fan_reply_free(reply);
        reply = next;
    }
}

/* ---- the job ---- */

static bool get_ready(struct coordinator *c)
{
    int64_t until_ns = clock_mono_ns() + READY_NS;
    while (c->partitions == 0 && clock_mono_ns() < until_ns && !job_stopping(c->call->job))
        c->partitions = fan_ready(c->compute->fan, &c->fan_call, clock_mono_ns() + LOOK_NS);
    return c->partitions > 0;
}

static enum coordinate_end run(struct coordinator *c)
{
    job_progress(c->call->job, 0, c->gathered->parts);
    job_memory(c->call->job, c->gathered->arena.current, c->gathered->arena.peak);
    while (c->spread.done < c->gathered->parts && !c->failed) {
        if (job_stopping(c->call->job))
            return COORDINATE_STOPPED;
        send_due(c);
        take_replies(c);
    }
    return c->failed ? COORDINATE_DECIDED : COORDINATE_DONE;
}

static enum coordinate_end spread_out(struct coordinator *c)
{
    const struct spread_options options = {
        .parts = c->gathered->parts,
        .partitions = c->partitions,
        .first = bus_partition_of(slice_of(c->job), c->partitions),
        .in_flight = c->compute->in_flight,
        .hedge_ns = 3 * (int64_t)c->compute->part_cost,
        .resend_ns = RESEND_NS,
    };
    if (!spread_init(&c->spread, &options)) {
        decide_fault(c->decision, FAULT_BUSY, "out of memory");
        return COORDINATE_DECIDED;
    }
    enum coordinate_end end = run(c);
    if (c->failed || (end == COORDINATE_STOPPED && c->call->job && atomic_load(&c->call->job->cancelled)))
        cancel_parts(c);
    spread_free(&c->spread);
    return end;
}

static enum coordinate_end begin(struct coordinator *c)
{
    if (!fan_begin(c->compute->fan, &c->fan_call)) {
        decide_fault(c->decision, FAULT_BUSY, "out of memory");
        return COORDINATE_DECIDED;
    }
    enum coordinate_end end = COORDINATE_ALONE;
    if (get_ready(c))
        end = spread_out(c);
    else if (job_stopping(c->call->job))
        end = COORDINATE_STOPPED;
    fan_end(c->compute->fan, &c->fan_call);
    return end;
}

static bool make_room(struct coordinator *c, const struct input *input)
{
    struct gathered *gathered = c->gathered;
    size_t bytes = c->kind->outcomes ? c->kind->outcomes(input) : 0, small = gathered->parts * (sizeof(struct slice) + 256);
    size_t room = arena_room(small, 1) + 2 * bytes; /* of a chunk that the next one does not fit into, less than that one stays free */
    if (arena_open(&gathered->arena, &c->compute->gathered, room))
        gathered->outcomes = arena_array(&gathered->arena, gathered->parts, sizeof(*gathered->outcomes));
    return gathered->outcomes != NULL;
}

enum coordinate_end coordinate(const struct call *call, const struct body *body, size_t parts, struct gathered *ret_gathered,
                               struct decision *ret_decision)
{
    struct coordinator c = {.call = call,
                            .compute = call->context,
                            .kind = body->kind,
                            .params = json_object_to_json_string_ext(body->input.params, JSON_C_TO_STRING_PLAIN),
                            .gathered = ret_gathered,
                            .decision = ret_decision};
    part_job(call->cmd, c.job);
    ret_gathered->parts = parts;
    if (!make_room(&c, &body->input)) {
        decide_fault(ret_decision, FAULT_BUSY, "the memory for outcomes of parts (gathered-memory) is in use");
        return COORDINATE_DECIDED;
    }
    int64_t began_ns = clock_mono_ns();
    if (call->job)
        atomic_store(&call->job->waits, true);
    enum coordinate_end end = begin(&c);
    ret_gathered->elapsed_ns = clock_mono_ns() - began_ns;
    if (call->job)
        atomic_store(&call->job->waits, false);
    return end;
}

void gathered_done(struct gathered *gathered)
{
    arena_close(&gathered->arena);
}
