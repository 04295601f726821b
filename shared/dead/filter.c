/* SPDX-License-Identifier: Apache-2.0 */
/* Filters from texts, and matching. */
#include "dead/filter.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "config_value.h"
#include "utf8.h"

const char *const dead_filter_names[] = {"service",    "class", "reason_contains", "type",  "key",
                                         "command_id", "since", "until",           "state", NULL};

struct text_member {
    const char *name;
    size_t offset, size;
};
#define MEMBER(member)                                                                                       \
    {                                                                                                        \
        #member, offsetof(struct dead_filter, member), sizeof(((struct dead_filter *)0)->member)             \
    }
static const struct text_member texts[] = {MEMBER(service), MEMBER(class), MEMBER(reason_contains),
                                           MEMBER(type),    MEMBER(key),   MEMBER(command_id)};
#define TEXTS (sizeof(texts) / sizeof(texts[0]))

void dead_error_set(struct dead_error *ret_error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(ret_error->text, sizeof(ret_error->text), format, args);
    va_end(args);
}

void dead_filter_init(struct dead_filter *filter)
{
    memset(filter, 0, sizeof(*filter));
}

bool dead_filter_is_empty(const struct dead_filter *filter)
{
    for (size_t i = 0; i < TEXTS; i++) {
        if (*((const char *)filter + texts[i].offset))
            return false;
    }
    return !filter->since_ms && !filter->until_ms;
}

/* A moment, or how long ago it was. */
static bool read_time(struct slice value, int64_t now_ms, int64_t *ret_ms)
{
    static const struct config_key duration = {"ago", CONFIG_DURATION, NULL, 0, INT64_C(100) * 366 * 86400000, ""};
    char text[64];
    int64_t ago_ms;
    if (clock_parse_rfc3339(value, ret_ms))
        return *ret_ms > 0;
    if (value.len == 0 || value.len >= sizeof(text) || (value.p[value.len - 1] >= '0' && value.p[value.len - 1] <= '9'))
        return false; /* a number alone could be a year as well as milliseconds */
    snprintf(text, sizeof(text), "%.*s", SLICE_ARG(value));
    if (!config_value_parse(&duration, text, &ago_ms))
        return false;
    *ret_ms = now_ms - ago_ms;
    return *ret_ms > 0;
}

static bool read_state(struct slice value, enum dead_state *ret_state)
{
    for (enum dead_state state = DEAD_OPEN; state <= DEAD_ANY; state++) {
        if (slice_is(value, dead_state_name(state))) {
            *ret_state = state;
            return true;
        }
    }
    return false;
}

bool dead_filter_set(struct dead_filter *filter, const char *name, struct slice value, int64_t now_ms,
                     struct dead_error *ret_error)
{
    for (size_t i = 0; i < TEXTS; i++) {
        if (strcmp(texts[i].name, name) != 0)
            continue;
        if (value.len == 0 || value.len >= texts[i].size || memchr(value.p, 0, value.len) || !utf8_is_valid(value)) {
            dead_error_set(ret_error, "%s must be UTF-8 text of 1 to %zu bytes", name, texts[i].size - 1);
            return false;
        }
        char *to = (char *)filter + texts[i].offset;
        memset(to, 0, texts[i].size);
        memcpy(to, value.p, value.len);
        return true;
    }
    if (strcmp(name, "since") == 0 || strcmp(name, "until") == 0) {
        if (read_time(value, now_ms, *name == 's' ? &filter->since_ms : &filter->until_ms))
            return true;
        dead_error_set(ret_error, "%s must be a time like 2026-01-31T12:00:00Z, or how long ago, like 2h", name);
    } else if (strcmp(name, "state") == 0) {
        if (read_state(value, &filter->state))
            return true;
        dead_error_set(ret_error, "state must be open, redriven, discarded or any");
    } else {
        dead_error_set(ret_error, "there is no filter \"%.40s\"; there are service, class, reason_contains, type, key, command_id, since, until and state",
                       name);
    }
    return false;
}

static void append_time(struct buf *out, const char *name, int64_t wall_ms)
{
    char text[CLOCK_RFC3339_SIZE];
    if (!wall_ms)
        return;
    clock_format_rfc3339(wall_ms, text);
    buf_printf(out, ",\"%s\":\"%s\"", name, text);
}

void dead_filter_write(struct buf *out, const struct dead_filter *filter)
{
    buf_printf(out, "{\"state\":\"%s\"", dead_state_name(filter->state));
    for (size_t i = 0; i < TEXTS; i++) {
        const char *text = (const char *)filter + texts[i].offset;
        if (!*text)
            continue;
        buf_printf(out, ",\"%s\":", texts[i].name);
        buf_append_json(out, slice_of(text));
    }
    append_time(out, "since", filter->since_ms);
    append_time(out, "until", filter->until_ms);
    buf_append_text(out, "}");
}

static bool same(const char *wanted, struct slice value)
{
    return !*wanted || slice_is(value, wanted);
}

static bool contains(struct slice value, const char *part)
{
    return !*part || (value.p && memmem(value.p, value.len, part, strlen(part)));
}

bool dead_filter_matches(const struct dead_filter *filter, const struct dead_letter *letter, enum dead_state state)
{
    return (filter->state == DEAD_ANY || filter->state == state) && same(filter->service, slice_of(letter->id.service)) &&
           same(filter->class, letter->class) && same(filter->type, letter->type) && same(filter->key, letter->key) &&
           same(filter->command_id, letter->command_id) && contains(letter->reason, filter->reason_contains) &&
           (!filter->since_ms || letter->died_ms >= filter->since_ms) &&
           (!filter->until_ms || letter->died_ms < filter->until_ms);
}
