/* SPDX-License-Identifier: Apache-2.0 */
/* Merging pages. Reads just as much JSON as it takes to find the items and their ids; what it copies it
 * leaves alone. */
#include "list.h"

#include <inttypes.h>

#include "rawjson.h"
#include "syntax.h"

/* One partition's page: the item it stands at, and what follows. */
struct page {
    struct rawjson scan; /* behind the current item */
    bool has_item;
    struct slice item;
    int64_t id;
    bool more; /* the partition has items beyond this page */
};

/* Moves to the page's next item, if any. */
static void page_next(struct page *page, bool *ret_bad)
{
    struct rawjson *scan = &page->scan;
    page->has_item = false;
    if (rawjson_take(scan, ']'))
        return;
    if (page->item.p)
        rawjson_expect(scan, ',');
    page->item = scan->bad ? SLICE_NONE : rawjson_value(scan);
    if (scan->bad || !syntax_int64(rawjson_member(page->item, "id", ret_bad), &page->id))
        *ret_bad = true;
    else
        page->has_item = true;
}

static void page_open(struct page *page, struct slice text, bool *ret_bad)
{
    struct slice items = rawjson_member(text, "items", ret_bad);
    *page = (struct page){.more = slice_is(rawjson_member(text, "more", ret_bad), "true")};
    if (items.p)
        page->scan = (struct rawjson){items.p, items.p + items.len, false};
    if (!items.p || !rawjson_take(&page->scan, '['))
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

void list_finish(const struct received *parts, size_t count, int64_t limit, list_merge_fn *merge, const char *what,
                 struct answer *ret_answer)
{
    struct slice pages[PENDING_PARTS_MAX];
    for (size_t i = 0; i < count; i++) {
        if (parts[i].status != 200) { /* one partition's refusal is the whole list's */
            answer_reply(ret_answer, &parts[i], false, SLICE_NONE);
            return;
        }
        pages[i] = parts[i].body;
    }
    answer_json(ret_answer, 200, SLICE(""));
    if (!merge(pages, count, limit, &ret_answer->own_body))
        answer_problem(ret_answer, 502, "A worker's page of %s could not be read; please report it. Nothing was changed.", what);
}
