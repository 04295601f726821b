/* SPDX-License-Identifier: Apache-2.0 */
/* The hops of one request. */
#include "flow.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "clock.h"
#include "deadline.h"
#include "log.h"
#include "operation.h"

/** A command that Kafka did not take is sent so often again, while at least this is left to wait. */
#define REPEATS_MAX    2
#define REPEAT_LEFT_NS (INT64_C(1000) * CLOCK_NS_PER_MS)
/** So long before its time is over who waits for an operation asks once more how far it is. */
#define LAST_LOOK_NS (INT64_C(200) * CLOCK_NS_PER_MS)
/** A body above this is not kept while its request waits: parked requests are to be small. */
#define WAITING_BODY_MAX 4096

static void refuse(struct flow *flow, struct exchange *x)
{
    stats_add(&flow->stats->refused);
    exchange_move(x, EXCHANGE_REFUSED);
}

static void answer_options(struct answer *answer, unsigned allowed)
{
    struct buf allow = {0};
    routes_allow(allowed, &allow);
    answer_clear(answer);
    answer->status = 204;
    answer_header(answer, "Allow", buf_slice(&allow));
    buf_done(&allow);
}

static void answer_wrong_method(struct answer *answer, unsigned allowed)
{
    struct buf allow = {0};
    routes_allow(allowed, &allow);
    answer_problem(answer, 405, "This path does not take that method; it takes %.*s.",
                   SLICE_ARG(buf_slice(&allow)));
    answer_header(answer, "Allow", buf_slice(&allow));
    buf_done(&allow);
}

/* Finds the row, or sets the answer: 404, 405, or that of OPTIONS. */
static bool find_route(const struct flow *flow, struct exchange *x)
{
    unsigned allowed;
    bool everything = x->req.method == METHOD_OPTIONS && x->req.segment_count == 0;
    x->route = routes_find(flow->routes, &x->req, &allowed);
    if (x->route)
        return true;
    if (everything)
        allowed = METHOD_GET | METHOD_POST | METHOD_PUT | METHOD_DELETE;
    if (!allowed)
        answer_problem(&x->answer, 404, "There is nothing at this path. %s", flow->routes->known);
    else if (x->req.method == METHOD_OPTIONS)
        answer_options(&x->answer, allowed);
    else
        answer_wrong_method(&x->answer, allowed);
    return false;
}

/* Does the client ask more often than it may? What costs no worker anything is free. */
static bool throttle(struct flow *flow, struct exchange *x, int64_t now_ns)
{
    struct admission *admission = flow->admission;
    if (!admission || !admission->throttle || x->route->local)
        return true;
    struct slice client = admission_client(admission, &x->req, principal_slice(&x->req.principal), slice_make((const char *)x->address, x->address_len));
    x->throttled = throttle_take(admission->throttle, client, now_ns);
    x->limited = true;
    if (x->throttled.allowed)
        return true;
    stats_add(&flow->stats->throttled);
    throttle_refuse(admission->throttle, &x->throttled, &x->answer);
    return false;
}

/* Is there a route, and may this caller take it? What is not there is also only told to those who may ask. */
static bool may_enter(struct flow *flow, struct exchange *x)
{
    bool found = find_route(flow, x);
    bool open = (found && x->route->open) || cors_is_preflight(&flow->cors, &x->req);
    return (open || access_check(flow->access, &x->req, clock_wall_ms() / 1000, &x->answer)) && found;
}

/* What can be said before the body is here. */
static bool check(struct flow *flow, struct exchange *x, int64_t now_ns)
{
    if (!rules_check_message(&x->req, &flow->limits, &x->answer) || !rules_split_path(&x->req, &x->answer) ||
        (flow->guard && !flow->guard(flow->local_context, &x->req, &x->answer)) || !may_enter(flow, x) ||
        !throttle(flow, x, now_ns))
        return false;
    if (routes_takes_body(x->route) && !rules_check_body_type(&x->req, &x->answer))
        return false;
    if (!rules_deadline_ms(&x->req, flow->deadline_ms, flow->max_deadline_ms, &x->wait_ms, &x->preferred, &x->answer))
        return false;
    x->async = x->route->write && rules_async(&x->req, flow->max_deadline_ms, flow->async_deadline_ms, &x->accept_ms,
                                              &x->work_ms);
    if (!x->async)
        x->work_ms = x->wait_ms;
    else /* for Kafka to take the command */
        x->wait_ms = x->accept_ms > flow->deadline_ms ? x->accept_ms : flow->deadline_ms;
    return true;
}

