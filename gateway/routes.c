/* SPDX-License-Identifier: Apache-2.0 */
/* The routes and how a path finds its row. */
#include "routes.h"

#include <assert.h>

#include "computations.h"
#include "health.h"
#include "items.h"
#include "operation.h"
#include "web.h"

static finish_fn finish_reply;

static const struct route routes[] = {
    {METHOD_POST, "/items", "item", "item.create", .write = true, .entity_in_body = true,
     .build = items_build_create, .finish = finish_reply},
    {METHOD_GET, "/items", "item", "item.list", .every_partition = true, .build = items_build_list,
     .finish = items_finish_list},
    {METHOD_GET, "/items/{id}", "item", "item.get", .copied = true, .build = items_build_one, .finish = finish_reply},
    {METHOD_PUT, "/items/{id}", "item", "item.put", .write = true, .build = items_build_put,
     .finish = finish_reply},
    {METHOD_DELETE, "/items/{id}", "item", "item.delete", .write = true, .build = items_build_one,
     .finish = finish_reply},

    {METHOD_POST, "/computations", "compute", "compute.start", .write = true, .heavy = true, .reused = true,
     .build = computations_build_start, .finish = computations_finish_start},
    {METHOD_GET, "/computations", "compute", "compute.list", .every_partition = true, .build = computations_build_list,
     .finish = computations_finish_list},
    {METHOD_GET, "/computations/{id}", "compute", "compute.get", .build = computations_build_get,
     .finish = finish_reply},
    {METHOD_DELETE, "/computations/{id}", "compute", "compute.cancel", .build = computations_build_get, .finish = operation_finish},
    {METHOD_GET, "/heavy_computation", "compute", "compute.start", .write = true, .heavy = true,
     .build = computations_build_heavy, .finish = computations_finish_heavy},

    {METHOD_GET, "/operations/{id}", .type = "operation", .follows = true, .build = operation_build_get,
     .finish = operation_finish},
    {METHOD_GET, "/operations/{id}/events", .type = "operation", .follows = true, .streams = true,
     .build = operation_build_get, .finish = operation_finish_stream},
    {METHOD_GET, "/operations/{id}/result", .type = "result", .follows = true, .result = true, .build = operation_build_result,
     .finish = operation_finish_result},
    {METHOD_DELETE, "/operations/{id}", .type = "cancel", .build = operation_build_cancel, .finish = operation_finish},

    {METHOD_GET, "/health/live", .open = true, .local = health_live},
    {METHOD_GET, "/health/ready", .open = true, .local = health_ready},

    {METHOD_GET, "/openapi.json", .open = true, .local = web_serve},
    {METHOD_GET, "/asyncapi.json", .open = true, .local = web_serve},
    {METHOD_GET, "/docs", .open = true, .local = web_serve},
    {METHOD_GET, "/docs/{file}", .open = true, .local = web_serve},
};
#define ROUTES (sizeof(routes) / sizeof(routes[0]))

const struct route_table routes_public = {
    routes, ROUTES, "Try /items/, /items/{id}, /computations/, /heavy_computation/, /operations/{id}, /health/ready; /docs explains them."};

static void finish_reply(const struct request *req, const struct draft *draft, const struct received *parts,
                         size_t count, struct answer *ret_answer)
{
    bool read = req->method == METHOD_GET || req->method == METHOD_HEAD;
    answer_reply(ret_answer, &parts[0], read, request_header(req, "If-None-Match"));
}

static bool matches(const char *pattern, const struct request *req)
{
    size_t i = 0;
    for (; *pattern; i++) {
        const char *start = ++pattern; /* behind the slash */
        while (*pattern && *pattern != '/')
            pattern++;
        size_t len = (size_t)(pattern - start);
        if (i >= req->segment_count || i >= REQUEST_SEGMENTS_MAX)
            return false;
        if (*start != '{' && !slice_equal(slice_make(start, len), req->segments[i]))
            return false;
    }
    return i == req->segment_count;
}

const struct route *routes_find(const struct route_table *table, const struct request *req, unsigned *ret_allowed)
{
    enum method method = req->method == METHOD_HEAD ? METHOD_GET : req->method;
    *ret_allowed = 0;
    for (const struct route *row = table->rows; row < table->rows + table->count; row++) {
        if (!matches(row->pattern, req))
            continue;
        if (row->method == method)
            return row;
        *ret_allowed |= row->method;
    }
    return NULL;
}

void routes_allow(unsigned allowed, struct buf *out)
{
    allowed |= METHOD_OPTIONS | (allowed & METHOD_GET ? METHOD_HEAD : 0U);
    for (unsigned bit = 1; bit < METHOD_OTHER; bit <<= 1) {
        if (allowed & bit)
            buf_printf(out, "%s%s", out->len ? ", " : "", request_method_name((enum method)bit));
    }
}

size_t routes_services(const char *ret_services[ROUTES_SERVICES_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < ROUTES; i++) {
        size_t k = 0;
        if (!routes[i].service)
            continue;
        while (k < count && strcmp(ret_services[k], routes[i].service) != 0)
            k++;
        if (k < count)
            continue;
        assert(count < ROUTES_SERVICES_MAX);
        ret_services[count++] = routes[i].service;
    }
    return count;
}

const char *routes_service(struct slice name)
{
    for (size_t i = 0; i < ROUTES; i++) {
        if (routes[i].service && slice_is(name, routes[i].service))
            return routes[i].service;
    }
    return NULL;
}

bool routes_service_copied(const char *service)
{
    for (size_t i = 0; i < ROUTES; i++) {
        if (routes[i].copied && strcmp(routes[i].service, service) == 0)
            return true;
    }
    return false;
}

bool routes_service_binds(const char *service)
{
    for (size_t i = 0; i < ROUTES; i++) {
        if (routes[i].entity_in_body && strcmp(routes[i].service, service) == 0)
            return true;
    }
    return false;
}

/* Takes `text` off the front. */
static bool take(struct slice *s, const char *text)
{
    size_t len = strlen(text);
    if (s->len < len || memcmp(s->p, text, len) != 0)
        return false;
    *s = slice_make(s->p + len, s->len - len);
    return true;
}

bool routes_entity_in_body(struct slice command_id)
{
    struct slice principal, keyed;
    if (!command_id_keyed(command_id, &principal, &keyed))
        return false;
    for (size_t i = 0; i < ROUTES; i++) {
        struct slice rest = keyed;
        if (routes[i].entity_in_body && take(&rest, request_method_name(routes[i].method)) && take(&rest, ":") &&
            take(&rest, routes[i].pattern) && take(&rest, ":"))
            return true;
    }
    return false;
}

bool routes_takes_body(const struct route *route)
{
    return route->method == METHOD_POST || route->method == METHOD_PUT;
}
