/* SPDX-License-Identifier: Apache-2.0 */
/* What caches are told, and which callers take a stale answer. */
#include "caching.h"

#include "support.h"

static struct request req;
static struct answer answer;

static int teardown(void **unused)
{
    request_done(&req);
    answer_done(&answer);
    return 0;
}

static const struct route *route_of(const char *method, const char *path)
{
    unsigned allowed;
    make_request(&req, method, path);
    return routes_find(&routes_public, &req, &allowed);
}

static const char *said(const struct caching *caching, const char *method, const char *path, int status)
{
    const struct route *route = route_of(method, path);
    answer_json(&answer, status, SLICE("{}"));
    caching_say(caching, route, &req, &answer);
    return answer_find(&answer, "Cache-Control");
}

static void reads_are_kept_and_asked_about(void **unused)
{
    const struct caching none = {0};
    assert_string_equal(said(&none, "GET", "/items/1", 200), "no-cache");
    assert_string_equal(said(&none, "GET", "/items/1", 304), "no-cache");
    assert_string_equal(said(&none, "HEAD", "/items/1", 200), "no-cache");
    assert_string_equal(said(&none, "GET", "/items", 200), "no-cache");
    assert_string_equal(said(&none, "GET", "/computations/x", 200), "no-cache");
}

static void everything_else_is_not_kept(void **unused)
{
    const struct caching ten = {10, 60, false};
    assert_string_equal(said(&ten, "GET", "/items/1", 404), "no-store");
    assert_string_equal(said(&ten, "GET", "/items/1", 503), "no-store");
    assert_string_equal(said(&ten, "POST", "/items", 200), "no-store");
    assert_string_equal(said(&ten, "PUT", "/items/1", 200), "no-store");
    assert_string_equal(said(&ten, "DELETE", "/items/1", 204), "no-store");
    assert_string_equal(said(&ten, "GET", "/heavy_computation", 200), "no-store"); /* it starts one */
    assert_string_equal(said(&ten, "GET", "/nothing", 404), "no-store");
    assert_string_equal(said(&ten, "OPTIONS", "/items/1", 204), "no-store");
}

static void items_may_be_fresh_for_a_time(void **unused)
{
    const struct caching fresh = {10, 0, false}, both = {10, 600, false}, error = {0, 600, false};
    assert_string_equal(said(&fresh, "GET", "/items/1", 200), "max-age=10");
    assert_string_equal(said(&both, "GET", "/items/1", 304), "max-age=10, stale-if-error=600");
    assert_string_equal(said(&error, "GET", "/items/1", 200), "max-age=0, stale-if-error=600"); /* no-cache would forbid it */
    assert_string_equal(said(&both, "GET", "/items", 200), "no-cache");
}

/* A shared cache knows nothing of keys: what it gives without asking it gives to everybody (RFC 9111 section 3.5 knows only one header). */
static void what_only_known_callers_may_read_is_theirs(void **unused)
{
    const struct caching none = {0, 0, true}, fresh = {10, 0, true}, error = {0, 600, true};
    assert_string_equal(said(&none, "GET", "/items/1", 200), "no-cache"); /* it asks, and who asks is looked at */
    assert_string_equal(said(&fresh, "GET", "/items/1", 200), "private, max-age=10");
    assert_string_equal(said(&error, "GET", "/items/1", 304), "private, max-age=0, stale-if-error=600");
}

static void what_was_said_stays(void **unused)
{
    const struct caching fresh = {10, 0, false};
    const struct route *route = route_of("GET", "/items/1");
    answer_json(&answer, 200, SLICE("{}"));
    caching_mark_stale(&answer, 17);
    caching_say(&fresh, route, &req, &answer);
    assert_string_equal(answer_find(&answer, "Cache-Control"), "no-store");
    assert_string_equal(answer_find(&answer, "Age"), "17");
    assert_string_equal(answer_find(&answer, "Warning"), "110 - \"Response is Stale\"");
    assert_int_equal(answer.header_count, 4);
}

static bool takes(const char *cache_control, int64_t fresh_s, int64_t age_s)
{
    make_request(&req, "GET", "/items/1");
    if (cache_control)
        add_header(&req, "Cache-Control", cache_control);
    return caching_takes_stale(&req, fresh_s, age_s);
}

static void who_says_nothing_takes_any(void **unused)
{
    assert_true(takes(NULL, 0, 1000000));
    assert_true(takes("", 0, 1000000));
    assert_true(takes("only-if-cached, no-transform, x=\"no-cache\"", 0, 1000000));
}

static void who_wants_none_gets_none(void **unused)
{
    assert_false(takes("no-cache", 0, 0));
    assert_false(takes("max-stale, No-Store", 0, 0));
    assert_false(takes("min-fresh=0", 0, 0)); /* fresh is what it is not */
    make_request(&req, "GET", "/items/1");
    add_header(&req, "Pragma", "no-cache");
    assert_false(caching_takes_stale(&req, 0, 0));
    add_header(&req, "Cache-Control", "max-stale"); /* then Pragma does not count */
    assert_true(caching_takes_stale(&req, 0, 0));
    make_request(&req, "GET", "/items/1");
    add_header(&req, "Cache-Control", "max-stale");
    add_header(&req, "Cache-Control", "no-cache"); /* each field counts */
    assert_false(caching_takes_stale(&req, 0, 0));
}

static void ages_are_compared(void **unused)
{
    assert_true(takes("max-age=5", 0, 5));
    assert_false(takes("max-age=5", 0, 6));
    assert_false(takes("max-age=0", 0, 1));
    assert_true(takes("max-stale=5", 0, 5));
    assert_false(takes("max-stale=5", 0, 6));
    assert_true(takes("max-stale=5", 10, 15)); /* stale for 5 s */
    assert_false(takes("max-stale=5", 10, 16));
    assert_true(takes("max-age=3, max-stale=5", 10, 8));
    assert_false(takes("max-age=3, max-stale=5", 10, 9));
    assert_true(takes("max-age=3, max-stale", 0, 1000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(reads_are_kept_and_asked_about, teardown),
        cmocka_unit_test_teardown(everything_else_is_not_kept, teardown),
        cmocka_unit_test_teardown(items_may_be_fresh_for_a_time, teardown),
        cmocka_unit_test_teardown(what_only_known_callers_may_read_is_theirs, teardown),
        cmocka_unit_test_teardown(what_was_said_stays, teardown),
        cmocka_unit_test_teardown(who_says_nothing_takes_any, teardown),
        cmocka_unit_test_teardown(who_wants_none_gets_none, teardown),
        cmocka_unit_test_teardown(ages_are_compared, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
