/* SPDX-License-Identifier: Apache-2.0 */
/* If-Match against a version (RFC 9110 section 13.1.1). */
#include "worker/etag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void tags_are_quoted_versions(void **unused)
{
    char text[ETAG_SIZE];
    assert_int_equal(etag_write(7, text), 3);
    assert_string_equal(text, "\"7\"");
    assert_int_equal(etag_write(INT64_MAX, text), 21);
    assert_string_equal(text, "\"9223372036854775807\"");
}

static const struct match_case {
    const char *if_match;
    bool exists;
    int64_t version;
    bool expected;
} cases[] = {
    {"\"7\"", true, 7, true},
    {"\"7\"", true, 8, false},
    {"\"7\"", false, 7, false}, /* a deleted entity keeps its version and matches nothing */
    {"*", true, 1, true},
    {" \t* ", true, 1, true},
    {"*", false, 0, false},
    {"*", false, 3, false},
    {"\"1\", \"7\",\"9\"", true, 7, true},
    {"\"1\",\t\"9\"", true, 9, true},
    {"\"1\" ,\"7\"", true, 1, true},
    {"\"1\", \"9\"", true, 7, false},
    {",, \"7\",", true, 7, true}, /* empty list members are allowed (section 5.6.1.2) */
    {",", true, 7, false},
    {"", true, 7, false},
    {"   ", true, 7, false},
    {"W/\"7\"", true, 7, false}, /* weak tags never match strongly */
    {"w/\"7\"", true, 7, false},
    {"W/\"7\", \"7\"", true, 7, true},
    {"7", true, 7, true}, /* as direct producers write it */
    {"1, 7", true, 7, true},
    {"77", true, 7, false},
    {"07", true, 7, false},
    {"\"07\"", true, 7, false},
    {"+7", true, 7, false},
    {"\"7", true, 7, false},
    {"7\"", true, 7, false},
    {"\" 7\"", true, 7, false},
    {"\"7\" \"8\"", true, 7, false}, /* no comma: one malformed tag */
    {"\"abc\"", true, 7, false},
    {"\"9223372036854775807\"", true, INT64_MAX, true},
};

static void lists_are_matched(void **unused)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct match_case *c = &cases[i];
        if (etag_if_match(slice_of(c->if_match), c->exists, c->version) != c->expected)
            fail_msg("If-Match %s, exists %d, version %lld: expected %d", c->if_match, c->exists,
                     (long long)c->version, c->expected);
    }
}

/* The value comes from a record and ends where its slice ends, not at a NUL. */
static void only_the_slice_counts(void **unused)
{
    assert_true(etag_if_match(slice_make("\"7\"9", 3), true, 7));
    assert_false(etag_if_match(slice_make("\"7\",\"8\"", 4), true, 8));
    assert_false(etag_if_match(slice_make("\"7\"\0", 4), true, 7));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_are_quoted_versions),
        cmocka_unit_test(lists_are_matched),
        cmocka_unit_test(only_the_slice_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
