/* SPDX-License-Identifier: Apache-2.0 */
/* openapi.json and the table of routes say the same: every row, and every status that a row can be answered with. */
#include "computations.h"
#include "routes.h"
#include "web.h"

#include "../described.h"

#define STATUSES_MAX 32

static struct json_object *doc;

static int open_doc(void **unused)
{
    doc = described_open("openapi.json");
    return 0;
}

static int close_doc(void **unused)
{
    json_object_put(doc);
    return 0;
}

/* What is no operation of its own: the parts of a page. */
static bool is_part(const struct route *route)
{
    return route->local == web_serve && strchr(route->pattern, '{');
}

/* The path item of a pattern, which may be written with a slash at its end. */
static struct json_object *path_item(const char *pattern)
{
    char slashed[128];
    struct json_object *paths = json_object_object_get(doc, "paths"), *item = json_object_object_get(paths, pattern);
    snprintf(slashed, sizeof(slashed), "%s/", pattern);
    return item ? item : json_object_object_get(paths, slashed);
}

static const char *method_key(enum method method)
{
    return method == METHOD_GET ? "get" : method == METHOD_POST ? "post" : method == METHOD_PUT ? "put" : "delete";
}

static struct json_object *operation_of(const struct route *route)
{
    struct json_object *op = json_object_object_get(path_item(route->pattern), method_key(route->method));
    if (!op)
        fail_msg("%s %s is not described", method_key(route->method), route->pattern);
    return op;
}

/* ---- rows and operations ---- */

static void every_row_is_described(void **unused)
{
    for (size_t i = 0; i < routes_public.count; i++) {
        if (!is_part(&routes_public.rows[i]))
            assert_non_null(operation_of(&routes_public.rows[i]));
    }
}

static bool is_row(const char *path, const char *method)
{
    size_t len = strlen(path);
    if (len > 1 && path[len - 1] == '/')
        len--;
    for (size_t i = 0; i < routes_public.count; i++) {
        const struct route *route = &routes_public.rows[i];
        if (strlen(route->pattern) == len && memcmp(route->pattern, path, len) == 0 && strcmp(method_key(route->method), method) == 0)
            return true;
    }
    return false;
}

static void every_operation_is_a_row(void **unused)
{
    static const char *const methods[] = {"get", "post", "put", "delete", "patch", "head", "options", "trace"};
    json_object_object_foreach(json_object_object_get(doc, "paths"), path, item)
    {
        for (size_t i = 0; i < COUNT(methods); i++) {
            if (json_object_object_get_ex(item, methods[i], NULL) && !is_row(path, methods[i]))
                fail_msg("%s %s is described but not in routes.c", methods[i], path);
        }
    }
}

/* ---- statuses ---- */

struct statuses {
    int list[STATUSES_MAX];
    size_t count;
};

static bool has(const struct statuses *statuses, int status)
{
    for (size_t i = 0; i < statuses->count; i++) {
        if (statuses->list[i] == status)
            return true;
    }
    return false;
}

static void add(struct statuses *statuses, const int *more)
{
    for (; *more; more++) {
        assert_true(statuses->count < STATUSES_MAX);
        if (!has(statuses, *more))
            statuses->list[statuses->count++] = *more;
    }
}

/* What any request can be answered with: rules.c, http.c, peers.c, pool.c. */
static const int of_all[] = {400, 408, 413, 414, 431, 501, 503, 0};
static const int of_known_callers[] = {401, 0};                /* access.c */
static const int of_workers[] = {429, 500, 502, 503, 504, 0};  /* throttle.c, flow.c, answer_outcome(), a worker's faults */
static const int of_writes[] = {202, 409, 412, 422, 0};        /* operation_accepted(), waiting.c, inquire.c, settle.c, repeat.c */
static const int of_bodies[] = {415, 422, 0};                  /* rules.c, json_members_check() */

/* Of single rows: their handlers and finish functions. */
static const struct {
    const char *type; /* NULL: of local ones */
    int list[9];
} of_types[] = {
    {"item.create", {200}},
    {"item.list", {200, 422}},
    {"item.get", {200, 304, 404, 422}},
    {"item.put", {200, 404}},
    {"item.delete", {204, 404}},
    {"compute.start", {200}},
    {"compute.get", {200, 304, 404, 422}},
    {"compute.list", {200, 422}},
    {"compute.cancel", {202, 403, 404, 409, 422}}, /* inquire.c */
    {"operation", {200, 404}},
    {"result", {200, 202, 204, 304, 404, 409, 412, 422}}, /* a write that has failed: its own status */
    {"cancel", {202, 404, 409}},
};

static void collect(const struct route *route, struct statuses *ret_statuses)
{
    static const int of_documents[] = {200, 304, 0}, of_health[] = {200, 0};
    bool known = route->local;
    *ret_statuses = (struct statuses){.count = 0};
    add(ret_statuses, of_all);
    if (!route->open)
        add(ret_statuses, of_known_callers);
    if (!route->local)
        add(ret_statuses, of_workers);
    else
        add(ret_statuses, route->local == web_serve ? of_documents : of_health);
    if (route->write)
        add(ret_statuses, of_writes);
    if (routes_takes_body(route))
        add(ret_statuses, of_bodies);
    for (size_t i = 0; i < COUNT(of_types) && !route->local; i++) {
        if (strcmp(of_types[i].type, route->type) == 0) {
            add(ret_statuses, of_types[i].list);
            known = true;
        }
    }
    if (!known)
        fail_msg("say in this test what %s is answered with", route->type);
}

