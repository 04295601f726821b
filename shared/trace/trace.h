/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traces: what one request went through, as spans of one trace id over all processes.
 *
 * W3C Trace Context (https://www.w3.org/TR/trace-context/) names the trace and the span that caused a message; spans go to a
 * collector by OTLP/HTTP in JSON (https://opentelemetry.io/docs/specs/otlp/). Off unless the standard OTEL_* variables ask for
 * it (settings.h). A process has one tracer. Whatever happens to the collector, nobody waits for it: spans are gathered in a
 * bounded queue, and those that find it full are counted and dropped.
 *
 * Times are clock_mono_ns(). All functions are thread-safe; a span is one thread's until trace_end(). A NULL span is one that
 * is not recorded: every function takes it.
 */
#ifndef ROUNDTRIP_TRACE_TRACE_H
#define ROUNDTRIP_TRACE_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

#define TRACE_ID_SIZE     33 /* hex and a NUL */
#define TRACE_SPAN_SIZE   17
#define TRACE_PARENT_SIZE 56 /* of version 00 */

/** A span in its trace, as a traceparent says it. Zero-initialised: none. */
struct trace_context {
    char trace[TRACE_ID_SIZE], span[TRACE_SPAN_SIZE];
    bool sampled;
};

enum trace_kind { /* the numbers are OTLP's */
    TRACE_INTERNAL = 1,
    TRACE_SERVER = 2,
    TRACE_PRODUCER = 4,
    TRACE_CONSUMER = 5,
};

struct trace_span;

/** Reads the OTEL_* variables and, when they ask for traces, starts the exporter's thread. `service` is what OTEL_SERVICE_NAME
 * is where it is not set. 0, or -errno with the reason logged. Both texts must live until trace_close(). */
int trace_open(const char *service, const char *instance) __attribute__((warn_unused_result));
/** Sends what is gathered, for two seconds at most, and ends the thread. Once no other thread makes spans. */
void trace_close(void);
/** Are spans recorded in this process? One load. */
bool trace_on(void);

/** Of version 00, or of a later one that starts like it; false when it is none. */
bool trace_parse(struct slice traceparent, struct trace_context *ret_context) __attribute__((warn_unused_result));
/** Writes it as version 00. */
void trace_write(const struct trace_context *context, char ret_text[TRACE_PARENT_SIZE]);
/** A new span in the trace that the caller's `traceparent` names, which is `*ret_parent` then; in a new one when that is absent or
 * malformed. Whether it is sampled is decided here (OTEL_TRACES_SAMPLER). */
void trace_enter(struct slice traceparent, struct trace_context *ret_context, struct trace_context *ret_parent);
/** A new span in the trace of `parent`. */
void trace_child(const struct trace_context *parent, struct trace_context *ret_context);

/** NULL when `context` is not sampled, or memory is out. `name` is copied. `parent` may be NULL. */
struct trace_span *trace_begin(const struct trace_context *context, const struct trace_context *parent, enum trace_kind kind, struct slice name,
                               int64_t start_ns);
/** Attributes. `name` is static; a text that is absent or no UTF-8 is left out. */
void trace_text(struct trace_span *span, const char *name, struct slice value);
void trace_int(struct trace_span *span, const char *name, int64_t value);
/** It has to do with another one, which need not be its parent. */
void trace_link(struct trace_span *span, const struct trace_context *to);
/** It ended with an error: `why` is static. */
void trace_fail(struct trace_span *span, const char *why);
/** Gives the span away. */
void trace_end(struct trace_span *span, int64_t end_ns);

struct trace_counts {
    uint64_t exported, dropped, failed; /* spans: taken by the collector, found no room, not taken by it */
};
struct trace_counts trace_counts(void);

#endif
