/* SPDX-License-Identifier: Apache-2.0 */
/* The file of API keys, and whose a key is. Digests by sha256sum. */
#include "api_keys.h"

#include <stdio.h>

#include "support.h"

#define OF_ONE   "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed" /* printf %s one | sha256sum */
#define OF_TWO   "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3"
#define OF_THREE "8B5B9DB0C13DB24256C829AA364AA90C6D2EBA318B9232A4AB9313B954D3555F"
#define OF_NONE  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct api_keys keys;
static struct keyfile_error error;

static int teardown(void **unused)
{
    api_keys_done(&keys);
    return 0;
}

static bool parse(const char *text)
{
    api_keys_done(&keys);
    error.text[0] = '\0';
    return api_keys_parse(slice_of(text), &keys, &error);
}

/* Whose it is; "": nobody's. */
static const char *owner(const char *key)
{
    static char name[ENVELOPE_AUTH_ID_MAX + 1];
    struct principal principal = {0};
    bool found = api_keys_find(&keys, slice_of(key), &principal);
    assert_true(found == (principal.len > 0));
    if (found)
        assert_string_equal(principal.type, "api_key");
    snprintf(name, sizeof(name), "%.*s", SLICE_ARG(principal_slice(&principal)));
    return name;
}

static void keys_have_owners(void **unused)
{
    assert_true(parse("# ours\n\nalice " OF_ONE "\r\n \t bob@x.example\t" OF_TWO "  \n#alice " OF_NONE "\nalice " OF_THREE));
    assert_int_equal(keys.count, 3);
    assert_string_equal(owner("one"), "alice");
    assert_string_equal(owner("two"), "bob@x.example");
    assert_string_equal(owner("three"), "alice");
    static const char *const others[] = {"", "on", "onee", "One", "one\n", "alice", OF_ONE};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_string_equal(owner(others[i]), "");
}

static void none_finds_none(void **unused)
{
    api_keys_done(&keys);
    assert_string_equal(owner("one"), "");
}

static void malformed_lines_are_named(void **unused)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "no key"},
        {"\n# alice " OF_ONE "\n", "no key"},
        {"alice " OF_ONE "\nbob\n", "line 2"},
        {"alice " OF_ONE "\nbob " OF_TWO " -\n", "line 2"},
        {"alice one\n", "line 1"},
        {"alice " OF_ONE "0\n", "line 1"},
        {"alice g692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed\n", "line 1"},
        {OF_ONE " alice\n", "line 1"},
        {OF_ONE "\n", "line 1"},
        {"jwt:alice " OF_ONE "\n", "principal"},
        {"al/ice " OF_ONE "\n", "principal"},
        {"\xc3\xa9 " OF_ONE "\n", "principal"},
        {"x2345678901234567890123456789012345678901234567890123456789012345 " OF_ONE "\n", "principal"},
        {"alice " OF_NONE "\n", "digest of nothing"},
        {"alice " OF_ONE "\n\nbob " OF_ONE "\n", "line 3 has the key of a line before"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_false(parse(cases[i].text));
        assert_non_null(strstr(error.text, cases[i].says));
        assert_null(strstr(error.text, "7692c3ad")); /* nothing of the file */
    }
}

static void as_many_as_are_taken(void **unused)
{
    struct buf text = {0};
    for (int i = 0; i < API_KEYS_MAX; i++)
        buf_printf(&text, "p%d %064x\n", i, i + 1);
    buf_append(&text, "", 1);
    assert_true(parse(text.data));
    assert_int_equal(keys.count, API_KEYS_MAX);
    text.len--;
    buf_append_text(&text, "# and no more\n");
    buf_append(&text, "", 1);
    assert_true(parse(text.data));
    text.len--;
    buf_append_text(&text, "alice " OF_ONE);
    buf_append(&text, "", 1);
    assert_false(parse(text.data));
    assert_non_null(strstr(error.text, "1000"));
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(keys_have_owners, teardown),
        cmocka_unit_test_teardown(none_finds_none, teardown),
        cmocka_unit_test_teardown(malformed_lines_are_named, teardown),
        cmocka_unit_test_teardown(as_many_as_are_taken, teardown),
    };
    return cmocka_run_group_tests_name("api_keys", tests, NULL, NULL);
}
