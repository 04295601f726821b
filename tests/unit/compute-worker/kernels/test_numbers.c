/* SPDX-License-Identifier: Apache-2.0 */
/* What is a number, and which numbers a text holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "kernels/numbers.h"

static void numbers(void **state)
{
    static const struct {
        const char *text;
        double value;
    } good[] = {{"0", 0}, {"-7", -7}, {"+7", 7}, {"1.5", 1.5}, {".5", .5}, {"5.", 5}, {" 1e3\t", 1000}, {"1E-2", .01}, {"1e100", 1e100},
                {"007", 7}, {"1e-400", 0}, {"9007199254740993", 9007199254740992.0}};
    static const char *const bad[] = {"", " ", "-", ".", "e5", "1e", "1e+", "0x10", "nan", "inf", "1,5", "1 2", "1.2.3", "--1", "1e101", "-2e100",
                                      "1e999", "1\n"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        double value = 99;
        assert_true(number_parse(slice_of(good[i].text), &value));
        assert_true(value == good[i].value);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        double value = 99;
        if (number_parse(slice_of(bad[i]), &value))
            fail_msg("\"%s\" was taken for a number", bad[i]);
        assert_true(value == 99);
    }
    char longest[NUMBERS_CHARACTERS + 2];
    double value;
    memset(longest, '0', sizeof(longest));
    assert_true(number_parse(slice_make(longest, NUMBERS_CHARACTERS), &value));
    assert_false(number_parse(slice_make(longest, NUMBERS_CHARACTERS + 1), &value));
}

/* As text: "1 2 _ ." for 1, 2, missing, end; "!" for wrong. */
static void tell(enum numbers_next next, double value, char *out)
{
    size_t len = strlen(out);
    if (next == NUMBERS_VALUE)
        sprintf(out + len, "%g ", value);
    else
        strcpy(out + len, next == NUMBERS_MISSING ? "_ " : next == NUMBERS_END ? "." : "!");
}

static void expect_json(const char *text, const char *expected)
{
    struct numbers_json in = {.text = slice_of(text)};
    char told[200] = "";
    double value = 0;
    enum numbers_next next;
    do {
        next = numbers_json_next(&in, &value);
        tell(next, value, told);
    } while (next == NUMBERS_VALUE || next == NUMBERS_MISSING);
    assert_string_equal(told, expected);
}

static void json(void **state)
{
    expect_json("[]", ".");
    expect_json(" [ ] ", ".");
    expect_json("[1]", "1 .");
    expect_json("[1,-2.5e1 ,\n3]", "1 -25 3 .");
    expect_json("[null,1]", "_ 1 .");
    expect_json("[1,\"2\"]", "1 !");
    expect_json("[1,true]", "1 !");
    expect_json("[[1]]", "!");
    expect_json("[{\"a\":1}]", "!");
    expect_json("[1e101]", "!");
    expect_json("\"1\"", "!");
}

static void expect_csv(struct numbers_csv in, bool header, const char *name, const char *expected)
{
    char told[200] = "";
    double value = 0;
    enum numbers_next next;
    in.line = 1;
    if (header && !numbers_csv_header(&in, slice_of(name))) {
        assert_string_equal("!", expected);
        assert_non_null(in.why);
        return;
    }
    do {
        next = numbers_csv_next(&in, &value);
        tell(next, value, told);
    } while (next == NUMBERS_VALUE || next == NUMBERS_MISSING);
    assert_string_equal(told, expected);
    assert_true((next == NUMBERS_WRONG) == (in.why != NULL));
}

#define CSV(content, which) ((struct numbers_csv){.text = SLICE(content), .delimiter = ',', .column = which})

static void csv(void **state)
{
    expect_csv(CSV("", 1), false, NULL, ".");
    expect_csv(CSV("\n\r\n\n", 1), false, NULL, ".");
    expect_csv(CSV("1\n2\r\n3", 1), false, NULL, "1 2 3 .");
    expect_csv(CSV("a,1\nb, 2 \n", 2), false, NULL, "1 2 .");
    expect_csv(CSV("a,1\nb\n\nc,\n", 2), false, NULL, "1 _ _ .");
    expect_csv(CSV("\"1\",x\n\"2\"\n", 1), false, NULL, "1 2 .");
    expect_csv(CSV("\"a \"\"quoted\"\", with\nlines\",7\n", 2), false, NULL, "7 .");
    expect_csv(CSV("name,x,y\na,1,2\nb,3,4\n", 1), true, "y", "2 4 .");
    expect_csv(CSV("name, \"x\" ,y\n", 1), true, "y", "!");
    expect_csv(CSV("\"first, last\",\"x\"\nq,5", 1), true, "x", "5 .");
    expect_csv(CSV("x,y\n1,2\n", 1), true, "z", "!");
    expect_csv(CSV("x\n1\n", 1), true, NULL, "1 .");
    expect_csv(CSV("1\nx\n", 1), false, NULL, "1 !");
    expect_csv(CSV("1\n\"2\n", 1), false, NULL, "1 !");
    expect_csv(CSV("\"1\"2\n", 1), false, NULL, "!");
    expect_csv(CSV("1\"\n", 1), false, NULL, "!");
    expect_csv(CSV("1\r2\n", 1), false, NULL, "!");
    expect_csv((struct numbers_csv){.text = SLICE("1,5;2\n3;4\n"), .delimiter = ';', .column = 2}, false, NULL, "2 4 .");
}

static void says_the_line(void **state)
{
    struct numbers_csv in = CSV("1,\"a\nb\"\n\n2\nx\n", 1);
    double value;
    in.line = 1;
    assert_int_equal(numbers_csv_next(&in, &value), NUMBERS_VALUE);
    assert_int_equal(numbers_csv_next(&in, &value), NUMBERS_VALUE);
    assert_true(value == 2);
    assert_int_equal(numbers_csv_next(&in, &value), NUMBERS_WRONG);
    assert_int_equal(in.line, 5);
}

static void unescapes(void **state)
{
    static const char *const texts[][2] = {
        {"\"\"", ""},
        {"\"1\\n2\\r\\t\\\"\\\\\\/\\b\\f\"", "1\n2\r\t\"\\/\b\f"},
        {"\"\\u0041\\u00e9\\u20ac\\ud83d\\uDE00z\"", "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char text[64];
        size_t len = numbers_unescape(slice_of(texts[i][0]), text);
        assert_true(slice_equal(slice_make(text, len), slice_of(texts[i][1])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers), cmocka_unit_test(json),      cmocka_unit_test(csv),
        cmocka_unit_test(says_the_line), cmocka_unit_test(unescapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
