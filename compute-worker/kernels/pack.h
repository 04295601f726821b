/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of outcomes: little-endian 64-bit words, doubles as their bits (IEEE 754), and plain bytes. */
#ifndef ROUNDTRIP_COMPUTE_PACK_H
#define ROUNDTRIP_COMPUTE_PACK_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

#define PACK_WORD 8 /* bytes */

/** Writes into memory that has room; what would not fit is a bug of ours. */
struct packer {
    char *p;
    size_t len, cap;
};

static inline void pack_bytes(struct packer *out, const void *p, size_t len)
{
    assert(out->cap - out->len >= len);
    memcpy(out->p + out->len, p, len);
    out->len += len;
}

static inline void pack_u64(struct packer *out, uint64_t value)
{
    unsigned char bytes[PACK_WORD];
    for (int i = 0; i < PACK_WORD; i++)
        bytes[i] = (unsigned char)(value >> 8 * i);
    pack_bytes(out, bytes, sizeof(bytes));
}

static inline void pack_f64(struct packer *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    pack_u64(out, bits);
}

/** Reads foreign bytes: past their end everything is zero, and `bad`. */
struct unpacker {
    struct slice rest;
    bool bad;
};

/** NULL when there are not so many. */
static inline const char *unpack_bytes(struct unpacker *in, size_t len)
{
    const char *p = in->rest.p;
    in->bad |= in->rest.len < len;
    if (in->bad)
        return NULL;
    in->rest = slice_make(p + len, in->rest.len - len);
    return p;
}

static inline uint64_t unpack_u64(struct unpacker *in)
{
    const unsigned char *p = (const unsigned char *)unpack_bytes(in, PACK_WORD);
    uint64_t value = 0;
    for (int i = 0; p && i < PACK_WORD; i++)
        value |= (uint64_t)p[i] << 8 * i;
    return value;
}

static inline double unpack_f64(struct unpacker *in)
{
    uint64_t bits = unpack_u64(in);
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/** All of it was read, and nothing was missing. */
static inline bool unpack_ended(const struct unpacker *in)
{
    return !in->bad && in->rest.len == 0;
}

#endif
