/* SPDX-License-Identifier: Apache-2.0 */
/* Which origins may ask, and what their browsers are told. */
#include "cors.h"

#include "support.h"

#define APP "https://app.example"

static struct cors cors;
static struct request req;
static struct answer answer;

static int done(void **unused)
{
    request_done(&req);
    answer_done(&answer);
    return 0;
}

/* An answer of that status to a request of that origin (NULL: none), marked. */
static void mark(const char *method, const char *origin, const char *wanted, int status)
{
    make_request(&req, method, "/items/1");
    if (origin)
        add_header(&req, "Origin", origin);
    if (wanted)
        add_header(&req, "Access-Control-Request-Method", wanted);
    answer_clear(&answer);
    answer.status = status;
    answer_header(&answer, "Allow", SLICE("GET, HEAD, PUT, DELETE, OPTIONS"));
    cors_mark(&cors, &req, &answer);
}

static const char *header(const char *name)
{
    return answer_find(&answer, name);
}

static void origins_are_read(void **unused)
{
    static const char *const good[] = {"https://app.example", "http://localhost:3000", "http://127.0.0.1:8080", "http://[::1]:1",
                                       "chrome-extension://abcdef", " https://a.example ,\thttps://b.example:8443"};
    static const char *const bad[] = {"app.example",   "https://",          "://app.example",     "https://app.example/", "https://App.example",
                                      "https://a b",   "https://a.example,,", ",https://a.example", "null",                 "https://*.example",
                                      "*, https://a.example", "https://a.example,*", "https://a.example/path", "https://a:", "https://:80",
                                      "https://u@a.example"};
    assert_null(cors_parse("", &cors));
    assert_false(cors.on);
    assert_null(cors_parse(" * ", &cors));
    assert_true(cors.on && cors.any);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_null(cors_parse(good[i], &cors));
        assert_true(cors.on && !cors.any && cors.count == (i == 5 ? 2 : 1));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_non_null(cors_parse(bad[i], &cors));
    struct buf many = {0};
    for (int i = 0; i < CORS_ORIGINS_MAX + 1; i++)
        buf_printf(&many, "%shttps://a%d.example", i ? "," : "", i);
    buf_append(&many, "", 1);
    assert_non_null(strstr(cors_parse(many.data, &cors), "32"));
    buf_done(&many);
}

static void off_nothing_is_added(void **unused)
{
    assert_null(cors_parse("", &cors));
    mark("GET", APP, NULL, 200);
    assert_int_equal(answer.header_count, 1);
    mark("OPTIONS", APP, "PUT", 204);
    assert_int_equal(answer.header_count, 1);
    assert_false(cors_is_preflight(&cors, &req));
}

static void answers_of_all_kinds(void **unused)
{
    assert_null(cors_parse("https://b.example," APP, &cors));
    for (int status = 200; status <= 503; status += 101) {
        mark("GET", APP, NULL, status);
        assert_string_equal(header("Access-Control-Allow-Origin"), APP);
        assert_string_equal(header("Vary"), "Origin");
        assert_non_null(strstr(header("Access-Control-Expose-Headers"), "ETag, Location, Retry-After"));
        assert_null(header("Access-Control-Allow-Methods"));
        assert_null(header("Access-Control-Allow-Credentials"));
    }
}

static void other_origins_get_only_vary(void **unused)
{
    static const char *const others[] = {"https://app.example:443", "http://app.example", "https://app.exampl", "https://app.example.evil",
                                         "HTTPS://app.example", "null", "", "*", NULL};
    assert_null(cors_parse(APP, &cors));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        mark("GET", others[i], NULL, 200);
        assert_int_equal(answer.header_count, 2);
        assert_string_equal(header("Vary"), "Origin");
        mark("OPTIONS", others[i], "PUT", 204);
        assert_int_equal(answer.header_count, 2);
    }
    mark("GET", APP, NULL, 200);
    add_header(&req, "Origin", APP);
    answer_clear(&answer);
    cors_mark(&cors, &req, &answer);
    assert_null(header("Access-Control-Allow-Origin")); /* which of the two? */
}

static void preflights(void **unused)
{
    assert_null(cors_parse(APP, &cors));
    mark("OPTIONS", APP, "PUT", 204);
    assert_true(cors_is_preflight(&cors, &req));
    assert_string_equal(header("Access-Control-Allow-Origin"), APP);
    assert_string_equal(header("Access-Control-Allow-Methods"), "GET, HEAD, PUT, DELETE, OPTIONS");
    assert_non_null(strstr(header("Access-Control-Allow-Headers"), "Authorization, Cache-Control, Content-Type, Idempotency-Key"));
    assert_string_equal(header("Access-Control-Max-Age"), "7200");
    assert_non_null(strstr(header("Vary"), "Origin, "));
    mark("OPTIONS", APP, "PUT", 404);
    assert_null(header("Access-Control-Allow-Methods"));
    mark("OPTIONS", APP, NULL, 204);
    assert_false(cors_is_preflight(&cors, &req));
    mark("OPTIONS", NULL, "PUT", 204);
    assert_false(cors_is_preflight(&cors, &req));
    mark("GET", APP, "PUT", 200);
    assert_false(cors_is_preflight(&cors, &req));
}

static void all_origins(void **unused)
{
    assert_null(cors_parse("*", &cors));
    mark("GET", "https://any.example", NULL, 200);
    assert_string_equal(header("Access-Control-Allow-Origin"), "*");
    assert_null(header("Vary"));
    mark("GET", NULL, NULL, 200);
    assert_null(header("Access-Control-Allow-Origin"));
}

static void there_is_room_beside_an_answers_own(void **unused)
{
    assert_null(cors_parse(APP, &cors));
    make_request(&req, "GET", "/items/1");
    add_header(&req, "Origin", APP);
    answer_clear(&answer);
    answer.status = 200;
    for (int i = 0; i < 12; i++) /* more than any has */
        answer_header(&answer, "X", SLICE("y"));
    cors_mark(&cors, &req, &answer);
    assert_non_null(header("Access-Control-Expose-Headers"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(origins_are_read),     cmocka_unit_test(off_nothing_is_added),
        cmocka_unit_test(answers_of_all_kinds), cmocka_unit_test(other_origins_get_only_vary),
        cmocka_unit_test(preflights),           cmocka_unit_test(all_origins),
        cmocka_unit_test(there_is_room_beside_an_answers_own),
    };
    return cmocka_run_group_tests_name("cors", tests, NULL, done);
}
