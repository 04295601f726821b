/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing member names by what they mean: "a" and "\u0061" are the same name. */
#include "json_names.h"

#include <stdlib.h>

void json_names_init(struct json_names *names)
{
    names->list = names->first;
    names->count = 0;
    names->cap = JSON_NAMES_INLINE;
}

void json_names_done(struct json_names *names)
{
    if (names->list != names->first)
        free(names->list);
}

static bool grow(struct json_names *names)
{
    bool inlined = names->list == names->first;
    struct json_name *list = realloc(inlined ? NULL : names->list, 2 * names->cap * sizeof(*list));
    if (!list)
        return false;
    if (inlined)
        memcpy(list, names->first, sizeof(names->first));
    names->list = list;
    names->cap *= 2;
    return true;
}

bool json_names_push(struct json_names *names, struct json_name name)
{
    if (names->count == names->cap && !grow(names))
        return false;
    names->list[names->count++] = name;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int32_t json_hex4(const char *p)
{
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(p[i]);
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* The UTF-8 bytes a name stands for, one at a time. */
struct bytes {
    struct slice raw;
    size_t pos;
    unsigned char held[4]; /* of an escape */
    size_t held_len, held_pos;
};

static void hold_code_point(struct bytes *b, uint32_t c)
{
    b->held_pos = 0;
    if (c < 0x80) {
        b->held[0] = (unsigned char)c;
        b->held_len = 1;
        return;
    }
    b->held_len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = b->held_len - 1; i > 0; i--, c >>= 6)
        b->held[i] = (unsigned char)(0x80 | (c & 0x3f));
    b->held[0] = (unsigned char)((0xf0 << (4 - b->held_len)) | c);
}

static void read_escape(struct bytes *b)
{
    static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
    char letter = b->raw.p[b->pos + 1];
    const char *at = strchr(letters, letter);
    if (letter != 'u') {
        b->pos += 2;
        hold_code_point(b, (unsigned char)(at ? meant[at - letters] : letter));
        return;
    }
    uint32_t c = (uint32_t)json_hex4(b->raw.p + b->pos + 2);
    b->pos += 6;
    if (c >= 0xd800 && c < 0xdc00) { /* the other half follows: the scanner has seen it */
        c = 0x10000 + ((c - 0xd800) << 10) + ((uint32_t)json_hex4(b->raw.p + b->pos + 2) - 0xdc00);
        b->pos += 6;
    }
    hold_code_point(b, c);
}

/* The next byte, -1 at the end. */
static int next_byte(struct bytes *b)
{
    if (b->held_pos < b->held_len)
        return b->held[b->held_pos++];
    if (b->pos == b->raw.len)
        return -1;
    if (b->raw.p[b->pos] != '\\')
        return (unsigned char)b->raw.p[b->pos++];
    read_escape(b);
    return b->held[b->held_pos++];
}

static int compare_escaped(const struct json_name *a, const struct json_name *b)
{
    struct bytes left = {.raw = a->raw}, right = {.raw = b->raw};
    for (;;) {
        int l = next_byte(&left), r = next_byte(&right);
        if (l != r || l < 0)
            return l - r;
    }
}

static int compare_names(const struct json_name *a, const struct json_name *b)
{
    if (a->escaped || b->escaped)
        return compare_escaped(a, b);
    size_t shorter = a->raw.len < b->raw.len ? a->raw.len : b->raw.len;
    int order = memcmp(a->raw.p, b->raw.p, shorter);
    return order ? order : (a->raw.len > b->raw.len) - (a->raw.len < b->raw.len);
}

static int compare_for_sort(const void *a, const void *b)
{
    return compare_names(a, b);
}

struct slice json_names_pop(struct json_names *names, size_t base)
{
    struct json_name *own = names->list + base;
    size_t count = names->count - base;
    names->count = base;
    if (count > 1)
        qsort(own, count, sizeof(*own), compare_for_sort);
    for (size_t i = 1; i < count; i++) {
        if (compare_names(&own[i - 1], &own[i]) == 0)
            return own[i].raw.p > own[i - 1].raw.p ? own[i].raw : own[i - 1].raw;
    }
    return SLICE_NONE;
}
