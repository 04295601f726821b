/* SPDX-License-Identifier: Apache-2.0 */
/* The process's tracer: contexts, sampling, and building spans. */
#include "trace/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "log.h"
#include "trace/span.h"
#include "utf8.h"

/** Of a traceparent of a later version; what the message contract takes. */
#define PARENT_MAX 128
/** At shutdown. */
#define CLOSE_MS 2000

static struct {
    _Atomic bool on;
    /* fixed while `on` */
    struct exporter *exporter;
    bool follows_parent;
    uint64_t threshold; /* a new trace is sampled when the last 63 bits of its id are below this */
} tracer;

bool trace_on(void)
{
    return atomic_load_explicit(&tracer.on, memory_order_relaxed);
}

int trace_open(const char *service, const char *instance)
{
    struct trace_settings settings;
    struct buf error = {0};
    int err = trace_settings_read(service, instance, &settings, &error) ? 0 : -EINVAL;
    if (err)
        log_error("the settings of traces make no sense", "why=\"%.*s\"", SLICE_ARG(buf_slice(&error)));
    if (!err && settings.on) {
        tracer.follows_parent = settings.follows_parent;
        tracer.threshold = (uint64_t)(settings.ratio * 9223372036854775808.0);
        log_info("traces go to a collector", "endpoint=%s sampled_percent=%d", settings.endpoint.data, (int)(settings.ratio * 100 + 0.5));
        err = exporter_open(&settings, &tracer.exporter);
        if (err)
            log_error("the exporter of traces cannot start", "error=%d", -err);
    }
    atomic_store(&tracer.on, !err && settings.on);
    trace_settings_done(&settings);
    buf_done(&error);
    return err;
}

void trace_close(void)
{
    if (!atomic_exchange(&tracer.on, false))
        return;
    exporter_close(tracer.exporter, CLOSE_MS);
    tracer.exporter = NULL;
}

struct trace_counts trace_counts(void)
{
    return trace_on() ? exporter_counts(tracer.exporter) : (struct trace_counts){0, 0, 0};
}

/* ---- contexts ---- */

/* `len` lower-case hex digits, not all of them zero unless `zero_ok`. */
static bool is_hex(const char *p, size_t len, bool zero_ok)
{
    bool zero = true;
    for (size_t i = 0; i < len; i++) {
        if (!(p[i] >= '0' && p[i] <= '9') && !(p[i] >= 'a' && p[i] <= 'f'))
            return false;
        zero = zero && p[i] == '0';
    }
    return zero_ok || !zero;
}

bool trace_parse(struct slice text, struct trace_context *ret_context)
{
    /* version "-" trace-id "-" parent-id "-" flags */
    *ret_context = (struct trace_context){.sampled = false};
    if (!text.p || text.len < TRACE_PARENT_SIZE - 1 || text.p[2] != '-' || text.p[35] != '-' || text.p[52] != '-')
        return false;
    if (!is_hex(text.p, 2, true) || memcmp(text.p, "ff", 2) == 0 || !is_hex(text.p + 3, 32, false) || !is_hex(text.p + 36, 16, false) ||
        !is_hex(text.p + 53, 2, true))
        return false;
    bool longer = text.len > TRACE_PARENT_SIZE - 1;
    if (longer && (text.len > PARENT_MAX || memcmp(text.p, "00", 2) == 0 || text.p[TRACE_PARENT_SIZE - 1] != '-'))
        return false;
    memcpy(ret_context->trace, text.p + 3, 32);
    memcpy(ret_context->span, text.p + 36, 16);
    char low = text.p[54];
    ret_context->sampled = (low >= 'a' ? low - 'a' + 10 : low - '0') & 1;
    return true;
}

void trace_write(const struct trace_context *context, char ret_text[TRACE_PARENT_SIZE])
{
    snprintf(ret_text, TRACE_PARENT_SIZE, "00-%.32s-%.16s-0%d", context->trace, context->span, context->sampled);
}

static uint64_t random_64(void)
{
    static _Thread_local uint64_t state; /* ids need to be different, not secret */
    while (state == 0) {
        if (getrandom(&state, sizeof(state), 0) != sizeof(state))
            state = (uint64_t)(uintptr_t)&state;
    }
    uint64_t z = (state += UINT64_C(0x9E3779B97F4A7C15)); /* SplitMix64: Steele, Lea, Flood, OOPSLA 2014 */
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    z ^= z >> 31;
    return z ? z : 1;
}

/* Of the trace id's last eight bytes, as OpenTelemetry's TraceIdRatioBased samplers do. */
static bool is_chosen(const char *trace)
{
    uint64_t low = strtoull(trace + 16, NULL, 16);
    return (low & INT64_MAX) < tracer.threshold;
}

void trace_enter(struct slice traceparent, struct trace_context *ret_context, struct trace_context *ret_parent)
{
    bool called = trace_parse(traceparent, ret_parent);
    *ret_context = *ret_parent;
    if (!called)
        snprintf(ret_context->trace, sizeof(ret_context->trace), "%016" PRIx64 "%016" PRIx64, random_64(), random_64());
    snprintf(ret_context->span, sizeof(ret_context->span), "%016" PRIx64, random_64());
    if (!called || !tracer.follows_parent)
        ret_context->sampled = is_chosen(ret_context->trace);
}

void trace_child(const struct trace_context *parent, struct trace_context *ret_context)
{
    *ret_context = *parent;
    snprintf(ret_context->span, sizeof(ret_context->span), "%016" PRIx64, random_64());
}

/* ---- spans ---- */

struct trace_span *trace_begin(const struct trace_context *context, const struct trace_context *parent, enum trace_kind kind, struct slice name,
                               int64_t start_ns)
{
    struct trace_span *span = trace_on() && context->sampled ? calloc(1, sizeof(*span)) : NULL;
    if (!span)
        return NULL;
    span->context = *context;
    if (parent)
        span->parent = *parent;
    span->kind = kind;
    span->start_ns = start_ns;
    buf_append_json(&span->name, name);
    return span;
}

void trace_text(struct trace_span *span, const char *name, struct slice value)
{
    if (span && value.p && utf8_is_valid(value))
        trace_settings_pair(&span->attributes, slice_of(name), value);
}

void trace_int(struct trace_span *span, const char *name, int64_t value)
{
    if (span)
        buf_printf(&span->attributes, "%s{\"key\":\"%s\",\"value\":{\"intValue\":\"%" PRId64 "\"}}", span->attributes.len ? "," : "", name, value);
}

void trace_link(struct trace_span *span, const struct trace_context *to)
{
    if (span)
        span->link = *to;
}

void trace_fail(struct trace_span *span, const char *why)
{
    if (span)
        span->failed = why;
}

void trace_end(struct trace_span *span, int64_t end_ns)
{
    if (!span)
        return;
    span->end_ns = end_ns > span->start_ns ? end_ns : span->start_ns;
    if (buf_ok(&span->name) && buf_ok(&span->attributes))
        exporter_add(tracer.exporter, span);
    else
        span_free(span);
}
