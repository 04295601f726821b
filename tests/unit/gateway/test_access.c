/* SPDX-License-Identifier: Apache-2.0 */
/* Where a credential stands in a request, what is said without one, and what is said at start. */
#include "access.h"

#include "support.h"

static struct request req;
static struct answer answer;

static int done(void **unused)
{
    request_done(&req);
    answer_done(&answer);
    return 0;
}

static enum access_sent read_one(const char *name, const char *value, const char *credential)
{
    struct slice found = SLICE_NONE;
    make_request(&req, "GET", "/items/1");
    add_header(&req, name, value);
    enum access_sent sent = access_read(&req, &found);
    if (credential)
        assert_slice(found, credential);
    return sent;
}

static void credentials_are_found(void **unused)
{
    assert_int_equal(read_one("Authorization", "Bearer abc.d-e_f~+/=", "abc.d-e_f~+/="), ACCESS_BEARER);
    assert_int_equal(read_one("authorization", "bEARER   abc", "abc"), ACCESS_BEARER);
    assert_int_equal(read_one("X-API-Key", "abc", "abc"), ACCESS_KEY);
    assert_int_equal(read_one("x-api-key", "Bearer", "Bearer"), ACCESS_KEY);
    assert_int_equal(read_one("Cookie", "Bearer abc", NULL), ACCESS_NOTHING);
}

static void others_are_malformed(void **unused)
{
    static const char *const bad[] = {"",         "Bearer",     "Bearer ",      "Bearer\tabc",   "Bearerabc", "Basic YTpi", "abc",
                                      "Beare abc", "Bearer a b", "Bearer a\tb", "Bearer \xc3\xa9", "Bearer a\x7f", " Bearer abc"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(read_one("Authorization", bad[i], NULL), ACCESS_MALFORMED);
    assert_int_equal(read_one("X-API-Key", "", NULL), ACCESS_MALFORMED);
    assert_int_equal(read_one("X-API-Key", "a b", NULL), ACCESS_MALFORMED);
}

static void more_than_one_is_none(void **unused)
{
    struct slice found;
    read_one("Authorization", "Bearer abc", "abc");
    add_header(&req, "X-API-Key", "abc");
    assert_int_equal(access_read(&req, &found), ACCESS_SEVERAL);
    read_one("Authorization", "Bearer abc", "abc");
    add_header(&req, "AUTHORIZATION", "Bearer abc");
    assert_int_equal(access_read(&req, &found), ACCESS_SEVERAL);
    read_one("X-API-Key", "abc", "abc");
    add_header(&req, "X-API-Key", "abc");
    assert_int_equal(access_read(&req, &found), ACCESS_SEVERAL);
}

static void off_everybody_may_and_is_nobody(void **unused)
{
    read_one("Authorization", "Bearer abc", "abc");
    assert_true(access_check(NULL, &req, 0, &answer));
    assert_int_equal(req.principal.len, 0);
    assert_null(principal_slice(&req.principal).p);
}

static void what_is_missing_is_said(void **unused)
{
    assert_null(access_advice(true, true));
    assert_non_null(strstr(access_advice(false, true), "set api-keys or jwt-key"));
    assert_null(strstr(access_advice(false, true), "tls-cert"));
    assert_non_null(strstr(access_advice(true, false), "set tls-cert and tls-key"));
    assert_null(strstr(access_advice(true, false), "api-keys"));
    assert_non_null(strstr(access_advice(false, false), "set api-keys or jwt-key, and tls-cert and tls-key"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credentials_are_found),      cmocka_unit_test(others_are_malformed),
        cmocka_unit_test(more_than_one_is_none),      cmocka_unit_test(off_everybody_may_and_is_nobody),
        cmocka_unit_test(what_is_missing_is_said),
    };
    return cmocka_run_group_tests_name("access", tests, NULL, done);
}
