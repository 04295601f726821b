/* SPDX-License-Identifier: Apache-2.0 */
/* From a path to a file, and what browsers are told about it. */
#include "web.h"

#include <stdio.h>

#include "syntax.h"

/*
 * A page may only load and ask what is of this very origin: nothing inline, nothing evaluated, no frames around it. Pictures
 * that scripts made of answers are allowed. https://www.w3.org/TR/CSP3/
 */
#define PAGE_POLICY                                                                                                    \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; " \
    "form-action 'none'; frame-ancestors 'none'"

static const struct {
    const char *ending, *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
};

static bool ends_with(struct slice s, const char *ending)
{
    size_t len = strlen(ending);
    return s.len > len && memcmp(s.p + s.len - len, ending, len) == 0;
}

static bool begins_with(struct slice s, struct slice start)
{
    return s.len > start.len && memcmp(s.p, start.p, start.len) == 0;
}

const struct web_file *web_find(struct slice name)
{
    for (size_t i = 0; i < web_file_count; i++) {
        if (slice_is(name, web_files[i].name))
            return &web_files[i];
    }
    return NULL;
}

static const struct web_file *find_for(const struct request *req)
{
    char page[32];
    struct slice first = req->segments[0], last = req->segments[req->segment_count - 1];
    if (req->segment_count == 2)
        return begins_with(last, first) || begins_with(last, SLICE("page.")) ? web_find(last) : NULL;
    if (ends_with(first, ".json"))
        return web_find(first);
    int len = snprintf(page, sizeof(page), "%.*s.html", SLICE_ARG(first));
    return len < (int)sizeof(page) ? web_find(slice_make(page, (size_t)len)) : NULL;
}

static void describe(const struct web_file *file, struct answer *answer)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (ends_with(slice_of(file->name), types[i].ending))
            answer_header(answer, "Content-Type", slice_of(types[i].type));
    }
    answer_header(answer, "X-Content-Type-Options", SLICE("nosniff"));
    if (!ends_with(slice_of(file->name), ".html"))
        return;
    answer_header(answer, "Content-Security-Policy", SLICE(PAGE_POLICY));
    answer_header(answer, "Referrer-Policy", SLICE("no-referrer"));
}

void web_serve(void *context, const struct request *req, struct answer *ret_answer)
{
    const struct web_file *file = find_for(req);
    if (!file) {
        answer_problem(ret_answer, 404, "There is no such file here; the page is at /%.*s.", SLICE_ARG(req->segments[0]));
        return;
    }
    answer_clear(ret_answer);
    ret_answer->status = syntax_etag_listed(request_header(req, "If-None-Match"), slice_of(file->etag)) ? 304 : 200;
    answer_header(ret_answer, "ETag", slice_of(file->etag));
    answer_header(ret_answer, "Cache-Control", SLICE("no-cache")); /* kept, and asked about: the next release has others */
    if (ret_answer->status == 200)
        describe(file, ret_answer);
    ret_answer->borrowed_body = slice_make((const char *)file->data, file->size);
}
