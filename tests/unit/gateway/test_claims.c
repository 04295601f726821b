/* SPDX-License-Identifier: Apache-2.0 */
/* For whom, when and where a token counts. */
#include "claims.h"

#include <stdio.h>

#include "support.h"

#define NOW 1000000

static struct principal principal;
static int64_t until_s;
static struct claims_rules rules;

/* NULL: it counts; else why not. */
static const char *check(const char *json)
{
    const char *why = NULL;
    principal = (struct principal){0};
    bool good = claims_check(slice_of(json), &rules, NOW, &principal, &until_s, &why);
    assert_true(good == (why == NULL) && good == (principal.len > 0));
    return why;
}

static void assert_refused(const char *json, const char *says)
{
    const char *why = check(json);
    assert_non_null(why);
    assert_non_null(strstr(why, says));
}

static int setup(void **unused)
{
    rules = (struct claims_rules){"", ""};
    return 0;
}

static void time_is_checked_with_some_leeway(void **unused)
{
    assert_null(check("{\"sub\":\"a\",\"exp\":1000001}"));
    assert_int_equal(until_s, 1000031);
    assert_null(check("{\"sub\":\"a\",\"exp\":999971}")); /* clocks differ */
    assert_int_equal(until_s, 1000001);
    assert_refused("{\"sub\":\"a\",\"exp\":999970}", "expired");
    assert_refused("{\"sub\":\"a\",\"exp\":0}", "expired");
    assert_refused("{\"sub\":\"a\",\"exp\":-9223372036854775808}", "expired");
    assert_null(check("{\"sub\":\"a\",\"exp\":9223372036854775807}"));
    assert_null(check("{\"sub\":\"a\",\"exp\":1000000.5}"));
    assert_null(check("{\"sub\":\"a\",\"exp\":1e300}"));
    assert_int_equal(until_s, 253402300800);
    assert_refused("{\"sub\":\"a\"}", "exp");
    assert_refused("{\"sub\":\"a\",\"exp\":\"1000001\"}", "exp");
    assert_refused("{\"sub\":\"a\",\"exp\":null}", "exp");
    assert_refused("{\"sub\":\"a\",\"exp\":true}", "exp");
    assert_null(check("{\"sub\":\"a\",\"exp\":1000001,\"nbf\":1000030}"));
    assert_refused("{\"sub\":\"a\",\"exp\":2000000,\"nbf\":1000031}", "nbf");
    assert_refused("{\"sub\":\"a\",\"exp\":2000000,\"nbf\":\"0\"}", "nbf");
    assert_refused("{\"sub\":\"a\",\"exp\":2000000,\"nbf\":null}", "nbf");
}

static void issuer_and_audience(void **unused)
{
    assert_null(check("{\"sub\":\"a\",\"exp\":1000001,\"iss\":\"anybody\"}"));
    assert_refused("{\"sub\":\"a\",\"exp\":1000001,\"aud\":\"b\"}", "jwt-audience"); /* RFC 7519 section 4.1.3: not us */
    assert_refused("{\"sub\":\"a\",\"exp\":1000001,\"aud\":[]}", "jwt-audience");
    rules = (struct claims_rules){"i", "b"};
    assert_null(check("{\"sub\":\"a\",\"exp\":1000001,\"iss\":\"i\",\"aud\":\"b\"}"));
    assert_null(check("{\"sub\":\"a\",\"exp\":1000001,\"iss\":\"i\",\"aud\":[1,\"c\",\"b\"]}"));
    assert_refused("{\"sub\":\"a\",\"exp\":1000001,\"iss\":\"i\",\"aud\":[\"c\",\"bb\",[\"b\"]]}", "aud");
    assert_refused("{\"sub\":\"a\",\"exp\":1000001,\"iss\":\"i\",\"aud\":{\"b\":1}}", "aud");
    assert_refused("{\"sub\":\"a\",\"exp\":1000001,\"iss\":\"i\"}", "aud");
    assert_refused("{\"sub\":\"a\",\"exp\":1000001,\"iss\":\"I\",\"aud\":\"b\"}", "iss");
    assert_refused("{\"sub\":\"a\",\"exp\":1000001,\"iss\":[\"i\"],\"aud\":\"b\"}", "iss");
    assert_refused("{\"sub\":\"a\",\"exp\":1000001,\"aud\":\"b\"}", "iss");
}

static void the_subject_is_the_principal(void **unused)
{
    char json[400], name[126];
    assert_null(check("{\"sub\":\"auth0|J\xc3\xb6rg\",\"exp\":1000001}"));
    assert_slice(principal_slice(&principal), "jwt:auth0|J\xc3\xb6rg");
    assert_string_equal(principal.type, "unknown");
    assert_refused("{\"exp\":1000001}", "sub");
    assert_refused("{\"sub\":\"\",\"exp\":1000001}", "sub");
    assert_refused("{\"sub\":1,\"exp\":1000001}", "sub");
    assert_refused("{\"sub\":\"a\\nb\",\"exp\":1000001}", "sub");
    assert_refused("{\"sub\":\"a\\u007f\",\"exp\":1000001}", "sub");
    for (int len = 124; len <= 125; len++) {
        memset(name, 'x', sizeof(name));
        snprintf(json, sizeof(json), "{\"sub\":\"%.*s\",\"exp\":1000001}", len, name);
        assert_int_equal(check(json) == NULL, len == 124);
    }
}

static void what_is_no_object_is_refused(void **unused)
{
    static const char *const cases[] = {"", "null", "[]", "\"sub\"", "1", "{", "{\"sub\":\"a\",\"sub\":\"b\",\"exp\":1000001}"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused(cases[i], "object");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(time_is_checked_with_some_leeway, setup),
        cmocka_unit_test_setup(issuer_and_audience, setup),
        cmocka_unit_test_setup(the_subject_is_the_principal, setup),
        cmocka_unit_test_setup(what_is_no_object_is_refused, setup),
    };
    return cmocka_run_group_tests_name("claims", tests, NULL, NULL);
}