void flow_begin(struct flow *flow, struct exchange *x, int64_t now_ns)
{
    stats_add(&flow->stats->requests);
    x->started_ns = now_ns;
    if (!check(flow, x, now_ns))
        refuse(flow, x);
}

void flow_too_large(struct flow *flow, struct exchange *x)
{
    answer_problem(&x->answer, 413, "The body is more than the %zu bytes that are taken: send less.",
                   flow->limits.body_bytes);
    x->answer.close = true;
    refuse(flow, x);
}

void flow_cut(struct flow *flow, struct exchange *x)
{
    answer_unavailable(&x->answer, 1,
                       "This gateway is shutting down, and the request was not complete by then. It has no effect: repeat it.");
    refuse(flow, x);
}

static int32_t partition_of(const struct flow *flow, const struct exchange *x)
{
    int32_t count = atomic_load(&link_service(flow->link, x->draft.service)->partitions);
    return x->route->every_partition || count <= 0 ? -1 : bus_partition_of(x->draft.key, count);
}

/* Is this gateway able to take it, and will it be answered in time? Sets the answer when not. */
static bool admit(struct flow *flow, struct exchange *x, int64_t now_ns)
{
    if (!health_has(flow->health, HEALTH_SERVES) || !producer_connected(flow->link->producer)) {
        health_refuse(flow->health, &x->answer);
        return false;
    }
    if (!degrade_admits(flow->degrade, x, now_ns))
        return false;
    const struct admission_request request = {.route = x->route,
                                              .service = x->draft.service,
                                              .partition = partition_of(flow, x),
                                              .wait_ms = x->wait_ms,
                                              .work_ms = x->work_ms};
    if (admission_enter(flow->admission, &request, now_ns, &x->permit, &x->answer))
        return true;
    degrade_ended(flow->degrade, x, OUTCOME_NONE, now_ns);
    stats_add(&flow->stats->shed);
    return false;
}

/* Sends one command, or one to each partition. 0 or -errno of the first that could not be sent. */
static int send_commands(struct flow *flow, struct exchange *x, struct ticket ticket)
{
    const struct service_topic *service = link_service(flow->link, x->draft.service);
    for (uint32_t part = 0; part < x->part_count; part++) {
        char correlation[PENDING_CORRELATION_LEN];
        struct command cmd;
        struct headers headers;
        pending_correlation(flow->pending, ticket, part, correlation);
        command_fill(&x->draft, &x->req, x->route, &flow->link->origin,
                     slice_make(correlation, sizeof(correlation)), &cmd);
        headers_init(&headers);
        envelope_encode_command(&cmd, &headers);
        struct record rec = {.topic = service->commands,
                             .partition = x->route->every_partition ? (int32_t)part : -1,
                             .offset = -1,
                             .key = cmd.key,
                             .value = cmd.body};
        int err = producer_send(flow->link->producer, &rec, &headers, pending_ticket_pack(ticket, x->async));
        if (err)
            return err;
    }
    stats_add(&flow->stats->commands);
    admission_sent(flow->admission);
    log_debug("sent", "id=\"%.*s\" type=%s topic=%s", (int)x->draft.id_len, x->draft.id, x->route->type,
              service->commands);
    return 0;
}

/* What an answer is said to a request that does not get to wait. */
static void answer_no_room(struct flow *flow, struct exchange *x, int err)
{
    stats_add(&flow->stats->refused);
    if (err == -ESHUTDOWN)
        health_refuse(flow->health, &x->answer);
    else
        answer_unavailable(&x->answer, 1,
                           "As many requests are waiting as this gateway takes. This one was not sent: "
                           "repeat it a little later.");
}

/* Enters the request's Idempotency-Key in the index, if it has one; false: the answer to give. */
static bool enter_key(struct flow *flow, struct exchange *x)
{
    if (x->draft.idempotency_len == 0)
        return true;
    switch (idempotency_enter(flow->keys, slice_make(x->draft.id, x->draft.id_len), x->draft.key,
                              rules_waits(&x->req), clock_wall_ms())) {
    case IDEMPOTENCY_ENTERED:
        x->keyed = true;
        return true;
    case IDEMPOTENCY_RUNNING:
        answer_problem(&x->answer, 409,
                       "A request with this Idempotency-Key is still running: repeat it after Retry-After "
                       "seconds, or without \"Prefer: respond-async\" and \"wait=0\", to get its outcome.");
        answer_header(&x->answer, "Retry-After", SLICE("1"));
        break;
    case IDEMPOTENCY_OTHER:
        answer_problem(&x->answer, 422,
                       "This Idempotency-Key was used for another id: send a new key with each new request.");
        break;
    case IDEMPOTENCY_FULL:
        answer_no_room(flow, x, -ENOBUFS);
        return false;
    }
    stats_add(&flow->stats->refused);
    return false;
}

