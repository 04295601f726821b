/* SPDX-License-Identifier: Apache-2.0 */
/* Ids of operations, both ways. */
#include "operation_id.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void append_base64url(struct buf *out, struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    for (size_t i = 0; i < s.len; i += 3) {
        size_t n = s.len - i < 3 ? s.len - i : 3;
        uint32_t bits = (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (n > 2 ? p[i + 2] : 0);
        const char text[4] = {digits[bits >> 18], digits[bits >> 12 & 63], digits[bits >> 6 & 63], digits[bits & 63]};
        buf_append(out, text, n + 1);
    }
}

/* Into `text`, which has room; its length, or SIZE_MAX when it is not the only spelling of what it says. */
static size_t read_base64url(struct slice s, char *text)
{
    size_t len = 0;
    uint32_t bits = 0;
    int have = 0;
    for (size_t i = 0; i < s.len; i++) {
        const char *digit = s.p[i] ? strchr(digits, s.p[i]) : NULL;
        if (!digit)
            return SIZE_MAX;
        bits = bits << 6 | (uint32_t)(digit - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            text[len++] = (char)(bits >> have);
            bits &= (1U << have) - 1;
        }
    }
    return have >= 6 || bits ? SIZE_MAX : len;
}

/* Takes what stands before the next line end off the front. */
static bool take_line(struct slice *rest, struct slice *ret_line)
{
    const char *end = rest->len ? memchr(rest->p, '\n', rest->len) : NULL;
    if (!end)
        return false;
    *ret_line = slice_make(rest->p, (size_t)(end - rest->p));
    *rest = slice_make(end + 1, rest->len - ret_line->len - 1);
    return true;
}

bool operation_parse(struct slice id, struct operation_name *ret_name)
{
    if (!id.p || id.len > OPERATION_ID_MAX)
        return false;
    size_t len = read_base64url(id, ret_name->text);
    if (len == SIZE_MAX)
        return false;
    struct slice rest = slice_make(ret_name->text, len);
    bool whole = take_line(&rest, &ret_name->service) && take_line(&rest, &ret_name->command_id);
    ret_name->key = rest;
    return whole && ret_name->service.len > 0 && ret_name->command_id.len > 0 && ret_name->command_id.len <= ENVELOPE_ID_MAX &&
           rest.len > 0 && rest.len <= ENVELOPE_KEY_MAX;
}

void operation_write(struct buf *out, struct slice service, struct slice command_id, struct slice key)
{
    struct buf name = {0};
    buf_append_slice(&name, service);
    buf_append_text(&name, "\n");
    buf_append_slice(&name, command_id);
    buf_append_text(&name, "\n");
    buf_append_slice(&name, key);
    append_base64url(out, buf_slice(&name));
    out->failed |= name.failed;
    buf_done(&name);
}
