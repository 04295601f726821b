/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 3339 text in both directions. */
#include "clock.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void times_are_written_in_utc_with_milliseconds(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1769860800007, "2026-01-31T12:00:00.007Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[CLOCK_RFC3339_SIZE];
        int64_t back;
        assert_int_equal(clock_format_rfc3339(cases[i].ms, text), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
        assert_true(clock_parse_rfc3339(slice_of(text), &back));
        assert_int_equal(back, cases[i].ms);
    }
}

static void any_offset_and_fraction_is_read(void **state)
{
    static const char *const same[] = {
        "2026-01-31T12:00:00Z",      "2026-01-31t12:00:00z",           "2026-01-31 12:00:00Z",
        "2026-01-31T12:00:00.0Z",    "2026-01-31T12:00:00.000000000Z", "2026-01-31T14:30:00+02:30",
        "2026-01-31T00:00:00-12:00", "2026-02-01T11:59:00+23:59",      "2026-01-31T12:00:00.0009-00:00",
    };
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        int64_t ms = 0;
        assert_true(clock_parse_rfc3339(slice_of(same[i]), &ms));
        assert_int_equal(ms, 1769860800000);
    }
    int64_t ms;
    assert_true(clock_parse_rfc3339(SLICE("1970-01-01T00:00:00.12Z"), &ms));
    assert_int_equal(ms, 120);
    assert_true(clock_parse_rfc3339(SLICE("1998-12-31T23:59:60Z"), &ms)); /* a leap second */
    assert_int_equal(ms, 915148800000);
}

static void what_is_not_a_time_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-01-31T12:00Z",
        "2026-01-31T12:00:00.Z",
        "2026-02-29T12:00:00Z",
        "1900-02-29T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-00-01T12:00:00Z",
        "2026-01-00T12:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T12:60:00Z",
        "2026-01-31T12:00:61Z",
        "2026-01-31T12:00:00+24:00",
        "2026-01-31T12:00:00+0100",
        "2026-01-31T12:00:00ZZ",
        " 2026-01-31T12:00:00Z",
        "26-01-31T12:00:00Z",
        "1769860800000",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t ms = 42;
        assert_false(clock_parse_rfc3339(slice_of(bad[i]), &ms));
        assert_int_equal(ms, 42);
    }
    int64_t ms;
    assert_false(clock_parse_rfc3339(SLICE_NONE, &ms));
    assert_false(clock_parse_rfc3339(slice_make("2026-01-31T12:00:00\0", 20), &ms));
}

static void the_monotonic_clock_does_not_go_back(void **state)
{
    int64_t before = clock_mono_ns();
    assert_true(clock_mono_ns() >= before);
    assert_true(clock_wall_ms() > INT64_C(1700000000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_written_in_utc_with_milliseconds),
        cmocka_unit_test(any_offset_and_fraction_is_read),
        cmocka_unit_test(what_is_not_a_time_is_refused),
        cmocka_unit_test(the_monotonic_clock_does_not_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
