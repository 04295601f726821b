/* SPDX-License-Identifier: Apache-2.0 */
/* The text of "reply-result", both ways. */
#include "result.h"

#include <inttypes.h>
#include <stdio.h>

#include "envelope.h"
#include "envelope_fields.h"

size_t result_write(const struct result *result, char ret_text[RESULT_TEXT_MAX])
{
    int len;
    if (result->parts_id.p)
        len = snprintf(ret_text, RESULT_TEXT_MAX, "%" PRId64 " %" PRId64 "/%.*s/%016" PRIx64 " %.*s", result->bytes, result->part_bytes,
                       SLICE_ARG(result->parts_id), result->hash, SLICE_ARG(result->media_type));
    else
        len = snprintf(ret_text, RESULT_TEXT_MAX, "%" PRId64 " +%" PRId64 " %.*s", result->bytes, result->at,
                       SLICE_ARG(result->media_type));
    return len < 0 || len >= RESULT_TEXT_MAX ? 0 : (size_t)len;
}

/* Takes what stands before `end` off the front. */
static bool take(struct slice *rest, char end, struct slice *ret_word)
{
    const char *at = rest->len ? memchr(rest->p, end, rest->len) : NULL;
    if (!at)
        return false;
    *ret_word = slice_make(rest->p, (size_t)(at - rest->p));
    *rest = slice_make(at + 1, rest->len - ret_word->len - 1);
    return true;
}

static bool read_hash(struct slice text, uint64_t *ret_hash)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t hash = 0;
    for (size_t i = 0; i < text.len; i++) {
        const char *digit = text.p[i] ? strchr(digits, text.p[i]) : NULL;
        if (!digit)
            return false;
        hash = hash << 4 | (uint64_t)(digit - digits);
    }
    *ret_hash = hash;
    return text.len == 16;
}

static bool read_parts(struct slice where, struct result *result)
{
    struct slice part_bytes;
    return take(&where, '/', &part_bytes) && take(&where, '/', &result->parts_id) && read_hash(where, &result->hash) &&
           fields_read_int(part_bytes, 1, RESULT_BYTES_MAX, &result->part_bytes) &&
           result->parts_id.len > 0 && result->parts_id.len < ENVELOPE_UUID_SIZE &&
           result->bytes / result->part_bytes < RESULT_PARTS_MAX;
}

/* Its media type becomes a header of an answer, and its id a part of keys: neither has bytes that end a text or a line. */
static bool printable(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < 0x20 || text.p[i] > 0x7e)
            return false;
    }
    return true;
}

bool result_read(struct slice text, struct result *ret_result)
{
    struct slice bytes, where, rest = text;
    struct result result = {.at = 0};
    if (!take(&rest, ' ', &bytes) || !take(&rest, ' ', &where) || !fields_read_int(bytes, 0, RESULT_BYTES_MAX, &result.bytes) ||
        rest.len == 0 || rest.len > RESULT_TYPE_MAX || where.len == 0 || !printable(text))
        return false;
    result.media_type = rest;
    bool good = where.p[0] == '+' ? fields_read_int(slice_make(where.p + 1, where.len - 1), 0, RESULT_BYTES_MAX, &result.at)
                                  : read_parts(where, &result);
    if (good)
        *ret_result = result;
    return good;
}

int64_t result_parts(const struct result *result)
{
    return result->parts_id.p && result->bytes > 0 ? (result->bytes + result->part_bytes - 1) / result->part_bytes : 1;
}

int result_part_name(struct slice parts_id, int64_t index, char ret_name[RESULT_PART_SIZE])
{
    return snprintf(ret_name, RESULT_PART_SIZE, "%.*s/%05" PRId64, SLICE_ARG(parts_id), index);
}
