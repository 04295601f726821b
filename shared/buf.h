/* SPDX-License-Identifier: Apache-2.0 */
/* A growable byte buffer whose failures stick: append freely, ask buf_ok() once at the end. */
#ifndef ROUNDTRIP_BUF_H
#define ROUNDTRIP_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "slice.h"

/** Zero-initialised is a valid empty buffer. Not thread-safe. */
struct buf {
    char *data;
    size_t len, cap;
    bool failed; /* an allocation failed: the contents are incomplete */
};

/** Frees the memory and leaves a valid empty buffer. */
void buf_done(struct buf *buf);
/** Empties the buffer, clears `failed`, keeps the memory. */
void buf_clear(struct buf *buf);
/** Makes room for `extra` more bytes; false (and `failed`) when memory is out. */
bool buf_reserve(struct buf *buf, size_t extra);
void buf_append(struct buf *buf, const void *data, size_t len);
void buf_append_slice(struct buf *buf, struct slice s);
void buf_append_text(struct buf *buf, const char *text);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
/** Appends `s` as a JSON string with its quotes (RFC 8259 section 7). `s` must be UTF-8. */
void buf_append_json(struct buf *buf, struct slice s);
/** Exchanges the contents of two buffers; no memory is copied. */
void buf_swap(struct buf *a, struct buf *b);

/** The contents; valid until the buffer changes. Never absent: empty when nothing was written. */
static inline struct slice buf_slice(const struct buf *buf)
{
    return (struct slice){buf->data ? buf->data : "", buf->len};
}

static inline bool buf_ok(const struct buf *buf)
{
    return !buf->failed;
}

#endif
