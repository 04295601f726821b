/* SPDX-License-Identifier: Apache-2.0 */
/* Strict JSON: what passes, what is refused and where, and what members an object may have. */
#include "json.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "buf.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void good_texts_pass(void **state)
{
    static const char *const good[] = {
        "{}",
        "[]",
        " \t\r\n{ \"a\" : [ 1 , -2.5e+3 , true , false , null , \"x\" ] } \n",
        "0",
        "-0",
        "1E5",
        "0.5",
        "\"\"",
        "true",
        "9223372036854775807",
        "-9223372036854775808",
        "1.7976931348623157e308",
        "1e-999",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83c\\udf89\"",
        "\"\x7f \xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x8e\x89\"",
        "{\"a\":{\"a\":1},\"b\":{\"a\":2}}",
        "[{\"a\":1},{\"a\":1}]",
        "{\"\":1,\"\\u0001\":2}",
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        struct json_error error = {""};
        assert_true(json_check_strict(slice_of(good[i]), &error));
        struct json_object *root = json_parse_strict(slice_of(good[i]), &error);
        assert_non_null(root);
        json_object_put(root);
        assert_string_equal(error.text, "");
    }
}

struct bad_text {
    struct slice text;
    int byte;
    const char *why; /* part of the sentence */
};

static void assert_refused(struct slice text, int byte, const char *why)
{
    struct json_error error = {""}, again = {""};
    char where[32];
    snprintf(where, sizeof(where), "byte %d: ", byte);
    assert_null(json_parse_strict(text, &error));
    if (strncmp(error.text, where, strlen(where)) != 0 || !strstr(error.text, why))
        fail_msg("%.*s: got \"%s\", wanted \"%s...%s\"", SLICE_ARG(text), error.text, where, why);
    assert_false(json_check_strict(text, &again));
    assert_string_equal(again.text, error.text);
}

