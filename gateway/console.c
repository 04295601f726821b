/* SPDX-License-Identifier: Apache-2.0 */
/* Which routes the operators' page has. */
#include "console.h"

#include <assert.h>
#include <string.h>

#include "web.h"

static const struct route pages[] = {
    {METHOD_GET, "/console", .local = web_serve},
    {METHOD_GET, "/console/{file}", .local = web_serve},
};

/* What clients may ask about what runs; rows that this gateway does not have are left out. */
static const struct {
    enum method method;
    const char *pattern;
} shared[] = {
    {METHOD_GET, "/computations"},
    {METHOD_GET, "/operations/{id}"},
    {METHOD_DELETE, "/operations/{id}"},
};

size_t console_routes(struct route ret_rows[CONSOLE_ROWS_MAX])
{
    const size_t own = sizeof(pages) / sizeof(pages[0]);
    size_t count = own;
    static_assert(sizeof(pages) / sizeof(pages[0]) + sizeof(shared) / sizeof(shared[0]) <= CONSOLE_ROWS_MAX, "they fit");
    memcpy(ret_rows, pages, sizeof(pages));
    for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
        for (size_t k = 0; k < routes_public.count; k++) {
            const struct route *row = &routes_public.rows[k];
            if (row->method == shared[i].method && strcmp(row->pattern, shared[i].pattern) == 0)
                ret_rows[count++] = *row;
        }
    }
    return count;
}

bool console_is_page(const struct request *req)
{
    bool reads = req->method == METHOD_GET || req->method == METHOD_HEAD;
    return reads && (req->segment_count == 1 || req->segment_count == 2) && slice_is(req->segments[0], "console");
}
