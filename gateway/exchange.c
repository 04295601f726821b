/* SPDX-License-Identifier: Apache-2.0 */
/* Exchanges: their memory and their steps. */
#include "exchange.h"

#include <assert.h>
#include <stdlib.h>

#include "log.h"
#include "syntax.h"

#define BIT(state) (1U << (state))

/* From each state, where it may go. Any request may be cut off by its client: to IDLE, but never while
 * WAITING. */
static const unsigned steps[] = {
    [EXCHANGE_IDLE] = BIT(EXCHANGE_READING),
    [EXCHANGE_READING] =
        BIT(EXCHANGE_REFUSED) | BIT(EXCHANGE_WAITING) | BIT(EXCHANGE_ANSWERED) | BIT(EXCHANGE_IDLE),
    [EXCHANGE_REFUSED] = BIT(EXCHANGE_ANSWERED) | BIT(EXCHANGE_IDLE),
    [EXCHANGE_WAITING] = BIT(EXCHANGE_ENDED),
    [EXCHANGE_ENDED] = BIT(EXCHANGE_WAITING) | BIT(EXCHANGE_ANSWERED) | BIT(EXCHANGE_IDLE),
    [EXCHANGE_ANSWERED] = BIT(EXCHANGE_WAITING) | BIT(EXCHANGE_IDLE),
};

void exchange_move(struct exchange *x, enum exchange_state to)
{
    assert(steps[x->state] & BIT(to));
    x->state = to;
}

struct exchange *exchange_new(void *connection, void *home)
{
    struct exchange *x = calloc(1, sizeof(*x));
    if (x) {
        x->connection = connection;
        x->home = home;
    }
    return x;
}

void exchange_free(struct exchange *x)
{
    if (!x)
        return;
    assert(x->state != EXCHANGE_WAITING);
    request_done(&x->req);
    draft_done(&x->draft);
    answer_done(&x->answer);
    for (size_t i = 0; i < x->part_capacity; i++)
        received_done(&x->parts[i]);
    free(x->parts);
    free(x);
}

void exchange_clear(struct exchange *x)
{
    if (x->state != EXCHANGE_IDLE)
        exchange_move(x, EXCHANGE_IDLE);
    request_clear(&x->req);
    draft_clear(&x->draft);
    answer_clear(&x->answer);
    for (size_t i = 0; i < x->part_count; i++) {
        if (i == 0)
            received_clear(&x->parts[i]); /* most requests have one: its memory is used again */
        else
            received_done(&x->parts[i]);
    }
    x->route = NULL;
    x->started_ns = x->sent_ns = x->ended_ns = x->wait_ms = x->accept_ms = x->work_ms = x->until_ns = 0;
    x->preferred = x->keyed = x->async = false;
    x->watch = 0;
    x->call = (struct circuit_call){0};
    x->ticket = (struct ticket){0, 0};
    x->streaming = x->parked = x->looked = x->cut = false;
    x->streamed = 0;
    x->download = (struct download){.counted = false};
    x->limited = false;
    x->repeats = 0;
    x->uncertain = x->spent = false;
    x->dropped = x->part_count = 0;
    x->outcome = OUTCOME_NONE;
}

bool exchange_expect(struct exchange *x, size_t count)
{
    if (count > x->part_capacity) {
        struct received *parts = realloc(x->parts, count * sizeof(*parts));
        if (!parts)
            return false;
        memset(parts + x->part_capacity, 0, (count - x->part_capacity) * sizeof(*parts));
        x->parts = parts;
        x->part_capacity = count;
    }
    x->part_count = count;
    return true;
}

void exchange_log_about(const struct exchange *x)
{
    struct slice parent = x->draft.traceparent.p ? x->draft.traceparent : request_header(&x->req, "traceparent");
    struct trace_context context;
    log_about(slice_make(x->draft.id, x->draft.id_len), trace_parse(parent, &context) ? parent : SLICE_NONE);
}
