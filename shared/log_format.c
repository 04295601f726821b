/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs, escaped for their style. */
#include "log_format.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "utf8.h"

#define END_ROOM  4  /* quote, brace, newline, NUL */
#define VALUE_MAX 1536

void log_text_begin(struct log_text *text, enum log_style style, char *data, size_t size)
{
    *text = (struct log_text){.style = style, .data = data, .size = size - END_ROOM};
    if (style == LOG_STYLE_JSON)
        data[text->len++] = '{';
}

static void add(struct log_text *text, const char *bytes, size_t len)
{
    if (text->full || len > text->size - text->len) {
        text->full = true;
        return;
    }
    memcpy(text->data + text->len, bytes, len);
    text->len += len;
}

static void add_text(struct log_text *text, const char *bytes)
{
    add(text, bytes, strlen(bytes));
}

/* Escapes as JSON has them (RFC 8259 section 7), which readers of quoted logfmt values understand, too. */
static void add_escaped(struct log_text *text, struct slice value)
{
    for (size_t at = 0; at < value.len;) {
        unsigned char c = (unsigned char)value.p[at];
        size_t len = utf8_char_len(value, at);
        char escape[8];
        if (len > 1) {
            add(text, value.p + at, len);
        } else if (len == 0) {
            add_text(text, "\xef\xbf\xbd"); /* U+FFFD: not UTF-8 */
            len = 1;
        } else if (c == '"' || c == '\\') {
            snprintf(escape, sizeof(escape), "\\%c", c);
            add_text(text, escape);
        } else if (c < 0x20 || c == 0x7f) {
            snprintf(escape, sizeof(escape), "\\u%04x", c);
            add_text(text, escape);
        } else {
            add(text, value.p + at, 1);
        }
        at += len;
    }
}

static bool wants_quotes(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if (c <= 0x20 || c >= 0x7f || c == '"' || c == '=' || c == '\\')
            return true;
    }
    return value.len == 0;
}

static void add_key(struct log_text *text, struct slice key)
{
    bool json = text->style == LOG_STYLE_JSON;
    if (text->begun)
        add_text(text, json ? "," : " ");
    text->begun = true;
    add_text(text, json ? "\"" : "");
    add(text, key.p, key.len);
    add_text(text, json ? "\":" : "=");
}

/* Whole or not at all: half a pair would not be read. */
static void add_pair(struct log_text *text, struct slice key, struct slice value, bool quoted, bool number)
{
    struct log_text before = *text;
    bool json = text->style == LOG_STYLE_JSON, quotes = !number && (json || quoted || wants_quotes(value));
    add_key(text, key);
    add_text(text, quotes ? "\"" : "");
    add_escaped(text, value);
    add_text(text, quotes ? "\"" : "");
    if (!text->full || before.full)
        return;
    *text = before;
    text->full = true;
}

void log_text_pair(struct log_text *text, const char *key, struct slice value, bool quoted)
{
    add_pair(text, slice_of(key), value, quoted, false);
}

void log_text_number(struct log_text *text, const char *key, uint64_t value)
{
    char digits[24];
    snprintf(digits, sizeof(digits), "%" PRIu64, value);
    add_pair(text, slice_of(key), slice_of(digits), false, true);
}

size_t log_text_end(struct log_text *text)
{
    if (text->style == LOG_STYLE_JSON)
        text->data[text->len++] = '}';
    text->data[text->len++] = '\n';
    text->data[text->len] = '\0';
    return text->len;
}

/* ---- the format ---- */

struct value {
    char bytes[VALUE_MAX];
    size_t len;
    int conversions, numbers;
    bool literal; /* has bytes of the format itself */
};

/* As much as there is room for, and no part of a character. */
static void value_add(struct value *value, struct slice bytes)
{
    size_t room = sizeof(value->bytes) - value->len;
    if (bytes.len > room)
        bytes = utf8_is_valid(bytes) ? utf8_prefix(slice_make(bytes.p, room)) : slice_make(bytes.p, room);
    if (bytes.len)
        memcpy(value->bytes + value->len, bytes.p, bytes.len);
    value->len += bytes.len;
}

