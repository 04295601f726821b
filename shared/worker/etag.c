/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing If-Match with a version. */
#include "worker/etag.h"

#include <inttypes.h>
#include <stdio.h>

int etag_write(int64_t version, char ret_text[ETAG_SIZE])
{
    return snprintf(ret_text, ETAG_SIZE, "\"%" PRId64 "\"", version);
}

static struct slice trim(struct slice s)
{
    while (s.len && (*s.p == ' ' || *s.p == '\t')) {
        s.p++;
        s.len--;
    }
    while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
        s.len--;
    return s;
}

bool etag_if_match(struct slice if_match, bool exists, int64_t version)
{
    if (!exists)
        return false;
    char quoted[ETAG_SIZE];
    struct slice wanted = slice_make(quoted, (size_t)etag_write(version, quoted));
    struct slice bare = slice_make(quoted + 1, wanted.len - 2);
    struct slice rest = trim(if_match);
    if (slice_is(rest, "*"))
        return true;
    while (rest.len) { /* our own tags hold no comma, so a comma always separates */
        const char *comma = memchr(rest.p, ',', rest.len);
        struct slice tag = trim(slice_make(rest.p, comma ? (size_t)(comma - rest.p) : rest.len));
        if (slice_equal(tag, wanted) || slice_equal(tag, bare))
            return true;
        if (!comma)
            break;
        rest = slice_make(comma + 1, rest.len - (size_t)(comma + 1 - rest.p));
    }
    return false;
}