static void bad_texts_are_refused_where_they_go_wrong(void **state)
{
    static const struct bad_text bad[] = {
        {{NULL, 0}, 0, "ends where a value"},
        {SLICE(""), 0, "ends where a value"},
        {SLICE("  "), 2, "ends where a value"},
        {SLICE("\xef\xbb\xbf{}"), 0, "a value"},
        {SLICE("{'a':1}"), 1, "double quotes"},
        {SLICE("['a']"), 1, "double quotes"},
        {SLICE("{a:1}"), 1, "double quotes"},
        {SLICE("NaN"), 0, "a value"},
        {SLICE("[Infinity]"), 1, "a value"},
        {SLICE("-Infinity"), 1, "a digit"},
        {SLICE("TRUE"), 0, "a value"},
        {SLICE("truth"), 0, "a value"},
        {SLICE("truex"), 4, "nothing may follow"},
        {SLICE("// x\n{}"), 0, "a value"},
        {SLICE("{/**/}"), 1, "double quotes"},
        {SLICE("{} {}"), 3, "nothing may follow"},
        {SLICE("{}x"), 2, "nothing may follow"},
        {{"{}\0", 3}, 2, "nothing may follow"},
        {SLICE("{\"a\":1,}"), 7, "double quotes"},
        {SLICE("[1,]"), 3, "a value"},
        {SLICE("[,1]"), 1, "a value"},
        {SLICE("[1 2]"), 3, "a comma or ]"},
        {SLICE("{\"a\" 1}"), 5, "a colon"},
        {SLICE("{\"a\":1"), 6, "ends where a comma or }"},
        {SLICE("{\"a\":"), 5, "ends where a value"},
        {SLICE("[1}"), 2, "a comma or ]"},
        {SLICE("01"), 0, "must not start with 0"},
        {SLICE("-01"), 0, "must not start with 0"},
        {SLICE("+1"), 0, "a value"},
        {SLICE(".5"), 0, "a value"},
        {SLICE("5."), 2, "a digit"},
        {SLICE("1e"), 2, "a digit"},
        {SLICE("1e+x"), 3, "a digit"},
        {SLICE("0x10"), 1, "nothing may follow"},
        {SLICE("9223372036854775808"), 0, "an integer must be from"},
        {SLICE("[-9223372036854775809]"), 1, "an integer must be from"},
        {SLICE("1e309"), 0, "too large for a double"},
        {SLICE("-1.5e999"), 0, "too large for a double"},
        {SLICE("\"abc"), 0, "does not end"},
        {SLICE("\"abc\\\""), 0, "does not end"},
        {SLICE("\"a\nb\""), 2, "control character"},
        {{"\"a\0b\"", 5}, 2, "control character"},
        {SLICE("\"\\x41\""), 1, "a backslash"},
        {SLICE("\"\\"), 1, "a backslash"},
        {SLICE("\"\\u12"), 1, "four hexadecimal digits"},
        {SLICE("\"\\u12g4\""), 1, "four hexadecimal digits"},
        {SLICE("\"\\u0000\""), 1, "\\u0000"},
        {SLICE("\"\\ud800\""), 1, "unpaired surrogate"},
        {SLICE("\"\\udc00\""), 1, "unpaired surrogate"},
        {SLICE("\"\\udc00\\ud800\""), 1, "unpaired surrogate"},
        {SLICE("\"\\udc00\\udc00\""), 1, "unpaired surrogate"},
        {SLICE("\"\\ud800\\ud800\""), 1, "unpaired surrogate"},
        {SLICE("\"\\ud800xudc00\""), 1, "unpaired surrogate"},
        {SLICE("\"\\ud83c\\udf8"), 1, "unpaired surrogate"},
        {SLICE("\"\xff\""), 1, "UTF-8"},
        {SLICE("\"\xc0\x80\""), 1, "UTF-8"},
        {SLICE("\"\xed\xa0\x80\""), 1, "UTF-8"},
        {SLICE("\"\xf0\x9f\x8e"), 1, "UTF-8"},
        {SLICE("{\"\xe6\xbc\":1}"), 2, "UTF-8"},
        {SLICE("{\"a\":1,\"a\":2}"), 7, "twice"},
        {SLICE("{\"a\":1,\"b\":{},\"\\u0061\":2}"), 14, "twice"},
        {SLICE("{\"\\ud83c\\udf89\":1,\"\xf0\x9f\x8e\x89\":2}"), 18, "twice"},
        {SLICE("{\"\\n\":1,\"\\u000A\":2}"), 8, "twice"},
        {SLICE("{\"/\":1,\"\\/\":2}"), 7, "twice"},
        {SLICE("{\"\xc3\xa9\":1,\"\\u00e9\":2}"), 8, "twice"},
        {SLICE("{\"\xe6\xbc\xa2\":1,\"\\u6f22\":2}"), 9, "twice"},
        {SLICE("{\"a\":[{\"b\":1,\"b\":1}]}"), 13, "twice"},
        {SLICE("{\"\":1,\"\":2}"), 6, "twice"},
    };
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_refused(bad[i].text, bad[i].byte, bad[i].why);
}

static void a_bare_null_is_no_document(void **state)
{
    struct json_error error = {""};
    assert_null(json_parse_strict(SLICE("null"), &error));
    assert_non_null(strstr(error.text, "must not be null"));
    assert_true(json_check_strict(SLICE(" null "), &error));
}

static void nesting_has_a_limit(void **state)
{
    for (int depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        struct buf text = {0};
        struct json_error error = {""};
        for (int i = 0; i < depth; i++)
            buf_append_text(&text, i % 2 ? "[" : "{\"a\":");
        buf_append_text(&text, "1");
        for (int i = depth; i-- > 0;)
            buf_append_text(&text, i % 2 ? "]" : "}");
        struct json_object *root = json_parse_strict(buf_slice(&text), &error);
        if (depth <= JSON_DEPTH_MAX)
            assert_string_equal(error.text, "");
        else
            assert_non_null(strstr(error.text, "nested deeper than 32"));
        assert_int_equal(root != NULL, depth <= JSON_DEPTH_MAX);
        json_object_put(root);
        buf_done(&text);
    }
}

