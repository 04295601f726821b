/* SPDX-License-Identifier: Apache-2.0 */
/* What the operators' page has of the clients' routes, and what of it is open. */
#include "console.h"

#include "web.h"

#include "support.h"

static struct request req;

static bool is_page(const char *method, const char *path)
{
    make_request(&req, method, path);
    return console_is_page(&req);
}

static void only_the_page_itself_is_open(void **unused)
{
    assert_true(is_page("GET", "/console"));
    assert_true(is_page("GET", "/console/"));
    assert_true(is_page("HEAD", "/console/console.js"));
    assert_false(is_page("POST", "/console"));
    assert_false(is_page("GET", "/console/a/b"));
    assert_false(is_page("GET", "/console/../metrics"));
    assert_false(is_page("GET", "/Console"));
    assert_false(is_page("GET", "/"));
    assert_false(is_page("GET", "/metrics"));
}

static void rows_of_clients_are_as_they_are(void **unused)
{
    struct route rows[CONSOLE_ROWS_MAX];
    size_t count = console_routes(rows), shared = 0;
    assert_in_range(count, 4, CONSOLE_ROWS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].local == web_serve) {
            assert_memory_equal(rows[i].pattern, "/console", 8);
            continue;
        }
        shared++;
        assert_true(strncmp(rows[i].pattern, "/operations/{id}", 16) == 0 || strcmp(rows[i].pattern, "/computations") == 0);
        assert_false(rows[i].write); /* nothing begins here */
        assert_false(rows[i].open);
        assert_non_null(rows[i].build);
    }
    assert_true(shared >= 2);
}

static int done(void **unused)
{
    request_done(&req);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_page_itself_is_open),
        cmocka_unit_test(rows_of_clients_are_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, done);
}
