/* SPDX-License-Identifier: Apache-2.0 */
/* Who may use the operators' listener. */
#include "admin.h"

#include "support.h"

static struct request req;
static struct answer answer;

static int status_of(const char *token, const char *host, const char *name, const char *value)
{
    request_clear(&req);
    req.method = METHOD_GET;
    if (host)
        request_add_header(&req, SLICE("Host"), slice_of(host));
    if (name)
        add_header(&req, name, value);
    answer_clear(&answer);
    return admin_allows(token, &req, &answer) ? 0 : answer.status;
}

static void programs_on_this_machine(void **unused)
{
    static const char *const good[] = {"127.0.0.1", "127.0.0.1:9080", "localhost", "localhost:1", "[::1]", "[::1]:9080", "10.0.0.7:80"};
    static const char *const bad[] = {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", ":80", "[]", "[::1", "1"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(status_of("", good[i], NULL, NULL), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (strcmp(bad[i], "[::1") != 0)
            assert_int_equal(status_of("", bad[i], NULL, NULL), 403);
    }
    assert_int_equal(status_of("", NULL, NULL, NULL), 403);
}

static void pages_of_others_may_not(void **unused)
{
    assert_int_equal(status_of("", "127.0.0.1:9080", "Origin", "http://127.0.0.1:9080"), 0);
    assert_int_equal(status_of("", "127.0.0.1:9080", "Origin", "http://127.0.0.1:90"), 403);
    assert_int_equal(status_of("", "127.0.0.1:9080", "Origin", "https://127.0.0.1:9080"), 403);
    assert_int_equal(status_of("", "127.0.0.1:9080", "Origin", "http://evil.example"), 403);
    assert_int_equal(status_of("", "127.0.0.1:9080", "Origin", "null"), 403);
    assert_int_equal(status_of("", "127.0.0.1:9080", "Origin", ""), 403);
}

static void with_a_token_only_by_it(void **unused)
{
    assert_int_equal(status_of("abc", "any.example", "Authorization", "Bearer abc"), 0);
    assert_int_equal(status_of("abc", "any.example", "Authorization", "bearer abc"), 0);
    assert_int_equal(status_of("abc", "any.example", "Authorization", "bearer-abc"), 401);
    assert_int_equal(status_of("abc", "127.0.0.1", NULL, NULL), 401);
    assert_int_equal(status_of("abc", "127.0.0.1", "Authorization", "abc"), 401);
    assert_int_equal(status_of("abc", "127.0.0.1", "Authorization", "Bearer ab"), 401);
    assert_int_equal(status_of("abc", "127.0.0.1", "Authorization", "Bearer abcd"), 401);
    assert_int_equal(status_of("abc", "127.0.0.1", "Authorization", "Bearer "), 401);
    assert_int_equal(status_of("abc", "127.0.0.1", "Authorization", "Basic abc"), 401);
    assert_string_equal(answer_find(&answer, "WWW-Authenticate"), "Bearer");
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
        cmocka_unit_test(programs_on_this_machine),
        cmocka_unit_test(pages_of_others_may_not),
        cmocka_unit_test(with_a_token_only_by_it),
    };
    return cmocka_run_group_tests_name("admin", tests, NULL, done);
}
