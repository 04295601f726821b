/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request's way through the gateway, hop by hop (ARCHITECTURE.md): validate, admit, make the command,
 * wait, answer.
 *
 * http.c calls these on the connection's HTTP thread:
 *   flow_begin  the headers are there            READING → READING, or REFUSED with the answer
 *   flow_body   the body is there                READING → WAITING (suspended), or the answer is set
 *   flow_end    resumed by the bus thread        ENDED → the answer is set, or WAITING again
 *   flow_over   the request is over, however
 */
#ifndef ROUNDTRIP_GATEWAY_FLOW_H
#define ROUNDTRIP_GATEWAY_FLOW_H

#include "admission.h"
#include "access.h"
#include "cors.h"
#include "caching.h"
#include "degrade.h"
#include "exchange.h"
#include "idempotency.h"
#include "link.h"
#include "measures.h"
#include "pending.h"
#include "replies.h"
#include "reuse.h"
#include "rules.h"
#include "stats.h"

/** What every request needs; fixed after start. */
struct flow {
    const struct route_table *routes;
    void *local_context; /* of routes that need no worker */
    /* May it be asked at all? False: the answer to give. NULL: everybody may. */
    bool (*guard)(void *local_context, const struct request *req, struct answer *ret_answer);
    const struct access *access; /* NULL: off */
    struct cors cors;
    struct rules_limits limits;
    int64_t deadline_ms, max_deadline_ms;
    int64_t async_deadline_ms; /* of a command whose caller does not wait */
    struct caching caching;
    const struct health *health;
    /* not needed when all routes are local */
    struct admission *admission;
    struct link *link;
    struct pending *pending;
    struct idempotency *keys;
    struct replies *replies;
    struct watch *watch;
    struct stream_pace *pace;
    struct downloads *downloads;
    struct reuse *reuse;
    struct degrade *degrade;
    struct stats *stats;
    struct measures *measures; /* NULL: not measured */
    void (*suspend)(struct exchange *x); /* http_suspend, pool_resume */
    void (*resume)(struct exchange *x);
};

void flow_begin(struct flow *flow, struct exchange *x, int64_t now_ns);
/** True: it waits, and is not the caller's any more until it is resumed. False: the answer is set. */
bool flow_body(struct flow *flow, struct exchange *x, int64_t now_ns);
/** What comes next of an answer whose body goes on. */
enum flow_step {
    FLOW_MORE,  /* another part is in the answer's own body, which was empty */
    FLOW_WAITS, /* nothing yet: it is suspended */
    FLOW_OVER,
    FLOW_BROKEN, /* the rest is not to be had: the connection must be cut */
};
/** All that there was of a streaming answer is sent: the next part, in its own body or borrowed. Also after it was resumed. */
enum flow_step flow_stream(struct flow *flow, struct exchange *x, int64_t now_ns);
/** True: it waits again. */
bool flow_end(struct flow *flow, struct exchange *x, int64_t now_ns);
/** The answer is set and about to be written: what every answer has. */
void flow_seal(struct flow *flow, struct exchange *x);
void flow_over(struct flow *flow, struct exchange *x);
/** The body went beyond the limit although its length was not declared: REFUSED. */
void flow_too_large(struct flow *flow, struct exchange *x);
/** The gateway ends before the body was here: REFUSED. */
void flow_cut(struct flow *flow, struct exchange *x);

#endif
