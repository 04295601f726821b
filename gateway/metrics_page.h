/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway's own families of its metrics page. */
#ifndef ROUNDTRIP_GATEWAY_METRICS_PAGE_H
#define ROUNDTRIP_GATEWAY_METRICS_PAGE_H

#include "flow.h"
#include "measures.h"
#include "pool.h"

/** Where they are to be read; borrowed, and fixed but for `pool`. */
struct metrics_sources {
    const char *service, *instance;
    bool tls; /* of the listener for clients */
    struct stats *stats;
    struct measures *measures;
    struct pending *pending;
    size_t pending_max;
    struct admission *admission;
    struct degrade *degrade;
    struct link *link;
    const struct health *health;
    _Atomic(struct pool *) pool; /* NULL: it does not serve yet */
};

/** A pages_metrics_fn (ops/pages.h); `sources` is a struct metrics_sources. Any thread. */
void metrics_page_write(void *sources, struct metrics_page *page);

#endif
