/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a gateway measures of requests: by route, method and status, and by hop. Any thread adds; metrics.h of this folder shows.
 *
 * A request's hops: `receive` from its head until its command is handed to the producer; `round_trip` from there until its last reply is
 * read; of that, `work` is what the worker's reply says its handler took, where it says so; `answer` from there until its HTTP thread has
 * the answer ready.
 */
#ifndef ROUNDTRIP_GATEWAY_MEASURES_H
#define ROUNDTRIP_GATEWAY_MEASURES_H

#include "exchange.h"
#include "metrics.h"

enum measures_hop { MEASURES_RECEIVE, MEASURES_ROUND_TRIP, MEASURES_WORK, MEASURES_ANSWER, MEASURES_HOPS };

/** Zero-initialised is empty. */
struct measures {
    struct metrics_table requests;
    struct metrics_histogram hops[ROUTES_SERVICES_MAX][MEASURES_HOPS]; /* services as in link.h */
};

/** One kind of request: what its key in `requests` stands for. */
struct measures_key {
    const struct route *route; /* NULL: none was found */
    enum method method;
    int status; /* 0: it got no answer */
};
uint32_t measures_pack(const struct route_table *routes, const struct measures_key *key);
struct measures_key measures_unpack(const struct route_table *routes, uint32_t packed);

/** The request is over. */
void measures_over(struct measures *measures, const struct exchange *x, int64_t now_ns);
/** Its wait has ended with a reply, and its answer is set. `service`: the number of the service in link.h. */
void measures_replied(struct measures *measures, const struct exchange *x, size_t service, int64_t now_ns);

#endif
