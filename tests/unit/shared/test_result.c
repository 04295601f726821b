/* SPDX-License-Identifier: Apache-2.0 */
/* Where a result is, as a header says it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "result.h"

static void both_ways(void **unused)
{
    char text[RESULT_TEXT_MAX];
    struct result read;
    const struct result piece = {.bytes = 12, .at = 57, .media_type = SLICE("application/json")};
    size_t len = result_write(&piece, text);
    assert_true(slice_is(slice_make(text, len), "12 +57 application/json"));
    assert_true(result_read(slice_make(text, len), &read));
    assert_int_equal(read.bytes, 12);
    assert_int_equal(read.at, 57);
    assert_null(read.parts_id.p);
    assert_int_equal(result_parts(&read), 1);
    const struct result parts = {.bytes = 1000001, .part_bytes = 500000, .parts_id = SLICE("019374a1-0000-7000-8000-000000000000"),
                                 .hash = 0x0123456789abcdef, .media_type = SLICE("image/png; a=b c")};
    len = result_write(&parts, text);
    assert_true(slice_is(slice_make(text, len), "1000001 500000/019374a1-0000-7000-8000-000000000000/0123456789abcdef image/png; a=b c"));
    assert_true(result_read(slice_make(text, len), &read));
    assert_int_equal(read.bytes, 1000001);
    assert_int_equal(read.part_bytes, 500000);
    assert_true(slice_equal(read.parts_id, parts.parts_id));
    assert_true(read.hash == parts.hash);
    assert_true(slice_equal(read.media_type, parts.media_type));
    assert_int_equal(result_parts(&read), 3);
}

static void others_are_none(void **unused)
{
    static const char *const cases[] = {"", "1", "1 +2", "1 +2 ", "x +2 a/b", "-1 +2 a/b", "1 2 a/b", "1 + a/b", "1 +x a/b", "8388609 +0 a/b",
                                        "1 0/i/0123456789abcdef a/b", "1 5//0123456789abcdef a/b", "1 5/i/0123456789abcde a/b",
                                        "1 5/i/0123456789abcdeg a/b", "1 5/i a/b", "8000000 10/i/0123456789abcdef a/b",
                                        "1 5/019374a1-0000-7000-8000-0000000000000/0123456789abcdef a/b",
                                        "1 +2 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    struct result result;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (result_read(slice_of(cases[i]), &result))
            fail_msg("\"%s\" was read", cases[i]);
    }
    assert_false(result_read(SLICE_NONE, &result));
    assert_false(result_read(slice_make("1 5/i/01234567\0" "9abcdef a/b", 25), &result));
    assert_false(result_read(slice_make("1 5/i\0i/0123456789abcdef a/b", 28), &result));
    assert_false(result_read(slice_make("1 +0 a/b\0c", 10), &result));
    assert_false(result_read(SLICE("1 +0 a/b\r\nc: d"), &result));
    assert_false(result_read(SLICE("1 +0 a/b\x7f"), &result));
    assert_false(result_read(SLICE("1 +0 \xc3\xa4/b"), &result));
}

static void names_of_parts(void **unused)
{
    char name[RESULT_PART_SIZE];
    result_part_name(SLICE("019374a1-0000-7000-8000-000000000000"), 7, name);
    assert_string_equal(name, "019374a1-0000-7000-8000-000000000000/00007");
    result_part_name(SLICE("019374a1-0000-7000-8000-000000000000"), RESULT_PARTS_MAX - 1, name);
    assert_string_equal(name, "019374a1-0000-7000-8000-000000000000/99999"); /* in order as texts too */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(both_ways), cmocka_unit_test(others_are_none), cmocka_unit_test(names_of_parts)};
    return cmocka_run_group_tests_name("result", tests, NULL, NULL);
}
