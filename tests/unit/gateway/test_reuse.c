/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that are given again: to whom, how old, how many. */
#include "reuse.h"

#include <stdio.h>
#include <stdlib.h>

#include "json.h"
#include "support.h"

#define SECOND INT64_C(1000000000)

static struct reuse *reuse;
static struct answer answer;
static const struct principal nobody, alice = {"api_key", 5, "alice"}, bob = {"api_key", 3, "bob"};

static int begin(void **unused)
{
    const struct reuse_options options = {.bytes_max = 4000, .max_age_s = 100, .seed = 7};
    return reuse_new(&options, &reuse);
}

static int end(void **unused)
{
    reuse_free(reuse);
    answer_done(&answer);
    return 0;
}

static void keep(const struct principal *principal, const char *text, const char *body, int64_t now_ns)
{
    struct answer made = {0};
    answer_json(&made, 200, slice_of(body));
    answer_header(&made, "ETag", SLICE("\"1\""));
    answer_header(&made, "Content-Location", SLICE("/computations/x"));
    answer_header(&made, "Server-Timing", SLICE("work;dur=1"));
    reuse_keep(reuse, principal, slice_of(text), &made, now_ns);
    answer_done(&made);
}

static bool has(const struct principal *principal, const char *text, int64_t max_age_s, int64_t now_ns)
{
    return reuse_find(reuse, principal, slice_of(text), max_age_s, now_ns, &answer);
}

static void given_with_its_age(void **unused)
{
    assert_false(has(&nobody, "a", 100, 0));
    keep(&nobody, "a", "{\"r\":1}", SECOND);
    assert_true(has(&nobody, "a", 100, 8 * SECOND + 1));
    assert_int_equal(answer.status, 200);
    assert_true(body_has(&answer, "{\"r\":1}"));
    assert_string_equal(answer_find(&answer, "Age"), "7");
    assert_string_equal(answer_find(&answer, "ETag"), "\"1\"");
    assert_string_equal(answer_find(&answer, "Content-Type"), "application/json");
    assert_string_equal(answer_find(&answer, "Content-Location"), "/computations/x");
    assert_null(answer_find(&answer, "Server-Timing")); /* nothing was worked for this one */
    assert_false(has(&nobody, "b", 100, 8 * SECOND));
}

static void not_older_than_is_taken(void **unused)
{
    size_t bytes;
    keep(&nobody, "a", "{}", 0);
    assert_true(has(&nobody, "a", 10, 10 * SECOND - 1));
    assert_false(has(&nobody, "a", 10, 10 * SECOND));
    assert_true(has(&nobody, "a", INT64_MAX, 99 * SECOND));
    assert_false(has(&nobody, "a", INT64_MAX, 100 * SECOND)); /* the gateway's own bound */
    assert_int_equal(reuse_count(reuse, &bytes), 0);
    assert_int_equal(bytes, 0);
}

static void never_another_callers(void **unused)
{
    keep(&alice, "a", "{}", 0);
    assert_true(has(&alice, "a", 10, 0));
    assert_false(has(&bob, "a", 10, 0));
    assert_false(has(&nobody, "a", 10, 0));
}

static void bounded_the_least_used_goes_first(void **unused)
{
    char text[8], body[1001];
    size_t bytes;
    memset(body, 'x', 1000);
    body[1000] = 0;
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof(text), "%d", i);
        keep(&nobody, text, body, 0);
    }
    assert_int_equal(reuse_count(reuse, &bytes), 3);
    assert_true(has(&nobody, "0", 10, 0));
    keep(&nobody, "3", body, 0);
    assert_int_equal(reuse_count(reuse, &bytes), 3);
    assert_true(bytes <= 4000);
    assert_false(has(&nobody, "1", 10, 0));
    assert_true(has(&nobody, "0", 10, 0));
    keep(&nobody, "0", "{}", 0); /* anew: the same one */
    assert_int_equal(reuse_count(reuse, &bytes), 3);
    char *large = calloc(1, REUSE_BODY_MAX + 2);
    memset(large, 'x', REUSE_BODY_MAX + 1);
    keep(&nobody, "large", large, 0);
    free(large);
    assert_int_equal(reuse_count(reuse, &bytes), 3);
}