static int64_t take_signed(const char *modifier, size_t len, va_list *args)
{
    if (len == 1 && *modifier == 'z')
        return (int64_t)va_arg(*args, ssize_t);
    return len == 2 ? (int64_t)va_arg(*args, long long) : len == 1 ? (int64_t)va_arg(*args, long) : va_arg(*args, int);
}

static uint64_t take_unsigned(const char *modifier, size_t len, va_list *args)
{
    if (len == 1 && *modifier == 'z')
        return va_arg(*args, size_t);
    return len == 2 ? va_arg(*args, unsigned long long) : len == 1 ? va_arg(*args, unsigned long) : va_arg(*args, unsigned);
}

static void add_integer(struct value *value, const char *modifier, size_t len, char type, va_list *args)
{
    char digits[24];
    if (type == 'd' || type == 'i')
        snprintf(digits, sizeof(digits), "%" PRId64, take_signed(modifier, len, args));
    else if (type == 'x')
        snprintf(digits, sizeof(digits), "%" PRIx64, take_unsigned(modifier, len, args));
    else
        snprintf(digits, sizeof(digits), "%" PRIu64, take_unsigned(modifier, len, args));
    value_add(value, slice_of(digits));
    value->numbers += type != 'x';
}

/* One conversion, `*at` behind its '%'. */
static void convert(struct value *value, const char **at, va_list *args)
{
    const char *p = *at;
    bool bounded = strncmp(p, ".*", 2) == 0;
    int bound = bounded ? va_arg(*args, int) : -1;
    p += bounded ? 2 : 0;
    size_t modifier = strspn(p, "lz");
    char type = p[modifier];
    value->conversions++;
    if (type == 's') {
        const char *text = va_arg(*args, const char *);
        text = text ? text : "";
        value_add(value, bound >= 0 ? slice_make(text, strnlen(text, (size_t)bound)) : slice_of(text));
    } else if (type == 'c') {
        char c = (char)va_arg(*args, int);
        value_add(value, slice_make(&c, 1));
    } else {
        assert(type == 'd' || type == 'i' || type == 'u' || type == 'x'); /* log.h says which there are */
        add_integer(value, p, modifier, type, args);
    }
    *at = p + modifier + 1;
}

/* A value: up to the closing quote, or the next space. */
static const char *read_value(struct value *value, const char *at, bool quoted, va_list *args)
{
    while (*at && *at != (quoted ? '"' : ' ')) {
        if (*at == '%' && at[1] != '%') {
            at++;
            convert(value, &at, args);
            continue;
        }
        at += *at == '%';
        value_add(value, slice_make(at++, 1));
        value->literal = true;
    }
    return *at ? at + 1 : at;
}

void log_text_pairs(struct log_text *text, const char *format, va_list given)
{
    va_list args;
    va_copy(args, given);
    while (*format) {
        struct value value; /* its bytes are not cleared: there are many of them */
        size_t key_len = strcspn(format, "= ");
        struct slice key = slice_make(format, key_len);
        if (key_len == 0) { /* spaces between pairs */
            format++;
            continue;
        }
        format += key_len + (format[key_len] == '=');
        bool quoted = *format == '"';
        value.len = 0;
        value.conversions = value.numbers = 0;
        value.literal = false;
        format = read_value(&value, format + quoted, quoted, &args);
        bool number = value.conversions == 1 && value.numbers == 1 && !value.literal && !quoted;
        add_pair(text, key, slice_make(value.bytes, value.len), quoted, number);
    }
    va_end(args);
}

bool log_format_has(const char *format, const char *key)
{
    size_t len = strlen(key);
    for (const char *at = format; (at = strstr(at, key)); at++) {
        if ((at == format || at[-1] == ' ') && at[len] == '=')
            return true;
    }
    return false;
}

void log_module_of(const char *file, char ret_name[LOG_MODULE_SIZE])
{
    const char *name = file, *slash = strrchr(file, '/');
    for (const char *p = file; slash && p < slash; p++) {
        if (*p == '/')
            name = p + 1; /* behind the last slash but one */
    }
    size_t len = strlen(name);
    if (len > 2 && strcmp(name + len - 2, ".c") == 0)
        len -= 2;
    snprintf(ret_name, LOG_MODULE_SIZE, "%.*s", (int)len, name);
}
