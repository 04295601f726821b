/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often one client may ask: a token bucket each, in a bounded table.
 *
 * Kept as the generic cell rate algorithm (ITU-T I.371): one time a client, at which its bucket will be full again, which says
 * the same as a level and needs no refilling. The table is set-associative: of the eight that share a client's place, the one
 * that is full for the longest, or will be soonest, is forgotten for a new one. Who is full loses nothing by that.
 *
 * Time is a parameter (clock_mono_ns()). Thread-safe.
 */
#ifndef ROUNDTRIP_GATEWAY_THROTTLE_H
#define ROUNDTRIP_GATEWAY_THROTTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "slice.h"

struct throttle_options {
    int64_t rate;  /* requests a second; > 0 */
    int64_t burst; /* requests at once; > 0 */
    size_t clients_max;
    uint64_t seed; /* random, so that nobody can choose clients that meet in one place */
};

struct throttle;
/** 0 or -ENOMEM. */
int throttle_new(const struct throttle_options *options, struct throttle **ret_throttle) __attribute__((warn_unused_result));
void throttle_free(struct throttle *throttle); /* NULL is allowed */

/** What is left to a client after this request. */
struct throttle_verdict {
    bool allowed;
    int64_t remaining;   /* requests it could make now */
    int64_t reset_ns;    /* until its bucket is full */
    int64_t wait_ns;     /* when not allowed: until one is */
};
/** A request of `client` at `now_ns`. One that is refused takes nothing. */
struct throttle_verdict throttle_take(struct throttle *throttle, struct slice client, int64_t now_ns);

/** Adds RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-10). */
void throttle_describe(const struct throttle *throttle, const struct throttle_verdict *verdict, struct answer *answer);
/** 429 with Retry-After (RFC 6585 section 4), and what throttle_describe() adds. */
void throttle_refuse(const struct throttle *throttle, const struct throttle_verdict *verdict, struct answer *ret_answer);

#endif
