/* SPDX-License-Identifier: Apache-2.0 */
/* Internal to trace/: a span on its way to the collector. */
#ifndef ROUNDTRIP_TRACE_SPAN_H
#define ROUNDTRIP_TRACE_SPAN_H

#include "buf.h"
#include "trace/settings.h"
#include "trace/trace.h"

struct trace_span {
    struct trace_context context, parent, link; /* parent, link: none when their trace is empty */
    enum trace_kind kind;
    int64_t start_ns, end_ns; /* clock_mono_ns() */
    const char *failed;       /* static; NULL: it is well */
    struct buf name;          /* JSON, with its quotes */
    struct buf attributes;    /* OTLP JSON, KeyValues separated by commas */
};

void span_free(struct trace_span *span);
/** Appends the request that carries these spans; `unix_ns`: what to add to clock_mono_ns() to get Unix time. */
void span_batch(struct trace_span *const *spans, size_t count, struct slice resource, int64_t unix_ns, struct buf *out);

/* ---- export.c ---- */

struct exporter;
/** Takes the settings' buffers. 0 or -errno. */
int exporter_open(struct trace_settings *settings, struct exporter **ret_exporter);
/** Owns the span from here on. Never blocks. */
void exporter_add(struct exporter *exporter, struct trace_span *span);
/** Sends what it has, for so long at most. */
void exporter_close(struct exporter *exporter, int64_t timeout_ms);
struct trace_counts exporter_counts(const struct exporter *exporter);

/* ---- post.c ---- */

struct post;
/** What became of a request: POST_AGAIN may be tried again after a while. */
enum post_end { POST_TAKEN, POST_AGAIN, POST_REFUSED };
/** `*stop`: becomes true when nobody is to wait any more. */
int post_open(const struct trace_settings *settings, const _Atomic bool *stop, struct post **ret_post);
void post_close(struct post *post);
/** `*ret_status`: of HTTP, 0: there was no answer; `ret_error`: what is known, static or the post's until the next call. */
enum post_end post_send(struct post *post, struct slice body, long *ret_status, const char **ret_error);

#endif
