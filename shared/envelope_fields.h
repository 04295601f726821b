/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to the envelope_*.c files: a message's headers as a table of names and the slices they go to.
 *
 * One table serves both directions. A "wire" struct holds the message and a slice for every header whose
 * value is not text in the message (numbers, flags, constants): decoding fills its slices and then reads
 * those; encoding sets those and then writes all slices that are present.
 */
#ifndef ROUNDTRIP_ENVELOPE_FIELDS_H
#define ROUNDTRIP_ENVELOPE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"

struct field {
    const char *name;
    size_t name_len;
    size_t offset; /* of a struct slice in the wire struct */
};
#define FIELD(name, wire, member)                                                                            \
    {                                                                                                        \
        "" name, sizeof(name) - 1, offsetof(struct wire, member)                                             \
    }

/** Sets the slices of the headers the record has; of equal names the last one counts. The others stay as they
 * are. */
void fields_read(const struct record *rec, const struct field *fields, size_t count, void *wire);
/** Adds the headers whose slices are present, in the table's order. */
void fields_write(const struct field *fields, size_t count, const void *wire, struct headers *headers);

/** A copy of the two texts joined, in the list's scratch space; absent and `overflow` when it does not fit.
 */
struct slice fields_keep(struct headers *headers, struct slice a, struct slice b);
/** A decimal number in the list's scratch space. */
struct slice fields_keep_int(struct headers *headers, int64_t value);

/** Reads decimal digits, "-" before them allowed, within min..max. False for anything else, absent included.
 */
bool fields_read_int(struct slice text, int64_t min, int64_t max, int64_t *ret_value)
    __attribute__((warn_unused_result));
/** Reads "true" or "false"; absent leaves `*ret_value` as it is. False for anything else. */
bool fields_read_bool(struct slice text, bool *ret_value) __attribute__((warn_unused_result));

/* W3C Trace Context lets a receiver drop what is oversized; it is copied from message to message, so it has a
 * limit. */
#define FIELDS_TRACEPARENT_MAX 128
#define FIELDS_TRACESTATE_MAX  512
/** Makes a trace context that is too long absent. */
void fields_limit_trace(struct slice *traceparent, struct slice *tracestate);

#endif
