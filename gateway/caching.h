/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cache-Control both ways: what caches in front of the gateway may do with its answers, and whether a caller takes a stale
 * one (RFC 9111, RFC 5861). Pure.
 */
#ifndef ROUNDTRIP_GATEWAY_CACHING_H
#define ROUNDTRIP_GATEWAY_CACHING_H

#include "answer.h"
#include "request.h"
#include "routes.h"

/** For so long a result is fresh to caches. It never changes; it may be forgotten. */
#define CACHING_RESULT_S 3600

/** Of rows that are `copied`. Zero-initialised: kept, but asked about each time. */
struct caching {
    int64_t max_age_s;        /* fresh for so long */
    int64_t stale_if_error_s; /* and for so long after that a cache may give it when the gateway cannot answer */
    bool known_callers;       /* only they may read: what is given without asking is kept by the caller's own cache alone */
};

/**
 * Adds Cache-Control where the answer has none yet. Reads: "no-cache", which lets a cache keep the answer but has it ask by
 * If-None-Match before each use; no error hides behind that, so where `stale_if_error_s` is wanted it is "max-age=0"
 * instead: no-cache forbids every use without a successful validation (RFC 9111 section 5.2.2.4). Anything else: "no-store". `route` NULL: none
 * was found.
 */
void caching_say(const struct caching *caching, const struct route *route, const struct request *req, struct answer *answer);

/**
 * Does the caller take an answer that may be out of date, `age_s` seconds after it was last known to be right? Yes, unless it
 * says no-cache, no-store, min-fresh, or an age it is beyond (RFC 9111 section 5.2.1): max-age=N, the freshness that the answer had
 * (`fresh_s`) with max-stale=N, or N more than either.
 */
bool caching_takes_stale(const struct request *req, int64_t fresh_s, int64_t age_s);

/** Age, Warning (RFC 7234 section 5.5.1) and no-store: no cache is to give it to others as if it were good. */
void caching_mark_stale(struct answer *answer, int64_t age_s);

#endif
