/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OTEL_* variables that this tracer knows, with the meaning and defaults of
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ :
 * OTEL_SDK_DISABLED, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_EXPORTER (otlp, none), OTEL_TRACES_SAMPLER and _ARG,
 * OTEL_EXPORTER_OTLP_{,TRACES_}{ENDPOINT,HEADERS,TIMEOUT,PROTOCOL}, OTEL_BSP_{SCHEDULE_DELAY,MAX_QUEUE_SIZE,MAX_EXPORT_BATCH_SIZE}.
 *
 * One thing is our own: without OTEL_TRACES_EXPORTER and an endpoint, traces are off.
 */
#ifndef ROUNDTRIP_TRACE_SETTINGS_H
#define ROUNDTRIP_TRACE_SETTINGS_H

#include <stdint.h>

#include "buf.h"

struct trace_settings {
    bool on;
    struct buf endpoint;   /* the whole URL, a C string */
    struct buf headers;    /* "Name: value" texts, each with its NUL */
    struct buf attributes; /* of the resource, OTLP JSON: KeyValues separated by commas */
    bool follows_parent;   /* what the caller decided holds */
    double ratio;          /* of traces that begin here, and of all when !follows_parent */
    int64_t timeout_ms, delay_ms;
    size_t queue_max, batch_max;
};

/** Reads the environment. False: a value makes no sense, and `ret_error` says which. trace_settings_done() in both cases. */
bool trace_settings_read(const char *service, const char *instance, struct trace_settings *ret_settings, struct buf *ret_error)
    __attribute__((warn_unused_result));
void trace_settings_done(struct trace_settings *settings);
/** Appends one KeyValue. */
void trace_settings_pair(struct buf *out, struct slice name, struct slice value);

#endif
