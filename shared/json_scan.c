/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of strict JSON: one pass over the text, as deep as JSON_DEPTH_MAX, building nothing. */
#include "json.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "json_names.h"
#include "utf8.h"

struct scanner {
    struct slice text;
    size_t pos;
    int depth;
    struct json_names names; /* of the objects that are open */
    struct json_error *error;
};

static bool scan_value(struct scanner *s);

static bool refuse(struct scanner *s, size_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool refuse(struct scanner *s, size_t at, const char *format, ...)
{
    va_list args;
    int n = snprintf(s->error->text, sizeof(s->error->text), "byte %zu: ", at);
    va_start(args, format);
    vsnprintf(s->error->text + n, sizeof(s->error->text) - (size_t)n, format, args);
    va_end(args);
    return false;
}

/* The next character, NUL at the end of the text (where a NUL in the text is refused just the same). */
static char peek(const struct scanner *s)
{
    return s->pos < s->text.len ? s->text.p[s->pos] : '\0';
}

static void skip_space(struct scanner *s)
{
    while (peek(s) == ' ' || peek(s) == '\t' || peek(s) == '\n' || peek(s) == '\r')
        s->pos++;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool expected(struct scanner *s, const char *what)
{
    if (s->pos == s->text.len)
        return refuse(s, s->pos, "the text ends where %s must stand", what);
    return refuse(s, s->pos, "%s must stand here", what);
}

/* ---- strings ---- */

/* \uXXXX, and its other half where it is one of two; `s->pos` is at the backslash. */
static bool scan_unicode_escape(struct scanner *s)
{
    size_t at = s->pos;
    int32_t unit = s->text.len - at >= 6 ? json_hex4(s->text.p + at + 2) : -1;
    if (unit < 0)
        return refuse(s, at, "\\u needs four hexadecimal digits");
    if (unit == 0)
        return refuse(s, at, "\\u0000 is not allowed in a string");
    s->pos += 6;
    if (unit < 0xd800 || unit > 0xdfff)
        return true;
    const char *next = s->text.p + s->pos;
    int32_t low = -1;
    if (unit < 0xdc00 && s->text.len - s->pos >= 6 && next[0] == '\\' && next[1] == 'u')
        low = json_hex4(next + 2);
    if (low < 0xdc00 || low > 0xdfff)
        return refuse(s, at, "an unpaired surrogate is no character; write both halves");
    s->pos += 6;
    return true;
}

static bool scan_escape(struct scanner *s)
{
    char letter = s->pos + 1 < s->text.len ? s->text.p[s->pos + 1] : '\0';
    if (letter == 'u')
        return scan_unicode_escape(s);
    if (!letter || !strchr("\"\\/bfnrt", letter))
        return refuse(s, s->pos, "a backslash in a string must be followed by one of \"\\/bfnrtu");
    s->pos += 2;
    return true;
}

static bool scan_character(struct scanner *s)
{
    if ((unsigned char)peek(s) < 0x20)
        return refuse(s, s->pos, "a control character in a string must be escaped");
    size_t len = utf8_char_len(s->text, s->pos);
    if (len == 0)
        return refuse(s, s->pos, "the text is not valid UTF-8");
    s->pos += len;
    return true;
}

static bool scan_string(struct scanner *s, struct json_name *ret_name)
{
    size_t start = ++s->pos;
    ret_name->escaped = false;
    while (s->pos < s->text.len) {
        char c = s->text.p[s->pos];
        if (c == '"') {
            ret_name->raw = slice_make(s->text.p + start, s->pos - start);
            s->pos++;
            return true;
        }
        if (c == '\\')
            ret_name->escaped = true;
        if (!(c == '\\' ? scan_escape(s) : scan_character(s)))
            return false;
    }
    return refuse(s, start - 1, "this string does not end");
}

/* ---- numbers ---- */

static bool scan_digits(struct scanner *s)
{
    if (!is_digit(peek(s)))
        return expected(s, "a digit");
    while (is_digit(peek(s)))
        s->pos++;
    return true;
}

/* A NUL-terminated copy, for strtoll and strtod: a number is short. */
static bool check_range(struct scanner *s, size_t start, bool whole)
{
    char copy[JSON_NUMBER_MAX + 1];
    size_t len = s->pos - start;
    if (len > JSON_NUMBER_MAX)
        return refuse(s, start, "a number must have at most %d characters", JSON_NUMBER_MAX);
    memcpy(copy, s->text.p + start, len);
    copy[len] = '\0';
    errno = 0;
    if (whole) {
        (void)strtoll(copy, NULL, 10);
        if (errno)
            return refuse(s, start, "an integer must be from -9223372036854775808 to 9223372036854775807");
    } else if (!isfinite(strtod(copy, NULL))) {
        return refuse(s, start, "this number is too large for a double");
    }
    return true;
}

static bool scan_number(struct scanner *s)
{
    size_t start = s->pos;
    bool whole = true;
    if (peek(s) == '-')
        s->pos++;
    if (peek(s) == '0') {
        s->pos++;
        if (is_digit(peek(s)))
            return refuse(s, start, "a number must not start with 0");
    } else if (!scan_digits(s)) {
        return false;
    }
    if (peek(s) == '.') {
        whole = false;
        s->pos++;
        if (!scan_digits(s))
            return false;
    }
    if (peek(s) == 'e' || peek(s) == 'E') {
        whole = false;
        s->pos++;
        if (peek(s) == '+' || peek(s) == '-')
            s->pos++;
        if (!scan_digits(s))
            return false;
    }
    return check_range(s, start, whole);
}

/* ---- objects, arrays, values ---- */

static bool enter(struct scanner *s)
{
    if (s->depth == JSON_DEPTH_MAX)
        return refuse(s, s->pos, "objects and arrays must not be nested deeper than %d", JSON_DEPTH_MAX);
    s->depth++;
    s->pos++;
    skip_space(s);
    return true;
}

/* After an element: a comma (true in `*ret_more`) or the closing bracket. */
static bool scan_separator(struct scanner *s, char closing, bool *ret_more)
{
    skip_space(s);
    if (peek(s) != ',' && peek(s) != closing)
        return expected(s, closing == '}' ? "a comma or }" : "a comma or ]");
    *ret_more = peek(s) == ',';
    s->pos++;
    skip_space(s);
    return true;
}

static bool scan_member(struct scanner *s)
{
    struct json_name name;
    if (peek(s) != '"')
        return expected(s, "a member name in double quotes");
    if (!scan_string(s, &name))
        return false;
    if (!json_names_push(&s->names, name))
        return refuse(s, s->pos, "out of memory");
    skip_space(s);
    if (peek(s) != ':')
        return expected(s, "a colon");
    s->pos++;
    skip_space(s);
    return scan_value(s);
}

static bool scan_object(struct scanner *s)
{
    size_t base = s->names.count;
    bool more = true;
    if (!enter(s))
        return false;
    if (peek(s) == '}') {
        s->pos++;
        more = false;
    }
    while (more) {
        if (!scan_member(s) || !scan_separator(s, '}', &more))
            return false;
    }
    s->depth--;
    struct slice twice = json_names_pop(&s->names, base);
    if (twice.p)
        return refuse(s, (size_t)(twice.p - 1 - s->text.p), "this member name is there twice");
    return true;
}

static bool scan_array(struct scanner *s)
{
    bool more = true;
    if (!enter(s))
        return false;
    if (peek(s) == ']') {
        s->pos++;
        more = false;
    }
    while (more) {
        if (!scan_value(s) || !scan_separator(s, ']', &more))
            return false;
    }
    s->depth--;
    return true;
}

static bool scan_word(struct scanner *s)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t len = strlen(words[i]);
        if (s->text.len - s->pos >= len && memcmp(s->text.p + s->pos, words[i], len) == 0) {
            s->pos += len;
            return true;
        }
    }
    return expected(s, "a value (object, array, string in double quotes, number, true, false or null)");
}

static bool scan_value(struct scanner *s)
{
    struct json_name text;
    switch (peek(s)) {
    case '{':
        return scan_object(s);
    case '[':
        return scan_array(s);
    case '"':
        return scan_string(s, &text);
    default:
        return peek(s) == '-' || is_digit(peek(s)) ? scan_number(s) : scan_word(s);
    }
}

bool json_check_strict(struct slice text, struct json_error *ret_error)
{
    struct scanner s = {.text = text, .error = ret_error};
    json_names_init(&s.names);
    skip_space(&s);
    bool ok = scan_value(&s);
    skip_space(&s);
    if (ok && s.pos < text.len)
        ok = refuse(&s, s.pos, "nothing may follow the value");
    json_names_done(&s.names);
    return ok;
}
