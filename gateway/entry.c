/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of a request's head, in order. */
#include "entry.h"

#include "clock.h"

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

/* Does the client ask more often than it may? What costs no worker anything is free, and operators are no clients. */
static bool throttle(struct flow *flow, struct exchange *x, int64_t now_ns)
{
    struct admission *admission = flow->admission;
    if (!admission || !admission->throttle || flow->guard || (x->route && x->route->local))
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

bool entry_check(struct flow *flow, struct exchange *x, int64_t now_ns)
{
    if (!rules_check_message(&x->req, &flow->limits, &x->answer) || !rules_split_path(&x->req, &x->answer) ||
        (flow->guard && !flow->guard(flow->local_context, &x->req, &x->answer)))
        return false;
    bool enters = may_enter(flow, x), guesses = !enters && x->answer.status == 401;
    if (((enters || guesses) && !throttle(flow, x, now_ns)) || !enters) /* nor may anybody guess keys as often as he likes */
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
