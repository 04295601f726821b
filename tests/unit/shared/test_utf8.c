/* SPDX-License-Identifier: Apache-2.0 */
/* Well-formed UTF-8 at its edges. */
#include "utf8.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void well_formed_characters_have_their_length(void **state)
{
    static const struct slice good[] = {
        SLICE("a"),
        SLICE("\x7f"),
        SLICE("\xc2\x80"),
        SLICE("\xdf\xbf"),
        SLICE("\xe0\xa0\x80"),
        SLICE("\xed\x9f\xbf"),
        SLICE("\xee\x80\x80"),
        SLICE("\xef\xbf\xbf"),
        SLICE("\xf0\x90\x80\x80"),
        SLICE("\xf4\x8f\xbf\xbf"),
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(utf8_char_len(good[i], 0), good[i].len);
    assert_int_equal(utf8_char_len((struct slice){"\0", 1}, 0), 1);
}

static void ill_formed_bytes_have_none(void **state)
{
    static const struct slice bad[] = {
        SLICE("\x80"),         SLICE("\xc0\x80"),         SLICE("\xc1\xbf"),
        SLICE("\xc2"),         SLICE("\xc2\x41"),         SLICE("\xe0\x9f\xbf"),
        SLICE("\xed\xa0\x80"), SLICE("\xed\xbf\xbf"),     SLICE("\xe1\x80"),
        SLICE("\xe1\x80\x41"), SLICE("\xf0\x8f\xbf\xbf"), SLICE("\xf4\x90\x80\x80"),
        SLICE("\xf1\x80\x80"), SLICE("\xf1\x80\x80\xc0"), SLICE("\xf5\x80\x80\x80"),
        SLICE("\xff"),
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(utf8_char_len(bad[i], 0), 0);
        assert_false(utf8_is_text(bad[i]));
        assert_false(utf8_is_valid(bad[i]));
    }
}

static void control_characters_are_no_text(void **state)
{
    assert_true(utf8_is_text(SLICE_NONE));
    assert_true(utf8_is_text(SLICE("a b~ \xc2\xa0 Größe 漢字 \xf0\x9f\x8e\x89")));
    assert_false(utf8_is_text(SLICE("a\nb")));
    assert_true(utf8_is_valid(SLICE("a\nb \xc3\xbc \x7f")));
    assert_true(utf8_is_valid(SLICE_NONE));
    assert_false(utf8_is_text(SLICE("a\x7f")));
    assert_false(utf8_is_text(SLICE("a\xc2\x85")));
    assert_false(utf8_is_text((struct slice){"a\0b", 3}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_characters_have_their_length),
        cmocka_unit_test(ill_formed_bytes_have_none),
        cmocka_unit_test(control_characters_are_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
