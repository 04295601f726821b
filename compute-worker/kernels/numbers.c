/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers out of text: what they may look like, and where they stand in JSON and CSV. */
#include "kernels/numbers.h"

#include <math.h>
#include <stdlib.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static size_t count_digits(struct slice s, size_t at)
{
    size_t count = 0;
    while (at + count < s.len && is_digit(s.p[at + count]))
        count++;
    return count;
}

static bool is_sign(struct slice s, size_t at)
{
    return at < s.len && (s.p[at] == '+' || s.p[at] == '-');
}

/* [sign] digits [. digits] [e [sign] digits], where one side of the point may be empty. */
static bool looks_like_number(struct slice s)
{
    size_t at = is_sign(s, 0), whole = count_digits(s, at), digits = whole;
    at += whole;
    if (at < s.len && s.p[at] == '.') {
        size_t fraction = count_digits(s, ++at);
        digits += fraction;
        at += fraction;
    }
    if (digits == 0)
        return false;
    if (at < s.len && (s.p[at] == 'e' || s.p[at] == 'E')) {
        at++;
        at += is_sign(s, at);
        size_t exponent = count_digits(s, at);
        at += exponent;
        if (exponent == 0)
            return false;
    }
    return at == s.len;
}

static struct slice trim(struct slice s)
{
    while (s.len && is_blank(s.p[0]))
        s = slice_make(s.p + 1, s.len - 1);
    while (s.len && is_blank(s.p[s.len - 1]))
        s.len--;
    return s;
}

bool number_parse(struct slice text, double *ret_value)
{
    char copy[NUMBERS_CHARACTERS + 1]; /* with its end, for strtod() */
    text = trim(text);
    if (text.len > NUMBERS_CHARACTERS || !looks_like_number(text))
        return false;
    memcpy(copy, text.p, text.len);
    copy[text.len] = '\0';
    double value = strtod(copy, NULL);
    if (!(fabs(value) <= NUMBERS_LIMIT))
        return false;
    *ret_value = value;
    return true;
}

/* ---- JSON ---- */

static void skip_space(struct numbers_json *in)
{
    while (in->pos < in->text.len && strchr(" \t\r\n", in->text.p[in->pos]) && in->text.p[in->pos])
        in->pos++;
}

/* The next element's text: up to a comma, a bracket or a blank. One of another kind than a number or null is cut short, and so none. */
static struct slice take_element(struct numbers_json *in)
{
    size_t start = in->pos;
    while (in->pos < in->text.len && in->text.p[in->pos] && !strchr(" \t\r\n,]", in->text.p[in->pos]))
        in->pos++;
    return slice_make(in->text.p + start, in->pos - start);
}

enum numbers_next numbers_json_next(struct numbers_json *in, double *ret_value)
{
    skip_space(in);
    char c = in->pos < in->text.len ? in->text.p[in->pos] : ']';
    if (c == ']')
        return NUMBERS_END;
    if (c != (in->index ? ',' : '['))
        return NUMBERS_WRONG;
    in->pos++;
    skip_space(in);
    if (!in->index && in->pos < in->text.len && in->text.p[in->pos] == ']')
        return NUMBERS_END;
    in->index++;
    struct slice element = take_element(in);
    if (slice_is(element, "null"))
        return NUMBERS_MISSING;
    return number_parse(element, ret_value) ? NUMBERS_VALUE : NUMBERS_WRONG;
}

/* ---- CSV ---- */

/* What follows a field. */
enum field_end { FIELD_MORE, FIELD_LAST, FIELD_WRONG };

static enum field_end wrong(struct numbers_csv *in, const char *why)
{
    in->why = why;
    return FIELD_WRONG;
}

/* Moves behind the delimiter or line end at `pos`. */
static enum field_end end_field(struct numbers_csv *in)
{
    const char *p = in->text.p + in->pos;
    size_t left = in->text.len - in->pos;
    if (left == 0)
        return FIELD_LAST;
    if (p[0] == in->delimiter) {
        in->pos++;
        return FIELD_MORE;
    }
    size_t len = p[0] == '\n' ? 1 : left > 1 && p[0] == '\r' && p[1] == '\n' ? 2 : 0;
    if (len == 0)
        return wrong(in, "after a closing quote only a delimiter or the end of the line may stand, and a CR only before an LF");
    in->pos += len;
    in->line++;
    return FIELD_LAST;
}