static void leave_key(struct flow *flow, struct exchange *x)
{
    if (x->keyed)
        idempotency_leave(flow->keys, slice_make(x->draft.id, x->draft.id_len), false, clock_wall_ms());
    x->keyed = false;
}

/*
 * Suspends, and enters it in the pending table: from then on the bus thread may resume it. False: it cannot wait, is
 * resumed, and comes back by flow_end() with its answer.
 */
static bool begin_to_wait(struct flow *flow, struct exchange *x, uint32_t parts, int64_t deadline_ns, int64_t accept_ns,
                          struct ticket *ret_ticket)
{
    x->outcome = OUTCOME_NONE;
    exchange_move(x, EXCHANGE_WAITING);
    flow->suspend(x);
    int err = pending_open(flow->pending, x, parts, deadline_ns, accept_ns, ret_ticket);
    if (!err) {
        x->ticket = *ret_ticket;
        return true;
    }
    leave_key(flow, x);
    degrade_ended(flow->degrade, x, OUTCOME_NONE, clock_mono_ns());
    if (!x->streaming) /* the head of a stream is out: it just ends */
        answer_no_room(flow, x, err);
    exchange_move(x, EXCHANGE_ENDED);
    flow->resume(x);
    return false;
}

/* The last thing done here with the exchange is sending; if that fails the bus thread is asked to end it, because by then it is its own. */
static void ask_worker(struct flow *flow, struct exchange *x, uint32_t parts, int64_t deadline_ns, int64_t accept_ns)
{
    struct ticket ticket;
    struct buf body = {0};
    if (x->req.body.cap > WAITING_BODY_MAX) {
        buf_swap(&body, &x->req.body); /* the draft goes on pointing at it, until it is sent */
        x->spent = true;
    }
    bool waits = begin_to_wait(flow, x, parts, deadline_ns, accept_ns, &ticket);
    int err = waits ? send_commands(flow, x, ticket) : 0;
    buf_done(&body);
    if (!err)
        return;
    log_warn("a command could not be sent", "error=%d", err);
    stats_add(&flow->stats->undelivered);
    pending_fail(flow->pending, ticket, OUTCOME_UNSENT);
    replies_wake(flow->replies);
}

/* False: the answer is set. */
static bool wait_for_worker(struct flow *flow, struct exchange *x, const struct deadline *deadline)
{
    const struct service_topic *service = link_service(flow->link, x->draft.service);
    size_t parts = x->route->every_partition ? (size_t)atomic_load(&service->partitions) : 1;
    if (parts > PENDING_PARTS_MAX || !exchange_expect(x, parts)) {
        answer_problem(&x->answer, 500, "This cannot be asked of %zu partitions at once.", parts);
        admission_withdraw(&x->permit);
        return false;
    }
    if (!enter_key(flow, x)) {
        admission_withdraw(&x->permit);
        return false;
    }
    if (x->route->streams || (x->route->follows && x->preferred)) { /* before it is asked: a decision in between must not be missed */
        x->watch = watch_enter(flow->watch, x->draft.subject);
        x->until_ns = deadline->until_ns;
    }
    ask_worker(flow, x, (uint32_t)parts, deadline->until_ns, deadline->accept_ns);
    return true;
}

bool flow_body(struct flow *flow, struct exchange *x, int64_t now_ns)
{
    int64_t now_ms = clock_wall_ms();
    if (x->route->local) {
        x->route->local(flow->local_context, &x->req, &x->answer);
        return false;
    }
    struct deadline deadline;
    if (!deadline_left(x, flow->deadline_ms, now_ns, now_ms, &deadline, &x->answer) ||
        !command_prepare(&x->draft, &x->req, x->route, now_ms, deadline.expiry_ms, &x->answer) || !admit(flow, x, now_ns)) {
        stats_add(&flow->stats->refused);
        return false;
    }
    log_debug("received", "id=\"%.*s\" method=%s type=%s wait_ms=%" PRId64, (int)x->draft.id_len, x->draft.id,
              request_method_name(x->req.method), x->route->type, x->wait_ms);
    int64_t probe_ns = now_ns + x->wait_ms * CLOCK_NS_PER_MS; /* one that tries a failing service waits less */
    if (probe_ns < deadline.until_ns)
        deadline.until_ns = probe_ns;
    if (wait_for_worker(flow, x, &deadline))
        return true;
    degrade_ended(flow->degrade, x, OUTCOME_NONE, now_ns);
    return false;
}

