/* SPDX-License-Identifier: Apache-2.0 */
/* Suspending, registering, sending: in that order, since a reply can come before the sending returns. */
#include "waiting.h"

#include <errno.h>

#include "clock.h"
#include "log.h"

/** A body above this is not kept while its request waits: parked requests are to be small. */
#define WAITING_BODY_MAX 4096

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
    log_debug("sent", "topic=%s", service->commands);
    return 0;
}

/* What an answer is said to a request that does not get to wait. */
static void answer_no_room(struct flow *flow, struct exchange *x, int err)
{
    stats_add(&flow->stats->refused);
    stats_add(err == -ESHUTDOWN ? &flow->stats->unable : &flow->stats->full);
    if (err == -ESHUTDOWN)
        health_refuse(flow->health, &x->answer);
    else
        answer_unavailable(&x->answer, 1,
                           "As many requests are waiting as this gateway takes. This one was not sent: "
                           "repeat it a little later.");
}

bool waiting_enter_key(struct flow *flow, struct exchange *x)
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

void waiting_ask(struct flow *flow, struct exchange *x, uint32_t parts, int64_t deadline_ns, int64_t accept_ns)
{
    struct ticket ticket;
    struct buf body = {0};
    spans_send(x, clock_mono_ns());
    if (x->req.body.cap > WAITING_BODY_MAX) {
        buf_swap(&body, &x->req.body); /* the draft goes on pointing at it, until it is sent */
        x->spent = true;
    }
    if (x->sent_ns == 0)
        x->sent_ns = clock_mono_ns();
    bool waits = begin_to_wait(flow, x, parts, deadline_ns, accept_ns, &ticket);
    int err = waits ? send_commands(flow, x, ticket) : 0;
    buf_done(&body);
    if (!err)
        return;
    /* by now it is the bus thread's, which is asked to end it */
    log_warn("a command could not be sent", "error=%d", err);
    stats_add(&flow->stats->undelivered);
    pending_fail(flow->pending, ticket, OUTCOME_UNSENT);
    replies_wake(flow->replies);
}

void waiting_park(struct flow *flow, struct exchange *x, int64_t until_ns)
{
    struct ticket ticket;
    watch_id watch = x->watch; /* once it waits, it is not ours to look at */
    x->parked = true;
    if (!begin_to_wait(flow, x, 1, until_ns, PENDING_NEVER, &ticket))
        return;
    watch_park(flow->watch, watch, ticket);
    replies_wake(flow->replies);
}

void waiting_ask_again(struct flow *flow, struct exchange *x, int64_t until_ns)
{
    int64_t now_ms = clock_wall_ms();
    command_renew(&x->draft, now_ms, now_ms + flow->deadline_ms);
    x->parked = false;
    waiting_ask(flow, x, 1, until_ns, PENDING_NEVER);
}
