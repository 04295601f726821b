/* SPDX-License-Identifier: Apache-2.0 */
/* A request's way through the gateway, as spans of its trace (trace/trace.h): the request, and each sending of its command. */
#ifndef ROUNDTRIP_GATEWAY_SPANS_H
#define ROUNDTRIP_GATEWAY_SPANS_H

#include "trace/trace.h"

struct exchange;

/** Belongs to whoever has the exchange. Zero-initialised: this request is not traced. */
struct request_trace {
    bool on;
    struct trace_context parent, request, command;
    char traceparent[TRACE_PARENT_SIZE]; /* what the command carries */
    int64_t sent_ns, delivered_ns;       /* 0: not, or nobody knows */
    int32_t partition;
    int64_t offset;
};

/** Its head is here. HTTP thread. */
void spans_enter(struct exchange *x);
/** Its command is about to be sent: its draft's traceparent is set. HTTP thread. */
void spans_send(struct exchange *x, int64_t now_ns);
/** Kafka has it. Bus thread, while it waits. */
void spans_delivered(struct exchange *x, int32_t partition, int64_t offset, int64_t now_ns);
/** It waits no longer: nothing is told anew of the sending. HTTP thread. */
void spans_sent(struct exchange *x, int64_t now_ns);
/** It is over, `status` was its answer. HTTP thread. */
void spans_end(struct exchange *x, int64_t now_ns);

#endif
