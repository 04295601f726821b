/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names and attributes by OpenTelemetry's conventions: https://opentelemetry.io/docs/specs/semconv/http/http-spans/ and
 * https://opentelemetry.io/docs/specs/semconv/messaging/kafka/ .
 */
#include "spans.h"

#include <stdio.h>

#include "exchange.h"

#define NAME_SIZE 128

void spans_enter(struct exchange *x)
{
    x->trace = (struct request_trace){.on = trace_on()};
    if (x->trace.on)
        trace_enter(request_header(&x->req, "traceparent"), &x->trace.request, &x->trace.parent);
}

void spans_send(struct exchange *x, int64_t now_ns)
{
    struct request_trace *trace = &x->trace;
    if (!trace->on)
        return;
    trace_child(&trace->request, &trace->command);
    trace_write(&trace->command, trace->traceparent);
    x->draft.traceparent = slice_make(trace->traceparent, TRACE_PARENT_SIZE - 1);
    trace->sent_ns = now_ns;
    trace->delivered_ns = 0;
}

void spans_delivered(struct exchange *x, int32_t partition, int64_t offset, int64_t now_ns)
{
    if (!x->trace.on || x->trace.delivered_ns)
        return; /* of commands to each partition the first */
    x->trace.partition = partition;
    x->trace.offset = offset;
    x->trace.delivered_ns = now_ns;
}

void spans_sent(struct exchange *x, int64_t now_ns)
{
    struct request_trace *trace = &x->trace;
    char text[NAME_SIZE];
    if (!trace->on || !trace->sent_ns)
        return;
    int len = snprintf(text, sizeof(text), "send %s.commands", x->draft.service);
    struct trace_span *span = trace_begin(&trace->command, &trace->request, TRACE_PRODUCER, slice_make(text, (size_t)len), trace->sent_ns);
    trace_text(span, "messaging.system", SLICE("kafka"));
    trace_text(span, "messaging.operation.name", SLICE("send"));
    trace_text(span, "messaging.operation.type", SLICE("send"));
    trace_text(span, "messaging.destination.name", slice_make(text + 5, (size_t)len - 5));
    trace_text(span, "messaging.message.id", slice_make(x->draft.id, x->draft.id_len));
    if (trace->delivered_ns && !x->route->every_partition) {
        len = snprintf(text, sizeof(text), "%d", (int)trace->partition);
        trace_text(span, "messaging.destination.partition.id", slice_make(text, (size_t)len));
        trace_int(span, "messaging.kafka.offset", trace->offset);
    }
    if (x->outcome == OUTCOME_UNSENT || x->outcome == OUTCOME_UNCERTAIN)
        trace_fail(span, "Kafka did not confirm that it has the command");
    trace_end(span, trace->delivered_ns ? trace->delivered_ns : now_ns); /* a reply can overtake Kafka's word */
    trace->sent_ns = 0;
}

void spans_end(struct exchange *x, int64_t now_ns)
{
    struct request_trace *trace = &x->trace;
    char name[NAME_SIZE];
    if (!trace->on)
        return;
    const char *method = request_method_name(x->req.method);
    int len = snprintf(name, sizeof(name), x->route ? "%s %s" : "%s", method, x->route ? x->route->pattern : "");
    struct trace_span *span = trace_begin(&trace->request, trace->parent.trace[0] ? &trace->parent : NULL, TRACE_SERVER,
                                          slice_make(name, (size_t)len), x->started_ns);
    trace_text(span, "http.request.method", slice_of(method));
    if (x->route)
        trace_text(span, "http.route", slice_of(x->route->pattern));
    trace_text(span, "url.path", x->req.target);
    if (x->draft.id_len)
        trace_text(span, "messaging.message.id", slice_make(x->draft.id, x->draft.id_len));
    trace_int(span, "http.response.status_code", x->answer.status);
    if (x->outcome == OUTCOME_LEFT)
        trace_fail(span, "the client left before the answer");
    else if (x->answer.status >= 500)
        trace_fail(span, "answered with a status of 500 or above");
    trace_end(span, now_ns);
    trace->on = false;
}
