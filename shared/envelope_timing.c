/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a handler worked, as a metric of Server-Timing (W3C Server Timing, section 3): "name;param=value;param=value, name…".
 *
 * Other services may say more than we look for, so what is not understood is passed over.
 */
#include "envelope.h"

#include <inttypes.h>
#include <stdio.h>

#define MS_MAX INT64_C(1000000000000) /* thirty years */

size_t envelope_write_timing(int64_t us, char ret_text[ENVELOPE_TIMING_SIZE])
{
    return (size_t)snprintf(ret_text, ENVELOPE_TIMING_SIZE, "work;dur=%" PRId64 ".%03d", us / 1000, (int)(us % 1000));
}

/* Takes what stands before `end`, without the blanks around it, off the front. */
static struct slice take(struct slice *rest, char end)
{
    const char *at = rest->len ? memchr(rest->p, end, rest->len) : NULL;
    size_t n = at ? (size_t)(at - rest->p) : rest->len;
    struct slice part = slice_make(rest->p, n);
    *rest = at ? slice_make(at + 1, rest->len - n - 1) : SLICE("");
    while (part.len && strchr(" \t", part.p[0]))
        part = slice_make(part.p + 1, part.len - 1);
    while (part.len && strchr(" \t", part.p[part.len - 1]))
        part.len--;
    return part;
}

/* Milliseconds with or without decimals, of which three count; 0: it is no such number. */
static int64_t read_ms(struct slice text)
{
    struct slice rest = text, whole = take(&rest, '.');
    int64_t us = 0, unit = 1000;
    for (size_t i = 0; i < whole.len; i++) {
        if (whole.p[i] < '0' || whole.p[i] > '9' || us > MS_MAX * 1000)
            return 0;
        us = us * 10 + (whole.p[i] - '0') * INT64_C(1000);
    }
    for (size_t i = 0; i < rest.len; i++) {
        if (rest.p[i] < '0' || rest.p[i] > '9')
            return 0;
        unit /= 10;
        us += (rest.p[i] - '0') * unit;
    }
    return us;
}

int64_t envelope_read_timing(struct slice list)
{
    while (list.len) {
        struct slice metric = take(&list, ',');
        if (!slice_is(take(&metric, ';'), "work"))
            continue;
        while (metric.len) {
            struct slice value = take(&metric, ';');
            if (slice_is(take(&value, '='), "dur"))
                return read_ms(take(&value, ';'));
        }
    }
    return 0;
}
