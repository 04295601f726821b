/* SPDX-License-Identifier: Apache-2.0 */
/* Spans as OTLP in JSON: https://github.com/open-telemetry/opentelemetry-proto (v1.x), with ids in hex. */
#include "trace/span.h"

#include <inttypes.h>
#include <stdlib.h>

/** STATUS_CODE_ERROR */
#define STATUS_ERROR 2

void span_free(struct trace_span *span)
{
    if (!span)
        return;
    buf_done(&span->name);
    buf_done(&span->attributes);
    free(span);
}

static void append_span(const struct trace_span *span, int64_t unix_ns, struct buf *out)
{
    buf_printf(out, "{\"traceId\":\"%s\",\"spanId\":\"%s\",", span->context.trace, span->context.span);
    if (span->parent.trace[0])
        buf_printf(out, "\"parentSpanId\":\"%s\",", span->parent.span);
    buf_append_text(out, "\"name\":");
    buf_append_slice(out, buf_slice(&span->name));
    buf_printf(out, ",\"kind\":%d,\"startTimeUnixNano\":\"%" PRId64 "\",\"endTimeUnixNano\":\"%" PRId64 "\",\"flags\":1,\"attributes\":[",
               (int)span->kind, span->start_ns + unix_ns, span->end_ns + unix_ns);
    buf_append_slice(out, buf_slice(&span->attributes));
    buf_append_text(out, "]");
    if (span->link.trace[0])
        buf_printf(out, ",\"links\":[{\"traceId\":\"%s\",\"spanId\":\"%s\"}]", span->link.trace, span->link.span);
    if (span->failed) {
        buf_printf(out, ",\"status\":{\"code\":%d,\"message\":", STATUS_ERROR);
        buf_append_json(out, slice_of(span->failed));
        buf_append_text(out, "}");
    }
    buf_append_text(out, "}");
}

void span_batch(struct trace_span *const *spans, size_t count, struct slice resource, int64_t unix_ns, struct buf *out)
{
    buf_append_text(out, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
    buf_append_slice(out, resource);
    buf_append_text(out, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"roundtrip\",\"version\":\"" ROUNDTRIP_VERSION "\"},\"spans\":[");
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_append_text(out, ",");
        append_span(spans[i], unix_ns, out);
    }
    buf_append_text(out, "]}]}]}");
}