static void finish(struct exchange *x)
{
    for (size_t i = 0; i < x->part_count; i++) {
        if (x->parts[i].status == 0) {
            answer_problem(&x->answer, 502, "A worker's reply could not be read; please report it.");
            return;
        }
    }
    x->route->finish(&x->req, &x->draft, x->parts, x->part_count, &x->answer);
    if (x->part_count == 1)
        answer_timing(&x->answer, &x->parts[0]);
}

/* Waits for news of the command it watches. */
static void park(struct flow *flow, struct exchange *x, int64_t until_ns)
{
    struct ticket ticket;
    watch_id watch = x->watch; /* once it waits, it is not ours to look at */
    x->parked = true;
    if (!begin_to_wait(flow, x, 1, until_ns, PENDING_NEVER, &ticket))
        return;
    watch_park(flow->watch, watch, ticket);
    replies_wake(flow->replies);
}

/* The same question once more. It gets time of its own: that of the first may be over. */
static void ask_again(struct flow *flow, struct exchange *x, int64_t until_ns)
{
    int64_t now_ms = clock_wall_ms();
    command_renew(&x->draft, now_ms, now_ms + flow->deadline_ms);
    x->parked = false;
    ask_worker(flow, x, 1, until_ns, PENDING_NEVER);
}

/* When to look for the last time. */
static int64_t look_ns(const struct exchange *x)
{
    int64_t quarter_ns = (x->until_ns - x->started_ns) / 4;
    return x->looked ? x->until_ns : x->until_ns - (quarter_ns < LAST_LOOK_NS ? quarter_ns : LAST_LOOK_NS);
}

/*
 * What a caller waits for who follows another command: its end, at which it is asked about again; and shortly before the
 * time is over, to say how far it is by then. True: it waits again.
 */
static bool follow(struct flow *flow, struct exchange *x, int64_t now_ns)
{
    bool open = x->part_count == 1 && operation_is_open(&x->parts[0]), in_time = now_ns < x->until_ns;
    if (!x->watch || x->route->streams)
        return false;
    bool look = open && x->outcome == OUTCOME_DEADLINE && !x->looked;
    if (in_time && (look || x->outcome == OUTCOME_NEWS)) {
        x->looked |= look;
        ask_again(flow, x, x->until_ns);
        return true;
    }
    if (in_time && open && x->outcome == OUTCOME_REPLIED) {
        park(flow, x, look_ns(x));
        return true;
    }
    if (open && (x->looked || x->outcome == OUTCOME_DEADLINE || x->outcome == OUTCOME_NEWS || x->outcome == OUTCOME_DRAINED))
        x->outcome = OUTCOME_REPLIED; /* what was last heard of it */
    return false;
}

/* RFC 7240 section 3. */
static void say_preference(struct exchange *x)
{
    char applied[64];
    int64_t wait_s = (x->async ? x->accept_ms : x->wait_ms) / 1000;
    int n = 0;
    if (x->outcome == OUTCOME_ACCEPTED)
        n = snprintf(applied, sizeof(applied), wait_s ? "respond-async, wait=%" PRId64 : "respond-async", wait_s);
    else if (x->preferred)
        n = snprintf(applied, sizeof(applied), "wait=%" PRId64, wait_s);
    if (n > 0)
        answer_header(&x->answer, "Preference-Applied", slice_make(applied, (size_t)n));
}

/* Kafka failed to take the command: once or twice more, if there is time and trouble is not made greater by it. It waits in the
 * producer until Kafka is there again. The id is the same, so that it has its effect once. True: it waits again. */
