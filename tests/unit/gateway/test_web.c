/* SPDX-License-Identifier: Apache-2.0 */
/* Files by their path, what browsers are told, and 304. */
#include "web.h"

#include <stdio.h>

#include "support.h"

static struct request req;
static struct answer answer;

static int ask(const char *path, const char *if_none_match)
{
    make_request(&req, "GET", path);
    if (if_none_match)
        add_header(&req, "If-None-Match", if_none_match);
    web_serve(NULL, &req, &answer);
    return answer.status;
}

static void files_have_their_type(void **unused)
{
    static const struct {
        const char *path, *type, *text;
    } cases[] = {
        {"/openapi.json", "application/json", "\"openapi\": \"3.1"},
        {"/asyncapi.json/", "application/json", "\"asyncapi\": \"3.0.0\""},
        {"/docs", "text/html; charset=utf-8", "<!doctype html>"},
        {"/docs/docs.js", "text/javascript; charset=utf-8", "/openapi.json"},
        {"/docs/docs.css", "text/css; charset=utf-8", "details.op"},
        {"/docs/page.css", "text/css; charset=utf-8", "prefers-color-scheme"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(ask(cases[i].path, NULL), 200);
        assert_string_equal(answer_find(&answer, "Content-Type"), cases[i].type);
        assert_string_equal(answer_find(&answer, "X-Content-Type-Options"), "nosniff");
        assert_string_equal(answer_find(&answer, "Cache-Control"), "no-cache");
        assert_true(body_has(&answer, cases[i].text));
    }
}

static void pages_run_nothing_but_their_own(void **unused)
{
    static const char *const pages[] = {"/docs", "/console"};
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        assert_int_equal(ask(pages[i], NULL), 200);
        const char *policy = answer_find(&answer, "Content-Security-Policy");
        assert_non_null(strstr(policy, "default-src 'none'"));
        assert_non_null(strstr(policy, "script-src 'self';"));
        assert_null(strstr(policy, "unsafe"));
        assert_null(strstr(policy, "http"));
        assert_false(body_has(&answer, "<style"));
        assert_false(body_has(&answer, "onclick"));
    }
    assert_int_equal(ask("/docs/docs.js", NULL), 200);
    assert_null(answer_find(&answer, "Content-Security-Policy"));
}

static void a_page_shows_only_its_own(void **unused)
{
    static const char *const paths[] = {"/docs/openapi.json", "/docs/docs", "/docs/console.js", "/console/docs.js", "/docs/page.", "/docs/..", "/docs/DOCS.js", "/nothing"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_int_equal(ask(paths[i], NULL), 404);
        assert_string_equal(answer_find(&answer, "Content-Type"), "application/problem+json");
    }
}

static void what_is_known_is_not_sent_again(void **unused)
{
    char etag[32], list[64];
    assert_int_equal(ask("/openapi.json", NULL), 200);
    snprintf(etag, sizeof(etag), "%s", answer_find(&answer, "ETag"));
    size_t len = answer_body(&answer).len;
    assert_int_equal(ask("/openapi.json", etag), 304);
    assert_string_equal(answer_find(&answer, "ETag"), etag);
    assert_int_equal(answer_body(&answer).len, len); /* its length is said */
    snprintf(list, sizeof(list), "\"x\", W/%s", etag);
    assert_int_equal(ask("/openapi.json", list), 304);
    assert_int_equal(ask("/openapi.json", "\"x\""), 200);
    assert_int_equal(ask("/asyncapi.json", etag), 200);
}

static int done(void **unused)
{
    request_done(&req);
    answer_done(&answer);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_have_their_type),
        cmocka_unit_test(pages_run_nothing_but_their_own),
        cmocka_unit_test(a_page_shows_only_its_own),
        cmocka_unit_test(what_is_known_is_not_sent_again),
    };
    return cmocka_run_group_tests(tests, NULL, done);
}
