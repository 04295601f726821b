/* SPDX-License-Identifier: Apache-2.0 */
/* Merging by time, then by the command's id. */
#include "timeline.h"

#include <inttypes.h>
#include <stdlib.h>

#include "clock.h"
#include "operation_id.h"
#include "rawjson.h"
#include "syntax.h"

/* A place in the order: what is newer comes first. */
struct place {
    int64_t time_ms;
    char id[ENVELOPE_ID_MAX];
    size_t id_len;
};

struct page {
    struct rawjson scan; /* behind the current one */
    bool has_item, more;
    struct slice item;
    struct place at, until;
};

static bool is_newer(const struct place *a, const struct place *b)
{
    size_t len = a->id_len < b->id_len ? a->id_len : b->id_len;
    int order = memcmp(a->id, b->id, len);
    if (a->time_ms != b->time_ms)
        return a->time_ms > b->time_ms;
    return order ? order > 0 : a->id_len > b->id_len;
}

static bool set_place(struct place *place, int64_t time_ms, struct slice operation)
{
    struct operation_name name;
    if (!operation_parse(operation, &name))
        return false;
    place->time_ms = time_ms;
    place->id_len = name.command_id.len;
    memcpy(place->id, name.command_id.p, name.command_id.len);
    return true;
}

static bool read_cursor(struct slice text, struct place *ret_place)
{
    int64_t time_ms;
    const char *dot = text.len ? memchr(text.p, '.', text.len) : NULL;
    return dot && syntax_int64(slice_make(text.p, (size_t)(dot - text.p)), &time_ms) && time_ms >= 0 &&
           set_place(ret_place, time_ms, slice_make(dot + 1, text.len - (size_t)(dot + 1 - text.p)));
}

bool timeline_is_cursor(struct slice text)
{
    struct place place;
    return text.len <= OPERATION_ID_MAX + 16 && read_cursor(text, &place);
}

/* The inside of a string without escapes. */
static struct slice unquote(struct slice text)
{
    bool quoted = text.len >= 2 && text.p[0] == '"' && text.p[text.len - 1] == '"';
    return quoted ? slice_make(text.p + 1, text.len - 2) : SLICE_NONE;
}

static void page_next(struct page *page, bool *ret_bad)
{
    struct rawjson *scan = &page->scan;
    int64_t time_ms;
    page->has_item = false;
    if (rawjson_take(scan, ']'))
        return;
    if (page->item.p)
        rawjson_expect(scan, ',');
    page->item = scan->bad ? SLICE_NONE : rawjson_value(scan);
    struct slice time = unquote(rawjson_member(page->item, "time", ret_bad)), id = unquote(rawjson_member(page->item, "operation", ret_bad));
    page->has_item = !scan->bad && clock_parse_rfc3339(time, &time_ms) && set_place(&page->at, time_ms, id);
    *ret_bad |= !page->has_item;
}

static void page_open(struct page *page, struct slice text, bool *ret_bad)
{
    struct slice items = rawjson_member(text, "computations", ret_bad), until = rawjson_member(text, "until", ret_bad);
    page->has_item = false;
    page->item = SLICE_NONE;
    page->more = !slice_is(until, "null");
    if (page->more && !read_cursor(unquote(until), &page->until))
        *ret_bad = true;
    page->scan = (struct rawjson){items.p, items.p ? items.p + items.len : NULL, false};
    if (!items.p || !rawjson_take(&page->scan, '['))
        *ret_bad = true;
    else
        page_next(page, ret_bad);
}

/* The page whose next one is the newest; NULL: there is none, or what has not been looked at may be newer. */
static struct page *newest_page(struct page *pages, size_t count, const struct place *until)
{
    struct page *newest = NULL;
    for (size_t i = 0; i < count; i++) {
        if (pages[i].has_item && (!newest || is_newer(&pages[i].at, &newest->at)))
            newest = &pages[i];
    }
    return newest && until && is_newer(until, &newest->at) ? NULL : newest;
}

/* What all pages together have looked at ends here; NULL: at the end. */
static const struct place *newest_until(const struct page *pages, size_t count)
{
    const struct place *until = NULL;
    for (size_t i = 0; i < count; i++) {
        if (pages[i].more && (!until || is_newer(&pages[i].until, until)))
            until = &pages[i].until;
    }
    return until;
}

static void write_next(const struct place *place, struct slice text, struct buf *out)
{
    buf_append_text(out, "],\"next\":");
    if (place)
        buf_printf(out, "\"%" PRId64 ".%.*s\"}", place->time_ms, SLICE_ARG(text));
    else
        buf_append_text(out, "null}");
}

/* The cursor of the page whose `until` that is, behind its dot. */
static struct slice until_text(const struct slice *texts, const struct page *pages, const struct place *until)
{
    bool bad = false;
    for (size_t i = 0; until; i++) {
        if (&pages[i].until != until)
            continue;
        struct slice text = unquote(rawjson_member(texts[i], "until", &bad));
        const char *dot = memchr(text.p, '.', text.len);
        return slice_make(dot + 1, text.len - (size_t)(dot + 1 - text.p));
    }
    return SLICE_NONE;
}

static bool merge(struct page *pages, const struct slice *texts, size_t count, int64_t limit, struct buf *out)
{
    struct page *page;
    struct place last = {.time_ms = 0};
    struct slice last_id = SLICE_NONE;
    bool bad = false, any_left = false;
    int64_t taken = 0;
    for (size_t i = 0; i < count; i++)
        page_open(&pages[i], texts[i], &bad);
    const struct place *until = bad ? NULL : newest_until(pages, count);
    buf_append_text(out, "{\"computations\":[");
    while (!bad && taken < limit && (page = newest_page(pages, count, until))) {
        buf_append_text(out, taken++ ? "," : "");
        buf_append_slice(out, page->item);
        last = page->at;
        last_id = unquote(rawjson_member(page->item, "operation", &bad));
        page_next(page, &bad);
    }
    for (size_t i = 0; i < count; i++)
        any_left |= pages[i].has_item;
    if (taken == limit && (any_left || until))
        write_next(&last, last_id, out);
    else
        write_next(until, until_text(texts, pages, until), out);
    return !bad;
}

bool timeline_merge(const struct slice *texts, size_t count, int64_t limit, struct buf *out)
{
    struct page *pages = calloc(count, sizeof(*pages));
    bool good = pages && merge(pages, texts, count, limit, out);
    free(pages);
    return good && buf_ok(out);
}
