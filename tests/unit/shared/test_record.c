/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of headers: lookup, limits, scratch space. */
#include "record.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void the_last_header_of_a_name_counts(void **state)
{
    const struct header list[] = {{"a", SLICE("1")}, {"b", SLICE("2")}, {"a", SLICE("3")}, {"c", SLICE_NONE}};
    const struct record rec = {.headers = list, .header_count = 4};
    assert_true(slice_is(record_header(&rec, "a"), "3"));
    assert_true(slice_is(record_header(&rec, "b"), "2"));
    assert_null(record_header(&rec, "c").p);
    assert_null(record_header(&rec, "A").p);
}

static void absent_values_are_left_out_and_empty_ones_kept(void **state)
{
    struct headers headers;
    headers_init(&headers);
    headers_add(&headers, "absent", SLICE_NONE);
    headers_add_copy(&headers, "absent", SLICE_NONE);
    headers_add(&headers, "empty", SLICE(""));
    assert_int_equal(headers.count, 1);
    assert_string_equal(headers.list[0].name, "empty");
    assert_false(headers.overflow);
}

static void numbers_and_copies_live_in_the_list(void **state)
{
    struct headers headers;
    char value[] = "mine";
    headers_init(&headers);
    headers_add_int(&headers, "min", INT64_MIN);
    headers_add_int(&headers, "max", INT64_MAX);
    headers_add_copy(&headers, "copy", slice_of(value));
    memset(value, 'x', 4);
    assert_true(slice_is(headers.list[0].value, "-9223372036854775808"));
    assert_true(slice_is(headers.list[1].value, "9223372036854775807"));
    assert_true(slice_is(headers.list[2].value, "mine"));
}

static void too_many_headers_overflow(void **state)
{
    struct headers headers;
    headers_init(&headers);
    for (int i = 0; i < RECORD_HEADERS_MAX; i++)
        headers_add(&headers, "x", SLICE("1"));
    assert_false(headers.overflow);
    headers_add(&headers, "x", SLICE("1"));
    assert_true(headers.overflow);
    assert_int_equal(headers.count, RECORD_HEADERS_MAX);
    headers_init(&headers);
    assert_false(headers.overflow);
}

static void too_many_bytes_overflow(void **state)
{
    static const char big[RECORD_SCRATCH] = {0};
    struct headers headers;
    headers_init(&headers);
    headers_add_copy(&headers, "x", slice_make(big, RECORD_SCRATCH - 1));
    headers_add_int(&headers, "x", 7);
    assert_false(headers.overflow);
    headers_add_int(&headers, "x", 7);
    assert_true(headers.overflow);
    assert_int_equal(headers.count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_header_of_a_name_counts),
        cmocka_unit_test(absent_values_are_left_out_and_empty_ones_kept),
        cmocka_unit_test(numbers_and_copies_live_in_the_list),
        cmocka_unit_test(too_many_headers_overflow),
        cmocka_unit_test(too_many_bytes_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
