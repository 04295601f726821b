/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of record headers: lookup and building. */
#include "record.h"

#include <inttypes.h>
#include <stdio.h>

struct slice record_header(const struct record *rec, const char *name)
{
    for (size_t i = rec->header_count; i-- > 0;) {
        if (strcmp(rec->headers[i].name, name) == 0)
            return rec->headers[i].value;
    }
    return SLICE_NONE;
}

void headers_init(struct headers *headers)
{
    headers->count = 0;
    headers->scratch_used = 0;
    headers->overflow = false;
}

void headers_add(struct headers *headers, const char *name, struct slice value)
{
    if (!value.p)
        return;
    if (headers->count == RECORD_HEADERS_MAX) {
        headers->overflow = true;
        return;
    }
    headers->list[headers->count++] = (struct header){name, value};
}

void headers_add_copy(struct headers *headers, const char *name, struct slice value)
{
    if (!value.p)
        return;
    if (value.len > RECORD_SCRATCH - headers->scratch_used) {
        headers->overflow = true;
        return;
    }
    char *copy = headers->scratch + headers->scratch_used;
    memcpy(copy, value.p, value.len);
    headers->scratch_used += value.len;
    headers_add(headers, name, slice_make(copy, value.len));
}

void headers_add_int(struct headers *headers, const char *name, int64_t value)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%" PRId64, value);
    headers_add_copy(headers, name, slice_make(text, (size_t)n));
}