static enum field_end take_quoted(struct numbers_csv *in, struct slice *ret_field)
{
    size_t start = ++in->pos;
    uint64_t lines = 0;
    for (; in->pos < in->text.len; in->pos++) {
        char c = in->text.p[in->pos];
        lines += c == '\n';
        if (c != '"')
            continue;
        if (in->pos + 1 < in->text.len && in->text.p[in->pos + 1] == '"') {
            in->pos++;
            continue;
        }
        *ret_field = slice_make(in->text.p + start, in->pos++ - start);
        in->line += lines;
        return end_field(in);
    }
    return wrong(in, "a quoted field does not end");
}

static enum field_end take_field(struct numbers_csv *in, struct slice *ret_field)
{
    if (in->pos < in->text.len && in->text.p[in->pos] == '"')
        return take_quoted(in, ret_field);
    size_t start = in->pos;
    for (; in->pos < in->text.len; in->pos++) {
        char c = in->text.p[in->pos];
        if (c == in->delimiter || c == '\n' || c == '\r')
            break;
        if (c == '"')
            return wrong(in, "a quote may only stand at the beginning of a field");
    }
    *ret_field = slice_make(in->text.p + start, in->pos - start);
    return end_field(in);
}

static void skip_blank_lines(struct numbers_csv *in)
{
    for (; in->pos < in->text.len; in->pos++) {
        const char *p = in->text.p + in->pos;
        if (p[0] == '\n')
            in->line++;
        else if (p[0] != '\r' || in->pos + 1 == in->text.len || p[1] != '\n')
            return;
    }
}

enum numbers_next numbers_csv_next(struct numbers_csv *in, double *ret_value)
{
    struct slice field, wanted = SLICE("");
    enum field_end end = FIELD_MORE;
    skip_blank_lines(in);
    if (in->pos == in->text.len)
        return NUMBERS_END;
    uint64_t line = in->line;
    for (size_t column = 1; end == FIELD_MORE; column++) {
        end = take_field(in, &field);
        if (end != FIELD_WRONG && column == in->column)
            wanted = field;
    }
    if (end == FIELD_WRONG)
        return NUMBERS_WRONG;
    if (trim(wanted).len == 0)
        return NUMBERS_MISSING;
    if (number_parse(wanted, ret_value))
        return NUMBERS_VALUE;
    in->line = line;
    in->why = "this field is not a number from -1e100 to 1e100";
    return NUMBERS_WRONG;
}

bool numbers_csv_header(struct numbers_csv *in, struct slice name)
{
    enum field_end end = FIELD_MORE;
    bool found = !name.p;
    skip_blank_lines(in);
    for (size_t column = 1; end == FIELD_MORE; column++) {
        struct slice field;
        end = take_field(in, &field);
        if (end != FIELD_WRONG && !found && slice_equal(trim(field), name)) {
            found = true;
            in->column = column;
        }
    }
    if (end != FIELD_WRONG && !found)
        in->why = "no column of the first line has that name";
    return end != FIELD_WRONG && found;
}

/* ---- JSON strings ---- */

static uint32_t read_hex4(const char *p)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value = value * 16 + (uint32_t)(is_digit(p[i]) ? p[i] - '0' : (p[i] | 32) - 'a' + 10);
    return value;
}

static size_t put_utf8(char *out, uint32_t c)
{
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(lead[len] | c);
    return len;
}

/* `p` is behind the u; moves it behind the escape, and the other half's. */
static size_t put_unicode(char *out, const char **p)
{
    uint32_t c = read_hex4(*p);
    *p += 4;
    if (c >= 0xd800 && c < 0xdc00) {
        c = 0x10000 + ((c - 0xd800) << 10) + (read_hex4(*p + 2) - 0xdc00);
        *p += 6;
    }
    return put_utf8(out, c);
}

size_t numbers_unescape(struct slice string, char *ret_text)
{
    static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
    const char *p = string.p + 1, *end = string.p + string.len - 1;
    size_t len = 0;
    while (p < end) {
        if (*p != '\\') {
            ret_text[len++] = *p++;
            continue;
        }
        char letter = p[1];
        const char *at = strchr(letters, letter);
        p += 2;
        if (letter == 'u')
            len += put_unicode(ret_text + len, &p);
        else
            ret_text[len++] = at ? meant[at - letters] : letter;
    }
    return len;
}