static void expect_wish(const char *name, const char *value, enum reuse_wish wish, int64_t max_age_s, bool kept)
{
    static struct request req;
    int64_t age_s;
    bool keeps;
    make_request(&req, "POST", "/computations/");
    if (name)
        add_header(&req, name, value);
    if (name && strcmp(name, "Cache-Control") != 0)
        add_header(&req, "Cache-Control", "max-age=60");
    assert_int_equal(reuse_wish(&req, &age_s, &keeps), wish);
    if (wish != REUSE_NEVER)
        assert_int_equal(age_s, max_age_s);
    assert_int_equal(keeps, kept);
    request_done(&req);
}

static void asked_for_by_cache_control(void **unused)
{
    expect_wish(NULL, NULL, REUSE_NEVER, 0, true);
    expect_wish("Cache-Control", "max-age=60", REUSE_MAY, 60, true);
    expect_wish("Cache-Control", "max-age=60, no-transform", REUSE_MAY, 60, true);
    expect_wish("Cache-Control", "max-age=0", REUSE_NEVER, 0, true);
    expect_wish("Cache-Control", "max-age=60, no-cache", REUSE_NEVER, 0, true);
    expect_wish("Cache-Control", "max-age=60, no-store", REUSE_NEVER, 0, false);
    expect_wish("Cache-Control", "max-age=60, min-fresh=1", REUSE_NEVER, 0, true);
    expect_wish("Cache-Control", "max-age=x", REUSE_NEVER, 0, true);
    expect_wish("Cache-Control", "only-if-cached", REUSE_MUST, INT64_MAX, true);
    expect_wish("Cache-Control", "only-if-cached, max-age=5", REUSE_MUST, 5, true);
    expect_wish("Cache-Control", "only-if-cached, no-cache", REUSE_MUST, 0, true);
    expect_wish("Idempotency-Key", "k", REUSE_NEVER, 0, true); /* a command of its own, with a body to be compared */
    expect_wish("If-Match", "\"1\"", REUSE_NEVER, 0, true);
}

static void expect_same(const char *a, const char *b, bool same)
{
    struct json_error error;
    struct buf texts[2] = {{0}};
    const char *const from[] = {a, b};
    for (int i = 0; i < 2; i++) {
        struct json_object *value = json_parse_strict(slice_of(from[i]), &error);
        assert_non_null(value);
        reuse_canonical(value, &texts[i]);
        json_object_put(value);
    }
    assert_int_equal(slice_equal(buf_slice(&texts[0]), buf_slice(&texts[1])), same);
    buf_done(&texts[0]);
    buf_done(&texts[1]);
}

static void members_in_any_order_are_the_same(void **unused)
{
    expect_same("{\"kind\":\"pi\",\"params\":{\"seed\":1,\"samples\":2}}", "{ \"params\" : {\"samples\":2 , \"seed\":1}, \"kind\":\"\\u0070i\"}", true);
    expect_same("{\"a\":[1,{\"b\":null,\"c\":true}]}", "{\"a\":[1,{\"c\":true,\"b\":null}]}", true);
    expect_same("{\"a\":[1,2]}", "{\"a\":[2,1]}", false);
    expect_same("{\"a\":1}", "{\"a\":\"1\"}", false);
    expect_same("{\"a\":1}", "{\"a\":1,\"b\":{}}", false);
    expect_same("{\"a\":0.1}", "{\"a\":0.10000001}", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(given_with_its_age, begin, end),
        cmocka_unit_test_setup_teardown(not_older_than_is_taken, begin, end),
        cmocka_unit_test_setup_teardown(never_another_callers, begin, end),
        cmocka_unit_test_setup_teardown(bounded_the_least_used_goes_first, begin, end),
        cmocka_unit_test(asked_for_by_cache_control),
        cmocka_unit_test(members_in_any_order_are_the_same),
    };
    return cmocka_run_group_tests_name("reuse", tests, NULL, NULL);
}
