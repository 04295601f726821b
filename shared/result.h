/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the result of a command is, when it is not the whole body of its answer: a piece of that body, or bytes of its own that
 * stand in the event log in parts. Said by the header "reply-result" of its event, as text:
 *
 *   <bytes> +<offset in the body> <media type>
 *   <bytes> <bytes of each part but the last>/<id of the parts>/<hash of all, 16 hex digits> <media type>
 *
 * Printable ASCII only: the media type becomes a header of an answer. Pure.
 */
#ifndef ROUNDTRIP_RESULT_H
#define ROUNDTRIP_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

/** Bytes of a result in parts, at most. */
#define RESULT_BYTES_MAX (INT64_C(8) << 20)
/** Bytes of such a text, at most. */
#define RESULT_TEXT_MAX 192
#define RESULT_TYPE_MAX 64

struct result {
    int64_t bytes;
    struct slice media_type; /* 1 to RESULT_TYPE_MAX bytes */
    struct slice parts_id;   /* absent: it is a piece of the body */
    int64_t at;              /* a piece: where it begins */
    int64_t part_bytes;      /* parts: of each but the last; above 0 */
    uint64_t hash;           /* parts: of all bytes */
};

/** Writes the text, no NUL; its length, or 0 when it does not fit. */
size_t result_write(const struct result *result, char ret_text[RESULT_TEXT_MAX]);
/** Borrows from `text`. False when it is not such a text. */
bool result_read(struct slice text, struct result *ret_result) __attribute__((warn_unused_result));

/** How many parts it has; a piece of a body, and an empty one, is one part. */
int64_t result_parts(const struct result *result);

/** "<id>/<index, 5 digits>": what names a part, in its record's key behind ENVELOPE_PART_KEY_PREFIX. Its length, without the NUL. */
#define RESULT_PART_SIZE 48
#define RESULT_PARTS_MAX 100000
int result_part_name(struct slice parts_id, int64_t index, char ret_name[RESULT_PART_SIZE]);

#endif
