/* SPDX-License-Identifier: Apache-2.0 */
/* Parsers of HTTP field values. */
#include "syntax.h"

#include <strings.h>

#define DAY_MS INT64_C(86400000)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_tchar(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

bool syntax_is_token(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_tchar(s.p[i]))
            return false;
    }
    return s.len > 0;
}

bool syntax_is_field_value(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

bool syntax_is_host(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        bool letter = is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && (!c || !strchr("-._~%!$&'()*+,;=:[]", c)))
            return false;
    }
    return true;
}

bool syntax_int64(struct slice s, int64_t *ret_value)
{
    size_t i = s.len > 0 && s.p[0] == '-';
    bool negative = i == 1;
    if (i == s.len || (s.p[i] == '0' && (s.len > 1)))
        return false;
    uint64_t limit = (uint64_t)INT64_MAX + negative, value = 0;
    for (; i < s.len; i++) {
        if (!is_digit(s.p[i]))
            return false;
        uint64_t digit = (uint64_t)(s.p[i] - '0');
        if (value > (limit - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *ret_value = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

static struct slice trim(struct slice s)
{
    while (s.len && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s.p++;
        s.len--;
    }
    while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Takes what comes before the first `separator` that is not inside a quoted string; `*rest` becomes what
 * follows it. */
static struct slice take_until(struct slice *rest, char separator)
{
    bool quoted = false;
    size_t i = 0;
    for (; i < rest->len; i++) {
        char c = rest->p[i];
        if (quoted && c == '\\' && i + 1 < rest->len)
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (c == separator && !quoted)
            break;
    }
    struct slice taken = trim(slice_make(rest->p, i));
    size_t skip = i < rest->len ? i + 1 : i;
    *rest = slice_make(rest->p + skip, rest->len - skip);
    return taken;
}

bool syntax_list_next(struct slice *rest, struct slice *ret_element)
{
    while (rest->len) {
        *ret_element = take_until(rest, ',');
        if (ret_element->len)
            return true;
    }
    return false;
}

static bool same(struct slice s, const char *text)
{
    return s.len == strlen(text) && strncasecmp(s.p, text, s.len) == 0;
}

static struct slice unquote(struct slice s)
{
    if (s.len >= 2 && s.p[0] == '"' && s.p[s.len - 1] == '"')
        return slice_make(s.p + 1, s.len - 2);
    return s;
}

bool syntax_is_json_type(struct slice content_type)
{
    if (!content_type.p)
        return false;
    struct slice rest = content_type;
    if (!same(take_until(&rest, ';'), "application/json"))
        return false;
    while (rest.len) {
        struct slice value = take_until(&rest, ';');
        if (value.len == 0)
            continue;
        struct slice name = take_until(&value, '=');
        if (!syntax_is_token(name))
            return false;
        if (same(name, "charset") && !same(unquote(trim(value)), "utf-8"))
            return false;
    }
    return true;
}

static bool is_printable(char c)
{
    return c >= 0x20 && c <= 0x7e;
}

size_t syntax_idempotency_key(struct slice value, char ret_key[SYNTAX_IDEMPOTENCY_KEY_MAX])
{
    struct slice s = trim(value);
    bool quoted = s.len >= 2 && s.p[0] == '"' && s.p[s.len - 1] == '"';
    if (quoted)
        s = unquote(s);
    size_t len = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        if (quoted && c == '\\') {
            /* an escape may hide only a quote or a backslash (RFC 9651 section 3.3.3) */
            if (++i == s.len || (s.p[i] != '"' && s.p[i] != '\\'))
                return 0;
            c = s.p[i];
        } else if (!is_printable(c) || c == '"') {
            return 0;
        }
        if (len == SYNTAX_IDEMPOTENCY_KEY_MAX)
            return 0;
        ret_key[len++] = c;
    }
    return len;
}

bool syntax_seconds_ms(struct slice value, int64_t *ret_ms)
{
    struct slice s = trim(value);
    int64_t ms = 0, scale = 100;
    size_t i = 0;
    for (; i < s.len && is_digit(s.p[i]); i++)
        ms = ms >= DAY_MS ? DAY_MS : ms * 10 + (s.p[i] - '0') * INT64_C(1000);
    if (i == 0)
        return false;
    if (i < s.len) {
        if (s.p[i++] != '.' || i == s.len)
            return false;
        for (; i < s.len; i++, scale /= 10) {
            if (!is_digit(s.p[i]))
                return false;
            ms += (s.p[i] - '0') * scale;
        }
    }
    *ret_ms = ms < 1 ? 1 : ms > DAY_MS ? DAY_MS : ms;
    return true;
}

/* delta-seconds: digits alone. */
static void take_wait(struct slice digits, struct syntax_prefer *prefer)
{
    int64_t ms;
    if (prefer->wait_given || memchr(digits.p, '.', digits.len) || !syntax_seconds_ms(digits, &ms))
        return;
    prefer->wait_given = true;
    prefer->wait_ms = ms < 1000 ? 0 : ms;
}

void syntax_prefer(struct slice field, struct syntax_prefer *prefer)
{
    struct slice rest = field;
    while (rest.len) {
        struct slice preference = take_until(&rest, ',');
        struct slice value = take_until(&preference, ';'); /* its parameters do not matter to us */
        struct slice name = take_until(&value, '=');
        struct slice word = unquote(trim(value));
        if (same(name, "wait"))
            take_wait(word, prefer);
        else if (same(name, "respond-async") && word.len == 0)
            prefer->respond_async = true;
    }
}

/* delta-seconds (RFC 9111 section 1.2.2): a number too great is 2^31. Keeps the smaller, or the greater, of what is given twice. */
static void take_delta(struct slice digits, bool keep_greater, int64_t strictest, bool *given, int64_t *seconds)
{
    int64_t value = 0;
    for (size_t i = 0; i < digits.len && value >= 0; i++)
        value = !is_digit(digits.p[i]) ? -1 : value >= INT32_MAX ? INT64_C(1) << 31 : value * 10 + (digits.p[i] - '0');
    if (digits.len == 0 || value < 0)
        value = strictest;
    if (!*given || (value > *seconds) == keep_greater)
        *seconds = value;
    *given = true;
}

void syntax_cache_control(struct slice field, struct syntax_cache_control *cache)
{
    struct slice rest = field;
    cache->given = true;
    while (rest.len) {
        struct slice value = take_until(&rest, ',');
        struct slice name = take_until(&value, '=');
        struct slice word = unquote(trim(value));
        if (same(name, "no-cache"))
            cache->no_cache = true;
        else if (same(name, "no-store"))
            cache->no_store = true;
        else if (same(name, "only-if-cached"))
            cache->only_if_cached = true;
        else if (same(name, "max-age"))
            take_delta(word, false, 0, &cache->max_age_given, &cache->max_age_s);
        else if (same(name, "min-fresh"))
            take_delta(word, true, INT64_C(1) << 31, &cache->min_fresh_given, &cache->min_fresh_s);
        else if (same(name, "max-stale") && word.len == 0 && !cache->max_stale_given) {
            cache->max_stale_given = true;
            cache->max_stale_s = INT64_MAX;
        } else if (same(name, "max-stale") && word.len > 0)
            take_delta(word, false, 0, &cache->max_stale_given, &cache->max_stale_s);
    }
}

static struct slice without_weakness(struct slice etag)
{
    if (etag.len >= 2 && etag.p[0] == 'W' && etag.p[1] == '/')
        return slice_make(etag.p + 2, etag.len - 2);
    return etag;
}

/* The end of the entity tag that starts at `s`; 0 when there is none. A backslash is an ordinary character in
 * it. */
static size_t etag_len(struct slice s)
{
    size_t i = s.len >= 2 && s.p[0] == 'W' && s.p[1] == '/' ? 2 : 0;
    if (i >= s.len || s.p[i] != '"')
        return 0;
    const char *end = memchr(s.p + i + 1, '"', s.len - i - 1);
    return end ? (size_t)(end - s.p) + 1 : 0;
}

bool syntax_etag_listed(struct slice if_none_match, struct slice etag)
{
    if (!if_none_match.p || !etag.p)
        return false;
    struct slice rest = trim(if_none_match), wanted = without_weakness(etag);
    if (slice_is(rest, "*"))
        return true;
    while (rest.len) {
        size_t len = etag_len(rest);
        if (len == 0)
            return false; /* malformed: no condition that could hold */
        if (slice_equal(without_weakness(slice_make(rest.p, len)), wanted))
            return true;
        rest = trim(slice_make(rest.p + len, rest.len - len));
        if (rest.len && rest.p[0] != ',')
            return false;
        while (rest.len && rest.p[0] == ',')
            rest = trim(slice_make(rest.p + 1, rest.len - 1));
    }
    return false;
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool syntax_percent_decode(struct slice s, char *ret_text, size_t *ret_len)
{
    size_t len = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        if (c == '%') {
            int high = i + 2 < s.len ? hex_value(s.p[i + 1]) : -1;
            int low = high >= 0 ? hex_value(s.p[i + 2]) : -1;
            if (low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        ret_text[len++] = c;
    }
    *ret_len = len;
    return true;
}
