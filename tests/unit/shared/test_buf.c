/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers: growth, sticky failures, JSON strings. */
#include "buf.h"

#include <stdio.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void assert_text(const struct buf *buf, const char *text)
{
    assert_true(buf_ok(buf));
    assert_int_equal(buf->len, strlen(text));
    assert_memory_equal(buf_slice(buf).p, text, strlen(text));
}

static void an_empty_buffer_is_present_and_empty(void **state)
{
    struct buf buf = {0};
    assert_non_null(buf_slice(&buf).p);
    assert_int_equal(buf_slice(&buf).len, 0);
    buf_append_slice(&buf, SLICE_NONE);
    assert_text(&buf, "");
    buf_done(&buf);
}

static void what_is_appended_comes_back_in_order(void **state)
{
    struct buf buf = {0};
    char expected[3000], *p = expected;
    for (int i = 0; i < 500; i++) {
        buf_printf(&buf, "%d,", i);
        p += sprintf(p, "%d,", i);
    }
    assert_text(&buf, expected);
    buf_clear(&buf);
    buf_append_text(&buf, "a");
    buf_append(&buf, "bc", 2);
    buf_append_slice(&buf, SLICE("d"));
    assert_text(&buf, "abcd");
    buf_done(&buf);
    assert_null(buf.data);
}

static void a_failure_sticks_until_cleared(void **state)
{
    struct buf buf = {0};
    buf_append_text(&buf, "kept");
    assert_false(buf_reserve(&buf, SIZE_MAX / 2));
    assert_false(buf_ok(&buf));
    buf_append_text(&buf, "lost");
    assert_int_equal(buf.len, 4);
    buf_clear(&buf);
    buf_append_text(&buf, "again");
    assert_text(&buf, "again");
    buf_done(&buf);
}

static void json_strings_are_escaped(void **state)
{
    static const struct {
        struct slice raw;
        const char *json;
    } cases[] = {
        {SLICE(""), "\"\""},
        {SLICE("plain"), "\"plain\""},
        {SLICE("\"\\"), "\"\\\"\\\\\""},
        {SLICE("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
        {SLICE("a\x01z\x1f"), "\"a\\u0001z\\u001f\""},
        {{"\0", 1}, "\"\\u0000\""},
        {SLICE("/ünïcode \xf0\x9f\x8e\x89\x7f"), "\"/ünïcode \xf0\x9f\x8e\x89\x7f\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf buf = {0};
        buf_append_json(&buf, cases[i].raw);
        assert_text(&buf, cases[i].json);
        buf_done(&buf);
    }
}

static void swapping_exchanges_contents(void **state)
{
    struct buf a = {0}, b = {0};
    buf_append_text(&a, "one");
    buf_swap(&a, &b);
    assert_text(&a, "");
    assert_text(&b, "one");
    buf_done(&a);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_is_present_and_empty),
        cmocka_unit_test(what_is_appended_comes_back_in_order),
        cmocka_unit_test(a_failure_sticks_until_cleared),
        cmocka_unit_test(json_strings_are_escaped),
        cmocka_unit_test(swapping_exchanges_contents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