/* Depth is what is open, not what was ever opened. */
static void many_siblings_are_not_deep(void **state)
{
    struct buf text = {0};
    struct json_error error = {""};
    buf_append_text(&text, "[0");
    for (int i = 0; i < 2 * JSON_DEPTH_MAX; i++)
        buf_append_text(&text, ",{},[],{\"a\":[{}]}");
    buf_append_text(&text, "]");
    assert_true(json_check_strict(buf_slice(&text), &error));
    buf_done(&text);
}

static void numbers_have_a_length_limit(void **state)
{
    char text[JSON_NUMBER_MAX + 2] = "0.";
    struct json_error error = {""};
    memset(text + 2, '5', sizeof(text) - 3);
    assert_false(json_check_strict(slice_make(text, JSON_NUMBER_MAX + 1), &error));
    assert_non_null(strstr(error.text, "at most 128 characters"));
    assert_true(json_check_strict(slice_make(text, JSON_NUMBER_MAX), &error));
}

/* More names than fit on the stack, and a sort that must not be quadratic. */
static void big_objects_are_searched_for_equal_names(void **state)
{
    struct buf text = {0};
    struct json_error error = {""};
    buf_append_text(&text, "{");
    for (int i = 0; i < 50000; i++)
        buf_printf(&text, "\"%s%d\":1,", i % 2 ? "\\u0078" : "x", i);
    size_t len = text.len;
    buf_append_text(&text, "\"last\":1}");
    assert_true(json_check_strict(buf_slice(&text), &error));
    text.len = len;
    buf_append_text(&text, "\"x777\":1}");
    assert_false(json_check_strict(buf_slice(&text), &error));
    assert_non_null(strstr(error.text, "twice"));
    buf_done(&text);
}

static void values_come_through_intact(void **state)
{
    struct json_error error;
    struct json_object *root =
        json_parse_strict(SLICE("{\"min\":-9223372036854775808,\"max\":9223372036854775807,"
                                "\"s\":\"Gr\\u00f6\xc3\x9f"
                                "e \\ud83c\\udf89 \xe6\xbc\xa2\",\"d\":0.1,\"n\":null}"),
                          &error);
    assert_non_null(root);
    assert_true(json_member_int64(root, "min", 0) == INT64_MIN);
    assert_true(json_member_int64(root, "max", 0) == INT64_MAX);
    assert_true(slice_is(json_member_string(root, "s"), "Gr\xc3\xb6\xc3\x9f"
                                                        "e \xf0\x9f\x8e\x89 \xe6\xbc\xa2"));
    assert_int_equal(json_member_int64(root, "absent", -5), -5);
    assert_int_equal(json_member_int64(root, "n", -5), -5);
    assert_int_equal(json_member_int64(root, "s", -5), -5);
    assert_null(json_member_string(root, "absent").p);
    assert_null(json_member_string(root, "n").p);
    assert_null(json_member_string(root, "max").p);
    json_object_put(root);
}

/* ---- members ---- */

static const struct json_member members[] = {
    {"id", JSON_INT64, true, 0, 0},       {"name", JSON_STRING, true, 1, 5},
    {"note", JSON_STRING, false, 0, 4},   {"level", JSON_INT64, false, -1, 9},
    {"ratio", JSON_NUMBER, false, 0, 0},  {"on", JSON_BOOL, false, 0, 0},
    {"params", JSON_OBJECT, false, 0, 0}, {"list", JSON_ARRAY, false, 0, 0},
    {"text", JSON_STRING, false, 0, 0},
};

static void assert_members(const char *text, const char *sentence)
{
    struct json_error error = {""};
    struct json_object *root = json_parse_strict(slice_of(text), &error);
    assert_non_null(root);
    assert_int_equal(json_members_check(root, members, COUNT(members), &error), !*sentence);
    assert_string_equal(error.text, sentence);
    json_object_put(root);
}

