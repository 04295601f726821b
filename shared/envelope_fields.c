/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing headers by a table, and the few value types they have. */
#include "envelope_fields.h"

void fields_read(const struct record *rec, const struct field *fields, size_t count, void *wire)
{
    size_t row = 0;
    for (size_t i = 0; i < rec->header_count; i++) {
        const struct header *header = &rec->headers[i];
        size_t len = strlen(header->name);
        /* Records of our own have their headers in the table's order: the next row is mostly the right one.
         */
        for (size_t tried = 0; tried < count; tried++, row++) {
            if (row >= count)
                row = 0;
            if (fields[row].name_len == len && memcmp(fields[row].name, header->name, len) == 0) {
                *(struct slice *)((char *)wire + fields[row].offset) = header->value;
                row++;
                break;
            }
        }
    }
}

void fields_write(const struct field *fields, size_t count, const void *wire, struct headers *headers)
{
    for (size_t i = 0; i < count; i++)
        headers_add(headers, fields[i].name, *(const struct slice *)((const char *)wire + fields[i].offset));
}

struct slice fields_keep(struct headers *headers, struct slice a, struct slice b)
{
    size_t room = RECORD_SCRATCH - headers->scratch_used;
    if (a.len > room || b.len > room - a.len) {
        headers->overflow = true;
        return SLICE_NONE;
    }
    char *copy = headers->scratch + headers->scratch_used;
    if (a.len)
        memcpy(copy, a.p, a.len);
    if (b.len)
        memcpy(copy + a.len, b.p, b.len);
    headers->scratch_used += a.len + b.len;
    return slice_make(copy, a.len + b.len);
}

struct slice fields_keep_int(struct headers *headers, int64_t value)
{
    char text[20]; /* "-9223372036854775808" */
    char *p = text + sizeof(text);
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do {
        *--p = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        *--p = '-';
    return fields_keep(headers, slice_make(p, (size_t)(text + sizeof(text) - p)), SLICE_NONE);
}

bool fields_read_int(struct slice text, int64_t min, int64_t max, int64_t *ret_value)
{
    if (!text.p || text.len == 0)
        return false;
    bool negative = text.p[0] == '-';
    size_t pos = negative ? 1 : 0;
    if (pos == text.len)
        return false;
    int64_t value = 0; /* kept negative: there is one more negative number than positive ones */
    for (; pos < text.len; pos++) {
        if (text.p[pos] < '0' || text.p[pos] > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, text.p[pos] - '0', &value))
            return false;
    }
    if (!negative && __builtin_sub_overflow(0, value, &value))
        return false;
    if (value < min || value > max)
        return false;
    *ret_value = value;
    return true;
}

bool fields_read_bool(struct slice text, bool *ret_value)
{
    if (!text.p)
        return true;
    bool yes = slice_is(text, "true");
    if (!yes && !slice_is(text, "false"))
        return false;
    *ret_value = yes;
    return true;
}

void fields_limit_trace(struct slice *traceparent, struct slice *tracestate)
{
    if (traceparent->len > FIELDS_TRACEPARENT_MAX)
        *traceparent = SLICE_NONE;
    if (tracestate->len > FIELDS_TRACESTATE_MAX || !traceparent->p)
        *tracestate = SLICE_NONE;
}
