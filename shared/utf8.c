/* SPDX-License-Identifier: Apache-2.0 */
/* Checking UTF-8 by the table of well-formed byte sequences. */
#include "utf8.h"

/* Unicode 15, table 3-7: only the second byte's range depends on the first byte. */
static const struct {
    unsigned char first_min, first_max, second_min, second_max;
    size_t len;
} forms[] = {
    {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
    {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
    {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static bool is_continuation(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

size_t utf8_char_len(struct slice s, size_t pos)
{
    const unsigned char *p = (const unsigned char *)s.p + pos;
    size_t left = s.len - pos;
    if (p[0] < 0x80)
        return 1;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (p[0] < forms[i].first_min || p[0] > forms[i].first_max)
            continue;
        if (left < forms[i].len || p[1] < forms[i].second_min || p[1] > forms[i].second_max)
            return 0;
        for (size_t k = 2; k < forms[i].len; k++) {
            if (!is_continuation(p[k]))
                return 0;
        }
        return forms[i].len;
    }
    return 0;
}

bool utf8_is_text(struct slice s)
{
    for (size_t pos = 0, len; pos < s.len; pos += len) {
        unsigned char c = (unsigned char)s.p[pos];
        len = utf8_char_len(s, pos);
        if (len == 0 || c < 0x20 || c == 0x7f)
            return false;
        if (c == 0xc2 && (unsigned char)s.p[pos + 1] < 0xa0) /* U+0080..U+009F */
            return false;
    }
    return true;
}

struct slice utf8_prefix(struct slice s)
{
    size_t at = 0;
    for (size_t len; at < s.len; at += len) {
        len = utf8_char_len(s, at);
        if (len == 0)
            break;
    }
    return slice_make(s.p, at);
}

bool utf8_is_valid(struct slice s)
{
    return utf8_prefix(s).len == s.len;
}
