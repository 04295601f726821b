/* SPDX-License-Identifier: Apache-2.0 */
/* A Kafka record as values, known to the codec and to the bus, so that neither needs the other. */
#ifndef ROUNDTRIP_RECORD_H
#define ROUNDTRIP_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

/** Headers of a consumed record; a record that is built may have more, so that any can be sent on with ours added. */
#define RECORD_HEADERS_IN_MAX 48
#define RECORD_HEADERS_MAX    64
/** Room for header values that have no storage elsewhere (numbers, times, 4-byte partitions). */
#define RECORD_SCRATCH 1024

/** A header's value is bytes; absent (`p == NULL`) is Kafka's null. Names are NUL-terminated. */
struct header {
    const char *name;
    struct slice value;
};

/** A bounded list of headers. Copying the struct does not move values that lie in `scratch`: pass pointers. */
struct headers {
    struct header list[RECORD_HEADERS_MAX];
    size_t count;
    char scratch[RECORD_SCRATCH];
    size_t scratch_used;
    bool overflow; /* a header did not fit; the record must not be sent */
};

/** Everything is borrowed, from the message it was consumed with or from the one who builds it. */
struct record {
    const char *topic;
    int32_t partition;    /* -1: not chosen yet */
    int64_t offset;       /* -1: none yet */
    int64_t timestamp_ms; /* Unix epoch; 0: none */
    struct slice key, value;
    const struct header *headers;
    size_t header_count;
    bool truncated; /* consumed with more headers than RECORD_HEADERS_IN_MAX: those after them are not here */
};

/** The last header of that name (Kafka's lastHeader), or SLICE_NONE. Names compare byte for byte. */
struct slice record_header(const struct record *rec, const char *name);

void headers_init(struct headers *headers);
/** Adds a borrowed value; name must live as long as the list. An absent value adds nothing. */
void headers_add(struct headers *headers, const char *name, struct slice value);
/** Adds a decimal number, kept in the list's scratch space. */
void headers_add_int(struct headers *headers, const char *name, int64_t value);
/** Adds a copy of `value`, kept in the list's scratch space. */
void headers_add_copy(struct headers *headers, const char *name, struct slice value);

#endif
