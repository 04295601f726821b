/* SPDX-License-Identifier: Apache-2.0 */
/* The grammars of HTTP field values, each with what is just outside of it. */
#include "syntax.h"

#include "support.h"

static void tokens(void **unused)
{
    assert_true(syntax_is_token(SLICE("Content-Type")));
    assert_true(syntax_is_token(SLICE("x!#$%&'*+-.^_`|~9")));
    assert_false(syntax_is_token(SLICE("")));
    assert_false(syntax_is_token(SLICE("a b")));
    assert_false(syntax_is_token(SLICE("a:")));
    assert_false(syntax_is_token(SLICE("a\0")));
    assert_false(syntax_is_token(SLICE("\xc3\xa9")));
}

static void field_values(void **unused)
{
    assert_true(syntax_is_field_value(SLICE("")));
    assert_true(syntax_is_field_value(SLICE("a\tb \xc3\xa9")));
    assert_false(syntax_is_field_value(SLICE("a\rb")));
    assert_false(syntax_is_field_value(SLICE("a\nb")));
    assert_false(syntax_is_field_value(SLICE("a\0b")));
    assert_false(syntax_is_field_value(SLICE("\x7f")));
}

static void hosts(void **unused)
{
    static const char *const good[] = {"", "x", "127.0.0.1:80", "[::1]:8080", "a-b.c_d~e", "x%20y", "a;b"};
    static const char *const bad[] = {"a b", "a/b", "a@b", "a\tb", "a\x7f", "\xc3\xa9", "a#b", "a\"b", "a<b", "a|b", "a\\b"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(syntax_is_host(slice_of(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(syntax_is_host(slice_of(bad[i])));
    assert_false(syntax_is_host(slice_make("a\0b", 3)));
}

static void integers_in_their_only_spelling(void **unused)
{
    static const struct {
        const char *text;
        bool good;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-1", true, -1},
        {"42", true, 42},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"18446744073709551616", false, 0},
        {"99999999999999999999999999", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"-0", false, 0},
        {"00", false, 0},
        {"01", false, 0},
        {"-01", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1.0", false, 0},
        {"1e3", false, 0},
        {"0x1", false, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t value = 77;
        assert_int_equal(syntax_int64(slice_of(cases[i].text), &value), cases[i].good);
        assert_int_equal(value, cases[i].good ? cases[i].value : 77);
    }
}

static void json_media_types(void **unused)
{
    assert_true(syntax_is_json_type(SLICE("application/json")));
    assert_true(syntax_is_json_type(SLICE("Application/JSON")));
    assert_true(syntax_is_json_type(SLICE("application/json; charset=utf-8")));
    assert_true(syntax_is_json_type(SLICE("application/json;charset=\"UTF-8\" ; x=\"a;b\"")));
    assert_true(syntax_is_json_type(SLICE("application/json;")));
    assert_false(syntax_is_json_type(SLICE_NONE));
    assert_false(syntax_is_json_type(SLICE("")));
    assert_false(syntax_is_json_type(SLICE("text/json")));
    assert_false(syntax_is_json_type(SLICE("application/jsonp")));
    assert_false(syntax_is_json_type(SLICE("application/json, text/plain")));
    assert_false(syntax_is_json_type(SLICE("application/json; charset=latin1")));
    assert_false(syntax_is_json_type(SLICE("application/json; =x")));
}

static void idempotency_keys(void **unused)
{
    char key[SYNTAX_IDEMPOTENCY_KEY_MAX], longest[SYNTAX_IDEMPOTENCY_KEY_MAX + 3];
    assert_int_equal(syntax_idempotency_key(SLICE("abc-1"), key), 5);
    assert_memory_equal(key, "abc-1", 5);
    assert_int_equal(syntax_idempotency_key(SLICE(" \"a b\" "), key), 3);
    assert_memory_equal(key, "a b", 3);
    assert_int_equal(syntax_idempotency_key(SLICE("\"a\\\"\\\\b\""), key), 4);
    assert_memory_equal(key, "a\"\\b", 4);
    assert_int_equal(syntax_idempotency_key(SLICE(""), key), 0);
    assert_int_equal(syntax_idempotency_key(SLICE("\"\""), key), 0);
    assert_int_equal(syntax_idempotency_key(SLICE("a\"b"), key), 0);
    assert_int_equal(syntax_idempotency_key(SLICE("\"a\"b\""), key), 0);
    assert_int_equal(syntax_idempotency_key(SLICE("\"a\\n\""), key), 0);
    assert_int_equal(syntax_idempotency_key(SLICE("\"a\\\""), key), 0);
    assert_int_equal(syntax_idempotency_key(SLICE("\xc3\xa9"), key), 0);
    assert_int_equal(syntax_idempotency_key(SLICE("a\tb"), key), 0);
    memset(longest, 'k', sizeof(longest));
    assert_int_equal(syntax_idempotency_key(slice_make(longest, SYNTAX_IDEMPOTENCY_KEY_MAX), key), 255);
    assert_int_equal(syntax_idempotency_key(slice_make(longest, SYNTAX_IDEMPOTENCY_KEY_MAX + 1), key), 0);
    longest[0] = longest[sizeof(longest) - 1] = '"';
    assert_int_equal(syntax_idempotency_key(slice_make(longest, sizeof(longest)), key), 0);
}

static void seconds(void **unused)
{
    static const struct {
        const char *text;
        int64_t ms; /* 0: refused */
    } cases[] = {{"2", 2000},   {"0.25", 250},    {" 1.5 ", 1500},     {"0", 1},
                 {"0.0004", 1}, {"1.2345", 1234}, {"86400", 86400000}, {"99999999999999999999", 86400000},
                 {"", 0},       {".5", 0},        {"1.", 0},           {"-1", 0},
                 {"+1", 0},     {"1s", 0},        {"1e3", 0},          {"1.x", 0},
                 {"1 2", 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ms = 0;
        assert_int_equal(syntax_seconds_ms(slice_of(cases[i].text), &ms), cases[i].ms != 0);
        assert_int_equal(ms, cases[i].ms);
    }
}

static struct syntax_prefer prefer_of(struct slice field)
{
    struct syntax_prefer prefer = {0};
    syntax_prefer(field, &prefer);
    return prefer;
}

static int64_t wait_of(struct slice field)
{
    return prefer_of(field).wait_ms;
}

static void prefer_wait(void **unused)
{
    assert_int_equal(wait_of(SLICE("wait=10")), 10000);
    assert_int_equal(wait_of(SLICE("respond-async, wait=10")), 10000);
    assert_int_equal(wait_of(SLICE("WAIT = \"3\" ; x=y, wait=9")), 3000);
    assert_int_equal(wait_of(SLICE("foo=\"a, wait=5\"")), 0);
    assert_int_equal(wait_of(SLICE("wait")), 0);
    assert_int_equal(wait_of(SLICE("wait=0")), 0);
    assert_int_equal(wait_of(SLICE("wait=1.5")), 0);
    assert_int_equal(wait_of(SLICE("wait=-1")), 0);
    assert_int_equal(wait_of(SLICE("waiting=1")), 0);
    assert_int_equal(wait_of(SLICE_NONE), 0);
    assert_int_equal(wait_of(SLICE(",,;=")), 0);
}

static void prefer_not_to_wait(void **unused)
{
    assert_true(prefer_of(SLICE("wait=0")).wait_given);
    assert_true(prefer_of(SLICE("wait=\"0\"")).wait_given);
    assert_int_equal(wait_of(SLICE("wait=0, wait=5")), 0); /* the first counts */
    assert_false(prefer_of(SLICE("wait=0.0")).wait_given);
    assert_false(prefer_of(SLICE("wait=")).wait_given);
    assert_true(prefer_of(SLICE("respond-async")).respond_async);
    assert_true(prefer_of(SLICE("handling=lenient, Respond-Async; x=1")).respond_async);
    assert_true(prefer_of(SLICE("respond-async=\"\"")).respond_async); /* the same as without a value */
    assert_false(prefer_of(SLICE("respond-async=no")).respond_async);
    assert_false(prefer_of(SLICE("x=\"respond-async\"")).respond_async);
    struct syntax_prefer prefer = {0};
    syntax_prefer(SLICE("respond-async"), &prefer);
    syntax_prefer(SLICE("wait=10"), &prefer);
    assert_true(prefer.respond_async);
    assert_int_equal(prefer.wait_ms, 10000);
}

static struct syntax_cache_control cache_of(const char *field)
{
    struct syntax_cache_control cache = {.given = false};
    syntax_cache_control(slice_of(field), &cache);
    return cache;
}

static void cache_control(void **unused)
{
    struct syntax_cache_control cache = cache_of("No-Cache, NO-STORE , max-age=\"5\",max-stale = 7, min-fresh=9");
    assert_true(cache.given && cache.no_cache && cache.no_store);
    assert_true(cache.max_age_given && cache.max_stale_given && cache.min_fresh_given);
    assert_int_equal(cache.max_age_s, 5);
    assert_int_equal(cache.max_stale_s, 7);
    assert_int_equal(cache.min_fresh_s, 9);
    cache = cache_of(",, x=\"no-cache, no-store\", no-cached, smax-age=1");
    assert_true(cache.given);
    assert_false(cache.no_cache || cache.no_store || cache.max_age_given);
    assert_true(cache_of("no-cache=\"set-cookie\"").no_cache); /* a request's has no fields: the whole is meant */
}

static void cache_control_numbers(void **unused)
{
    assert_int_equal(cache_of("max-age=0").max_age_s, 0);
    assert_int_equal(cache_of("max-age=2147483647").max_age_s, INT32_MAX);
    assert_int_equal(cache_of("max-age=99999999999999999999999").max_age_s, INT64_C(1) << 31);
    static const char *const none[] = {"max-age", "max-age=", "max-age=x", "max-age=-1", "max-age=1.5", "max-age=1 2"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_true(cache_of(none[i]).max_age_given);
        assert_int_equal(cache_of(none[i]).max_age_s, 0); /* the strictest */
    }
    assert_int_equal(cache_of("max-stale").max_stale_s, INT64_MAX);
    assert_int_equal(cache_of("max-stale=x").max_stale_s, 0);
    /* the stricter of two counts */
    assert_int_equal(cache_of("max-age=5, max-age=3, max-age=4").max_age_s, 3);
    assert_int_equal(cache_of("max-stale, max-stale=3").max_stale_s, 3);
    assert_int_equal(cache_of("max-stale=3, max-stale").max_stale_s, 3);
    assert_int_equal(cache_of("min-fresh=3, min-fresh=5, min-fresh=4").min_fresh_s, 5);
}

static void entity_tag_lists(void **unused)
{
    assert_true(syntax_etag_listed(SLICE("\"3\""), SLICE("\"3\"")));
    assert_true(syntax_etag_listed(SLICE("W/\"3\""), SLICE("\"3\"")));
    assert_true(syntax_etag_listed(SLICE("\"3\""), SLICE("W/\"3\"")));
    assert_true(syntax_etag_listed(SLICE(" \"1\" , W/\"2\",\"3\""), SLICE("\"3\"")));
    assert_true(syntax_etag_listed(SLICE("\"a,b\", \"3\""), SLICE("\"3\"")));
    assert_true(syntax_etag_listed(SLICE(" * "), SLICE("\"3\"")));
    assert_false(syntax_etag_listed(SLICE("\"33\", \"\""), SLICE("\"3\"")));
    assert_false(syntax_etag_listed(SLICE("3"), SLICE("\"3\"")));
    assert_false(syntax_etag_listed(SLICE("\"1\" \"3\""), SLICE("\"3\"")));
    assert_false(syntax_etag_listed(SLICE("\"3"), SLICE("\"3\"")));
    assert_false(syntax_etag_listed(SLICE("*"), SLICE_NONE));
    assert_false(syntax_etag_listed(SLICE_NONE, SLICE("\"3\"")));
    assert_false(syntax_etag_listed(SLICE("W/"), SLICE("\"3\"")));
}

static void percent_decoding(void **unused)
{
    char text[32];
    size_t len = 0;
    assert_true(syntax_percent_decode(SLICE("a%2fb%C3%A9%00"), text, &len));
    assert_int_equal(len, 6);
    assert_memory_equal(text, "a/b\xc3\xa9\0", 6);
    assert_false(syntax_percent_decode(SLICE("%"), text, &len));
    assert_false(syntax_percent_decode(SLICE("%2"), text, &len));
    assert_false(syntax_percent_decode(SLICE("%zz"), text, &len));
    assert_false(syntax_percent_decode(SLICE("%2g"), text, &len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens),
        cmocka_unit_test(field_values),
        cmocka_unit_test(hosts),
        cmocka_unit_test(integers_in_their_only_spelling),
        cmocka_unit_test(json_media_types),
        cmocka_unit_test(idempotency_keys),
        cmocka_unit_test(seconds),
        cmocka_unit_test(prefer_wait),
        cmocka_unit_test(prefer_not_to_wait),
        cmocka_unit_test(cache_control),
        cmocka_unit_test(cache_control_numbers),
        cmocka_unit_test(entity_tag_lists),
        cmocka_unit_test(percent_decoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
