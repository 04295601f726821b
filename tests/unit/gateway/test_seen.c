/* SPDX-License-Identifier: Apache-2.0 */
/* Good tokens are remembered, until they are none any more. */
#include "seen.h"

#include "support.h"

static struct seen *seen;

static int setup(void **unused)
{
    return seen_new(&seen);
}

static int teardown(void **unused)
{
    seen_free(seen);
    return 0;
}

/* A digest of that first and last byte. */
static const unsigned char *digest(unsigned char first, unsigned char last)
{
    static unsigned char bytes[2][CRYPTO_SHA256_LEN];
    static int turn;
    turn = !turn;
    memset(bytes[turn], 7, CRYPTO_SHA256_LEN);
    bytes[turn][0] = first;
    bytes[turn][CRYPTO_SHA256_LEN - 1] = last;
    return bytes[turn];
}

static const struct principal alice = {"unknown", 5, "alice"}, bob = {"unknown", 3, "bob"};

static bool is(const unsigned char *of, int64_t now_s, const struct principal *whose)
{
    struct principal found = {0};
    return seen_find(seen, of, now_s, &found) && slice_equal(principal_slice(&found), principal_slice(whose)) && found.type == whose->type;
}

static void until_it_expires(void **unused)
{
    struct principal found = {0};
    assert_false(seen_find(seen, digest(1, 1), 0, &found));
    seen_add(seen, digest(1, 1), 100, &alice);
    assert_true(is(digest(1, 1), 0, &alice));
    assert_true(is(digest(1, 1), 99, &alice));
    assert_false(seen_find(seen, digest(1, 1), 100, &found));
    assert_int_equal(found.len, 0);
}

static void another_is_another(void **unused)
{
    struct principal found;
    static const unsigned char zeros[CRYPTO_SHA256_LEN];
    assert_false(seen_find(seen, zeros, 0, &found)); /* what an empty place holds */
    seen_add(seen, digest(1, 1), 100, &alice);
    assert_false(seen_find(seen, digest(1, 2), 0, &found)); /* in the same place */
    seen_add(seen, digest(2, 1), 100, &bob);
    assert_true(is(digest(1, 1), 0, &alice) && is(digest(2, 1), 0, &bob));
    seen_add(seen, digest(1, 2), 100, &bob);
    assert_true(is(digest(1, 2), 0, &bob));
    assert_false(seen_find(seen, digest(1, 1), 0, &found)); /* forgotten, and looked at anew */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(until_it_expires, setup, teardown),
        cmocka_unit_test_setup_teardown(another_is_another, setup, teardown),
    };
    return cmocka_run_group_tests_name("seen", tests, NULL, NULL);
}
