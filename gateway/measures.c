/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of requests, and observing them. */
#include "measures.h"

#define STATUS_BITS 10 /* 0 to 999 */
#define METHOD_BITS 4

_Static_assert(METHOD_OTHER == 1 << 7, "a method's number fits METHOD_BITS, and none is 0");

static uint32_t number_of(enum method method)
{
    uint32_t number = 1;
    for (unsigned bit = (unsigned)method; bit > 1; bit >>= 1)
        number++;
    return number;
}

uint32_t measures_pack(const struct route_table *routes, const struct measures_key *key)
{
    uint32_t row = key->route ? (uint32_t)(key->route - routes->rows) + 1 : 0;
    uint32_t status = key->status > 0 && key->status < 1 << STATUS_BITS ? (uint32_t)key->status : 0;
    return (row << METHOD_BITS | number_of(key->method)) << STATUS_BITS | status;
}

struct measures_key measures_unpack(const struct route_table *routes, uint32_t packed)
{
    uint32_t row = packed >> (STATUS_BITS + METHOD_BITS), method = packed >> STATUS_BITS & ((1U << METHOD_BITS) - 1);
    return (struct measures_key){.route = row ? &routes->rows[row - 1] : NULL,
                                 .method = (enum method)(1U << (method - 1)),
                                 .status = (int)(packed & ((1U << STATUS_BITS) - 1))};
}

void measures_over(struct measures *measures, const struct exchange *x, int64_t now_ns)
{
    bool left = x->outcome == OUTCOME_LEFT; /* then there is an answer of nobody's */
    const struct measures_key key = {
        .route = x->route, .method = x->req.method ? x->req.method : METHOD_OTHER, .status = left ? 0 : x->answer.status};
    metrics_observe(metrics_of(&measures->requests, measures_pack(&routes_public, &key)), now_ns - x->started_ns);
}

void measures_replied(struct measures *measures, const struct exchange *x, size_t service, int64_t now_ns)
{
    struct metrics_histogram *hops = measures->hops[service];
    if (x->outcome != OUTCOME_REPLIED || x->sent_ns == 0)
        return;
    metrics_observe(&hops[MEASURES_RECEIVE], x->sent_ns - x->started_ns);
    metrics_observe(&hops[MEASURES_ROUND_TRIP], x->ended_ns - x->sent_ns);
    if (x->part_count == 1 && x->parts[0].worked_us > 0)
        metrics_observe(&hops[MEASURES_WORK], x->parts[0].worked_us * 1000);
    metrics_observe(&hops[MEASURES_ANSWER], now_ns - x->ended_ns);
}