static bool repeat(struct flow *flow, struct exchange *x, int64_t now_ns)
{
    int64_t until_ns = x->started_ns + x->wait_ms * CLOCK_NS_PER_MS;
    x->uncertain |= x->outcome == OUTCOME_UNCERTAIN;
    if (x->uncertain && (x->outcome == OUTCOME_UNSENT || x->outcome == OUTCOME_NONE))
        x->outcome = OUTCOME_UNCERTAIN; /* that one time it was not sent says nothing about the time before */
    if (!health_has(flow->health, HEALTH_OPEN) || x->spent)
        return false;
    if ((x->outcome != OUTCOME_UNSENT && x->outcome != OUTCOME_UNCERTAIN) || x->repeats == REPEATS_MAX ||
        until_ns - now_ns < REPEAT_LEFT_NS || !admission_repeat(flow->admission, now_ns) || !enter_key(flow, x))
        return false; /* or its key, which was free meanwhile, is another's by now */
    x->repeats++;
    stats_add(&flow->stats->repeated);
    ask_worker(flow, x, (uint32_t)x->part_count, until_ns,
               x->async ? x->started_ns + x->accept_ms * CLOCK_NS_PER_MS : PENDING_NEVER);
    return true;
}

bool flow_end(struct flow *flow, struct exchange *x, int64_t now_ns)
{
    if (repeat(flow, x, now_ns))
        return true;
    admission_leave(&x->permit, x->outcome, x->part_count == 1 ? x->parts[0].worked_us : 0, now_ns);
    if (follow(flow, x, now_ns))
        return true;
    if (x->async && x->accept_ms == 0 && x->outcome == OUTCOME_REPLIED && x->parts[0].status < 500)
        x->outcome = OUTCOME_ACCEPTED; /* its reply overtook Kafka's word that it has the command: 202 as always */
    if (degrade_rescues(flow->degrade, x, now_ns)) {
        /* the answer is set */
    } else if (x->outcome == OUTCOME_REPLIED) {
        finish(x);
        x->streaming = x->route->streams && x->watch && operation_is_open(&x->parts[0]);
        if (x->streaming)
            stream_begin(&x->stream, flow->pace, &x->parts[0], now_ns);
    } else if (x->outcome == OUTCOME_ACCEPTED) {
        operation_accepted(&x->answer, &x->draft);
    } else if (x->outcome != OUTCOME_NONE) {
        const bool cancels = !x->route->write && x->req.method == METHOD_DELETE;
        const struct answer_context context = {.write = x->route->write || cancels,
                                               .harmless = cancels,
                                               .has_idempotency_key = x->draft.idempotency_len > 0,
                                               .waited_ms = (long long)x->wait_ms};
        answer_outcome(&x->answer, x->outcome, &context);
    } /* else answer_no_room() has set it */
    say_preference(x);
    log_debug("answered", "id=\"%.*s\" status=%d us=%" PRId64, (int)x->draft.id_len, x->draft.id,
              x->answer.status, (now_ns - x->started_ns) / 1000);
    return false;
}

/* Until there is news, it is its turn to ask, or it has been silent for too long. */
static void wait_for_more(struct flow *flow, struct exchange *x, int64_t now_ns)
{
    int64_t until_ns;
    if (stream_asks(&x->stream, flow->pace, now_ns, &until_ns))
        ask_again(flow, x, now_ns + flow->deadline_ms * CLOCK_NS_PER_MS);
    else
        park(flow, x, until_ns);
}

enum flow_step flow_stream(struct flow *flow, struct exchange *x, int64_t now_ns)
{
    enum stream_step step = x->streaming ? STREAM_QUIET : STREAM_OVER;
    if (x->state == EXCHANGE_ENDED)
        step = stream_take(&x->stream, x->outcome, &x->parts[0], now_ns);
    if (step == STREAM_QUIET) {
        wait_for_more(flow, x, now_ns);
        return FLOW_WAITS;
    }
    if (x->state == EXCHANGE_ENDED)
        exchange_move(x, EXCHANGE_ANSWERED);
    if (step == STREAM_OVER)
        return FLOW_OVER;
    if (step == STREAM_EVENT) {
        x->streaming = operation_is_open(&x->parts[0]);
        operation_event(&x->answer.own_body, &x->req, &x->parts[0]);
    } else {
        buf_append_text(&x->answer.own_body, ": nothing new\n\n");
    }
    return FLOW_MORE;
}

void flow_seal(struct flow *flow, struct exchange *x)
{
    if (x->limited && x->throttled.allowed)
        throttle_describe(flow->admission->throttle, &x->throttled, &x->answer);
}

void flow_over(struct flow *flow, struct exchange *x)
{
    admission_withdraw(&x->permit); /* one whose client left is not served to its end */
    watch_leave(flow->watch, x->watch);
    x->watch = 0;
    stream_end(&x->stream, flow->pace);
}