static void every_status_is_described(void **unused)
{
    for (size_t i = 0; i < routes_public.count; i++) {
        const struct route *route = &routes_public.rows[i];
        struct statuses expected;
        char status[12];
        if (is_part(route))
            continue;
        struct json_object *responses = json_object_object_get(operation_of(route), "responses");
        collect(route, &expected);
        for (size_t k = 0; k < expected.count; k++) {
            snprintf(status, sizeof(status), "%d", expected.list[k]);
            if (!json_object_object_get_ex(responses, status, NULL))
                fail_msg("%s %s: %s is not described", method_key(route->method), route->pattern, status);
        }
        json_object_object_foreach(responses, key, response)
        {
            assert_non_null(described_follow(doc, response));
            if (!has(&expected, atoi(key)))
                fail_msg("%s %s: %s is described, but never answered", method_key(route->method), route->pattern, key);
        }
    }
}

/* Every error has a problem, and only errors do. */
static void errors_are_problems(void **unused)
{
    for (size_t i = 0; i < routes_public.count; i++) {
        if (is_part(&routes_public.rows[i]))
            continue;
        json_object_object_foreach(json_object_object_get(operation_of(&routes_public.rows[i]), "responses"), status, response)
        {
            struct json_object *content = json_object_object_get(described_follow(doc, response), "content");
            assert_int_equal(json_object_object_get_ex(content, "application/problem+json", NULL), atoi(status) >= 400);
        }
    }
}

/* ---- what comes with a request ---- */

/* NULL: it takes none of that name. */
static struct json_object *parameter_of(const struct route *route, const char *name)
{
    struct json_object *lists[] = {json_object_object_get(operation_of(route), "parameters"),
                                   json_object_object_get(path_item(route->pattern), "parameters")};
    for (size_t k = 0; k < COUNT(lists); k++) {
        for (size_t i = 0; lists[k] && i < json_object_array_length(lists[k]); i++) {
            struct json_object *parameter = described_follow(doc, json_object_array_get_idx(lists[k], i));
            if (strcmp(json_object_get_string(json_object_object_get(parameter, "name")), name) == 0)
                return parameter;
        }
    }
    return NULL;
}

static bool takes(const struct route *route, const char *name)
{
    return parameter_of(route, name) != NULL;
}

static void requests_are_described(void **unused)
{
    for (size_t i = 0; i < routes_public.count; i++) {
        const struct route *route = &routes_public.rows[i];
        if (is_part(route))
            continue;
        struct json_object *op = operation_of(route), *security;
        assert_int_equal(takes(route, "Idempotency-Key"), route->write);
        assert_int_equal(takes(route, "If-Match"), route->write);
        assert_int_equal(takes(route, "If-None-Match"), json_object_object_get_ex(json_object_object_get(op, "responses"), "304", NULL));
        assert_int_equal(takes(route, "Cache-Control"), route->copied || route->reused);
        assert_int_equal(takes(route, "Request-Timeout"), !route->local);
        assert_int_equal(takes(route, "id"), strstr(route->pattern, "{id}") != NULL);
        assert_int_equal(json_object_object_get_ex(op, "requestBody", NULL), routes_takes_body(route));
        bool open = json_object_object_get_ex(op, "security", &security) && json_object_array_length(security) == 0;
        assert_int_equal(open, route->open);
    }
}

static int64_t limit_of_list(const char *word)
{
    for (size_t i = 0; i < routes_public.count; i++) {
        const struct route *route = &routes_public.rows[i];
        if (route->type && strcmp(route->type, "compute.list") == 0)
            return json_object_get_int64(json_object_object_get(json_object_object_get(parameter_of(route, "limit"), "schema"), word));
    }
    return -1;
}

static void pages_are_bounded_as_they_are_checked(void **unused)
{
    assert_int_equal(limit_of_list("maximum"), COMPUTATIONS_LIST_MAX);
    assert_int_equal(limit_of_list("default"), COMPUTATIONS_LIST_DEFAULT);
}

static void versions_are_the_programs(void **unused)
{
    static const char *const names[] = {"openapi.json", "asyncapi.json"};
    for (size_t i = 0; i < COUNT(names); i++) {
        struct json_object *one = described_open(names[i]);
        assert_string_equal(json_object_get_string(json_object_object_get(json_object_object_get(one, "info"), "version")), ROUNDTRIP_VERSION);
        json_object_put(one);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_described), cmocka_unit_test(every_operation_is_a_row), cmocka_unit_test(every_status_is_described),
        cmocka_unit_test(errors_are_problems),    cmocka_unit_test(requests_are_described),   cmocka_unit_test(pages_are_bounded_as_they_are_checked),
        cmocka_unit_test(versions_are_the_programs),
    };
    return cmocka_run_group_tests(tests, open_doc, close_doc);
}
