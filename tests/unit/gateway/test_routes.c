/* SPDX-License-Identifier: Apache-2.0 */
/* Which row a request finds, and what the others are told. */
#include "routes.h"

#include "support.h"

static struct request req;

static const char *type_of(const char *method, const char *path, unsigned *ret_allowed)
{
    make_request(&req, method, path);
    const struct route *route = routes_find(&routes_public, &req, ret_allowed);
    if (!route)
        return NULL;
    return route->type ? route->type : "local";
}

static void paths_find_their_row(void **unused)
{
    static const struct {
        const char *method, *path, *type;
    } cases[] = {
        {"POST", "/items", "item.create"},
        {"POST", "/items/", "item.create"},
        {"GET", "/items/", "item.list"},
        {"HEAD", "/items", "item.list"},
        {"GET", "/items/1", "item.get"},
        {"GET", "/items/1/", "item.get"},
        {"HEAD", "/items/1", "item.get"},
        {"PUT", "/items/1", "item.put"},
        {"DELETE", "/items/-1", "item.delete"},
        {"POST", "/computations/", "compute.start"},
        {"GET", "/computations/abc", "compute.get"},
        {"DELETE", "/computations/abc", "compute.cancel"},
        {"GET", "/computations/", "compute.list"},
        {"GET", "/operations/abc/result", "result"},
        {"HEAD", "/operations/abc/result", "result"},
        {"GET", "/heavy_computation/", "compute.start"},
        {"GET", "/operations/abc", "operation"},
        {"DELETE", "/operations/abc", "cancel"},
        {"GET", "/operations/abc/events", "operation"},
        {"GET", "/health/live", "local"},
        {"GET", "/health/ready/", "local"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned allowed;
        const char *type = type_of(cases[i].method, cases[i].path, &allowed);
        assert_non_null(type);
        assert_string_equal(type, cases[i].type);
    }
}

static void ids_of_which_the_path_names_no_entity(void **unused)
{
    assert_true(routes_entity_in_body(SLICE("idem:POST:/items:k")));
    assert_true(routes_entity_in_body(SLICE("idem:POST:/items:")));
    assert_false(routes_entity_in_body(SLICE("idem:POST:/items")));
    assert_false(routes_entity_in_body(SLICE("idem:POST:/items/1:k")));
    assert_false(routes_entity_in_body(SLICE("idem:PUT:/items:k")));
    assert_false(routes_entity_in_body(SLICE("idem:POST:/computations:k")));
    assert_false(routes_entity_in_body(SLICE("POST:/items:k")));
    assert_true(routes_entity_in_body(SLICE("idem:5:alice:POST:/items:k")));
    assert_false(routes_entity_in_body(SLICE("idem:6:alice:POST:/items:k")));
    assert_false(routes_entity_in_body(SLICE("idem:13:POST:/items:k:PUT:/items/1:k")));
    assert_false(routes_entity_in_body(SLICE_NONE));
    const char *services[ROUTES_SERVICES_MAX];
    assert_true(routes_service_binds("item"));
    assert_false(routes_service_binds("compute"));
    assert_int_equal(routes_services(services), 2);
    assert_string_equal(routes_service(SLICE("item")), "item");
    assert_null(routes_service(SLICE("ite")));
}

static void other_paths_find_nothing(void **unused)
{
    static const char *const paths[] = {
        "/",       "/item",     "/itemsx", "/Items",    "/items/1/2",
        "//items", "/items//x", "/health", "/health/x", "/1/2/3/4/5/6/7/8/9/10"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        unsigned allowed = 77;
        assert_null(type_of("GET", paths[i], &allowed));
        assert_int_equal(allowed, 0);
    }
}

static void a_wrong_method_learns_the_right_ones(void **unused)
{
    unsigned allowed;
    struct buf text = {0};
    assert_null(type_of("PATCH", "/items/1", &allowed));
    routes_allow(allowed, &text);
    assert_slice(buf_slice(&text), "GET, HEAD, PUT, DELETE, OPTIONS");
    buf_clear(&text);
    assert_null(type_of("BREW", "/computations", &allowed));
    routes_allow(allowed, &text);
    assert_slice(buf_slice(&text), "GET, HEAD, POST, OPTIONS");
    buf_done(&text);
}

static void every_service_is_named_once(void **unused)
{
    const char *services[ROUTES_SERVICES_MAX];
    assert_int_equal(routes_services(services), 2);
    assert_string_equal(services[0], "item");
    assert_string_equal(services[1], "compute");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_of_which_the_path_names_no_entity),
        cmocka_unit_test(paths_find_their_row),
        cmocka_unit_test(other_paths_find_nothing),
        cmocka_unit_test(a_wrong_method_learns_the_right_ones),
        cmocka_unit_test(every_service_is_named_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
