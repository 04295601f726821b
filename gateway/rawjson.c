/* SPDX-License-Identifier: Apache-2.0 */
/* Walking JSON text without understanding more of it than where values end. */
#include "rawjson.h"

static void skip_blanks(struct rawjson *scan)
{
    while (scan->p < scan->end &&
           (*scan->p == ' ' || *scan->p == '\n' || *scan->p == '\r' || *scan->p == '\t'))
        scan->p++;
}

bool rawjson_take(struct rawjson *scan, char c)
{
    skip_blanks(scan);
    if (scan->p == scan->end || *scan->p != c)
        return false;
    scan->p++;
    return true;
}

void rawjson_expect(struct rawjson *scan, char c)
{
    if (!rawjson_take(scan, c))
        scan->bad = true;
}

/* A string's inside, still escaped: enough to compare with our own member names, which need no escapes. */
static struct slice take_string(struct rawjson *scan)
{
    rawjson_expect(scan, '"');
    const char *start = scan->p;
    for (; !scan->bad && scan->p < scan->end; scan->p++) {
        if (*scan->p == '"')
            return slice_make(start, (size_t)(scan->p++ - start));
        if (*scan->p == '\\' && ++scan->p == scan->end)
            break;
    }
    scan->bad = true;
    return SLICE_NONE;
}

/* No recursion: a value ends where its brackets are even. */
struct slice rawjson_value(struct rawjson *scan)
{
    skip_blanks(scan);
    const char *start = scan->p;
    size_t depth = 0;
    while (!scan->bad && scan->p < scan->end) {
        char c = *scan->p;
        if (c == '"') {
            take_string(scan);
        } else if (c == '{' || c == '[') {
            depth++;
            scan->p++;
        } else if (c == '}' || c == ']' || c == ',') {
            if (depth == 0)
                break;
            depth -= c != ',';
            scan->p++;
        } else {
            scan->p++;
        }
        if (depth == 0 && (c == '"' || c == '}' || c == ']'))
            break;
    }
    if (depth || scan->p == start)
        scan->bad = true;
    while (scan->p > start && (scan->p[-1] == ' ' || scan->p[-1] == '\n'))
        scan->p--;
    return slice_make(start, (size_t)(scan->p - start));
}

struct slice rawjson_member(struct slice object, const char *name, bool *ret_bad)
{
    if (!object.p) {
        *ret_bad = true;
        return SLICE_NONE;
    }
    struct rawjson scan = {object.p, object.p + object.len, false};
    struct slice found = SLICE_NONE;
    rawjson_expect(&scan, '{');
    if (!scan.bad && rawjson_take(&scan, '}'))
        return SLICE_NONE;
    do {
        struct slice key = take_string(&scan);
        rawjson_expect(&scan, ':');
        struct slice value = scan.bad ? SLICE_NONE : rawjson_value(&scan);
        if (slice_is(key, name))
            found = value;
    } while (!scan.bad && rawjson_take(&scan, ','));
    rawjson_expect(&scan, '}');
    *ret_bad |= scan.bad;
    return scan.bad ? SLICE_NONE : found;
}