static void allowed_members_pass(void **state)
{
    assert_members("{\"id\":1,\"name\":\"x\"}", "");
    assert_members("{\"name\":\"12345\",\"id\":-9223372036854775808,\"note\":\"\",\"level\":9,\"ratio\":1.5,"
                   "\"on\":false,"
                   "\"params\":{\"any\":1},\"list\":[],\"text\":\"as long as you like\"}",
                   "");
    assert_members("{\"id\":1,\"name\":\"x\",\"ratio\":7}", "");
}

static void other_members_are_refused_with_a_sentence(void **state)
{
    assert_members("[1]", "the JSON must be an object");
    assert_members("{\"name\":\"x\"}", "member \"id\" is missing; it must be a 64-bit integer");
    assert_members("{\"id\":1.0,\"name\":\"x\"}", "member \"id\" must be a 64-bit integer");
    assert_members("{\"id\":\"1\",\"name\":\"x\"}", "member \"id\" must be a 64-bit integer");
    assert_members("{\"id\":null,\"name\":\"x\"}", "member \"id\" must be a 64-bit integer");
    assert_members("{\"id\":1,\"name\":\"\"}", "member \"name\" must be a string of 1 to 5 bytes");
    assert_members("{\"id\":1,\"name\":\"123456\"}", "member \"name\" must be a string of 1 to 5 bytes");
    assert_members("{\"id\":1,\"name\":7}", "member \"name\" must be a string of 1 to 5 bytes");
    assert_members("{\"id\":1,\"name\":\"x\",\"note\":\"12345\"}",
                   "member \"note\" must be a string of at most 4 bytes");
    assert_members("{\"id\":1,\"name\":\"x\",\"note\":null}",
                   "member \"note\" must be a string of at most 4 bytes");
    assert_members("{\"id\":1,\"name\":\"x\",\"level\":10}",
                   "member \"level\" must be an integer from -1 to 9");
    assert_members("{\"id\":1,\"name\":\"x\",\"level\":-2}",
                   "member \"level\" must be an integer from -1 to 9");
    assert_members("{\"id\":1,\"name\":\"x\",\"ratio\":\"1\"}", "member \"ratio\" must be a number");
    assert_members("{\"id\":1,\"name\":\"x\",\"on\":0}", "member \"on\" must be true or false");
    assert_members("{\"id\":1,\"name\":\"x\",\"params\":[]}", "member \"params\" must be an object");
    assert_members("{\"id\":1,\"name\":\"x\",\"list\":{}}", "member \"list\" must be an array");
    assert_members("{\"id\":1,\"name\":\"x\",\"text\":1}", "member \"text\" must be a string");
    assert_members("{\"id\":1,\"nome\":\"x\"}",
                   "member \"nome\" is unknown; allowed: id, name, note, level, ratio, on, "
                   "params, list, text");
}

static void a_long_unknown_name_is_cut_between_characters(void **state)
{
    static const struct json_member one[] = {{"a", JSON_INT64, true, 0, 0}};
    struct buf text = {0};
    struct json_error error = {""};
    buf_append_text(&text, "{\"x");
    for (int i = 0; i < 100; i++)
        buf_append_text(&text, "\xc3\xa9");
    buf_append_text(&text, "\":1}");
    struct json_object *root = json_parse_strict(buf_slice(&text), &error);
    assert_non_null(root);
    assert_false(json_members_check(root, one, 1, &error));
    const char *cut = strstr(error.text, "...");
    assert_non_null(cut);
    assert_int_equal(cut - error.text, (int)strlen("member \"x") + 31 * 2);
    assert_non_null(strstr(cut, "allowed: a"));
    json_object_put(root);
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_texts_pass),
        cmocka_unit_test(bad_texts_are_refused_where_they_go_wrong),
        cmocka_unit_test(a_bare_null_is_no_document),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(many_siblings_are_not_deep),
        cmocka_unit_test(numbers_have_a_length_limit),
        cmocka_unit_test(big_objects_are_searched_for_equal_names),
        cmocka_unit_test(values_come_through_intact),
        cmocka_unit_test(allowed_members_pass),
        cmocka_unit_test(other_members_are_refused_with_a_sentence),
        cmocka_unit_test(a_long_unknown_name_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
