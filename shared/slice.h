/* SPDX-License-Identifier: Apache-2.0 */
/* A borrowed run of bytes: pointer and length, never owned, never NUL-terminated by promise. */
#ifndef ROUNDTRIP_SLICE_H
#define ROUNDTRIP_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/** `p == NULL` means absent (a Kafka null); `p != NULL && len == 0` means present and empty. */
struct slice {
    const char *p;
    size_t len;
};

#define SLICE_NONE ((struct slice){NULL, 0})
/** A slice of a string literal. */
#define SLICE(literal) ((struct slice){"" literal, sizeof(literal) - 1})
/** For printf: `printf("%.*s", SLICE_ARG(s))`. */
#define SLICE_ARG(s) (int)(s).len, (s).p ? (s).p : ""

static inline struct slice slice_of(const char *text)
{
    return text ? (struct slice){text, strlen(text)} : SLICE_NONE;
}

static inline struct slice slice_make(const void *p, size_t len)
{
    return (struct slice){p, len};
}

/** Equal bytes; two absent slices are equal, an absent and an empty one are not. */
static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && !a.p == !b.p && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline bool slice_is(struct slice a, const char *text)
{
    return a.p && a.len == strlen(text) && memcmp(a.p, text, a.len) == 0;
}

#endif
