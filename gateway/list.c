/* SPDX-License-Identifier: Apache-2.0 */
/* Merging pages. Reads just as much JSON as it takes to find the items and their ids; what it copies it leaves alone. */
#include "list.h"

#include <inttypes.h>

#include "syntax.h"

/* A place in a JSON text; `bad` once something did not fit. */
struct scan {
    const char *p, *end;
    bool bad;
};

/* One partition's page: the item it stands at, and what follows. */
struct page {
    struct scan scan; /* behind the current item */
    bool has_item;
    struct slice item;
    int64_t id;
    bool more; /* the partition has items beyond this page */
};

static void skip_blanks(struct scan *scan)
{
    while (scan->p < scan->end && (*scan->p == ' ' || *scan->p == '\n' || *scan->p == '\r' || *scan->p == '\t'))
        scan->p++;
}

static bool take(struct scan *scan, char c)
{
    skip_blanks(scan);
    if (scan->p == scan->end || *scan->p != c)
        return false;
    scan->p++;
    return true;
}

static void expect(struct scan *scan, char c)
{
    if (!take(scan, c))
        scan->bad = true;
}

/* A string's inside, still escaped: enough to compare with our own member names, which need no escapes. */
static struct slice take_string(struct scan *scan)
{
    expect(scan, '"');
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

/* Skips one value of any kind. No recursion: a value ends where its brackets are even. */
static struct slice take_value(struct scan *scan)
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

/* The value of a member of the object, as it is written; SLICE_NONE when it is not there. */
static struct slice member(struct slice object, const char *name, bool *ret_bad)
{
    if (!object.p) {
        *ret_bad = true;
        return SLICE_NONE;
    }
    struct scan scan = {object.p, object.p + object.len, false};
    struct slice found = SLICE_NONE;
    expect(&scan, '{');
    if (!scan.bad && take(&scan, '}'))
        return SLICE_NONE;
    do {
        struct slice key = take_string(&scan);
        expect(&scan, ':');
        struct slice value = scan.bad ? SLICE_NONE : take_value(&scan);
        if (slice_is(key, name))
            found = value;
    } while (!scan.bad && take(&scan, ','));
    expect(&scan, '}');
    *ret_bad |= scan.bad;
    return scan.bad ? SLICE_NONE : found;
}

/* Moves to the page's next item, if any. */
static void page_next(struct page *page, bool *ret_bad)
{
    struct scan *scan = &page->scan;
    page->has_item = false;
    if (take(scan, ']'))
        return;
    if (page->item.p)
        expect(scan, ',');
    page->item = scan->bad ? SLICE_NONE : take_value(scan);
    if (scan->bad || !syntax_int64(member(page->item, "id", ret_bad), &page->id))
        *ret_bad = true;
    else
        page->has_item = true;
}

static void page_open(struct page *page, struct slice text, bool *ret_bad)
{
    struct slice items = member(text, "items", ret_bad);
    *page = (struct page){.more = slice_is(member(text, "more", ret_bad), "true")};
    if (items.p)
        page->scan = (struct scan){items.p, items.p + items.len, false};
    if (!items.p || !take(&page->scan, '['))
        *ret_bad = true;
    else
        page_next(page, ret_bad);
}

/* The page whose item comes next; NULL when there is none, or when it cannot be known. */
static struct page *first_page(struct page *pages, size_t count)
{
    struct page *first = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!pages[i].has_item && pages[i].more)
            return NULL;
        if (pages[i].has_item && (!first || pages[i].id < first->id))
            first = &pages[i];
    }
    return first;
}

bool list_merge(const struct slice *texts, size_t count, int64_t limit, struct buf *out)
{
    struct page pages[PENDING_PARTS_MAX], *page;
    bool bad = false, any_left = false;
    int64_t taken = 0, last_id = 0;
    for (size_t i = 0; i < count; i++)
        page_open(&pages[i], texts[i], &bad);
    buf_append_text(out, "{\"items\":[");
    while (!bad && taken < limit && (page = first_page(pages, count))) {
        if (taken++)
            buf_append_text(out, ",");
        buf_append_slice(out, page->item);
        last_id = page->id;
        page_next(page, &bad);
    }
    for (size_t i = 0; i < count; i++)
        any_left |= pages[i].has_item || pages[i].more;
    if (any_left && taken)
        buf_printf(out, "],\"next\":\"%" PRId64 "\"}", last_id);
    else
        buf_append_text(out, "],\"next\":null}");
    return !bad && buf_ok(out);
}
