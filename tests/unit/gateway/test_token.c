/* SPDX-License-Identifier: Apache-2.0 */
/* Which tokens a key opens: its own, by its own algorithm. */
#include "token.h"

#include <stdio.h>

#include "support.h"
#include "tokens.h"

static struct token_key *key_of(const char *file)
{
    struct token_key *key = NULL;
    struct keyfile_error error = {""};
    assert_true(token_key_new(slice_of(file), &key, &error));
    return key;
}

/* The claims, or NULL when the token is refused; valid until the next call. */
static const char *open_with(const char *file, const char *token)
{
    static char text[1024];
    struct buf claims = {0};
    struct token_key *key = key_of(file);
    bool good = token_open(key, slice_of(token), &claims);
    snprintf(text, sizeof(text), "%.*s", SLICE_ARG(buf_slice(&claims)));
    assert_true(good || claims.len == 0);
    buf_done(&claims);
    token_key_free(key);
    return good ? text : NULL;
}

static void the_example_of_the_rfc(void **unused)
{
    const char *claims = open_with(RFC_KEY, RFC_TOKEN);
    assert_non_null(claims);
    assert_non_null(strstr(claims, "\"iss\":\"joe\""));
}

static void each_kind_of_key_opens_its_tokens(void **unused)
{
    static const char *const pairs[][2] = {{SECRET, HS256_TOKEN}, {RS256_PEM, RS256_TOKEN}, {ES256_PEM, ES256_TOKEN}};
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < 3; k++) {
            const char *claims = open_with(pairs[i][0], pairs[k][1]);
            assert_int_equal(claims != NULL, i == k);
            if (claims)
                assert_non_null(strstr(claims, "\"sub\":\"alice\""));
        }
    }
    assert_non_null(open_with(SECRET "\n", HS256_TOKEN));
    assert_non_null(open_with(SECRET "\r\n", HS256_TOKEN));
    assert_null(open_with(SECRET " ", HS256_TOKEN));
    assert_null(open_with(SECRET "\n\n", HS256_TOKEN));
}

static void the_token_does_not_choose_its_algorithm(void **unused)
{
    static const char *const keys[] = {SECRET, RS256_PEM, ES256_PEM};
    for (size_t i = 0; i < 3; i++)
        assert_null(open_with(keys[i], NONE_TOKEN));
    assert_null(open_with(RS256_PEM, RS256_FORGED));
    assert_null(open_with(ES256_PEM, ES256_FORGED));
    assert_null(open_with(SECRET, HS512_TOKEN)); /* rightly signed, but not as agreed */
    assert_null(open_with(RS256_PEM, RS512_HEAD_TOKEN));
    assert_null(open_with(SECRET, CRIT_TOKEN));
}

/* Every byte changed, and every length: none but the whole one counts. */
static void what_is_not_the_token_is_refused(void **unused)
{
    struct token_key *key = key_of(SECRET);
    struct buf claims = {0};
    char text[sizeof(HS256_TOKEN)] = HS256_TOKEN;
    size_t len = sizeof(text) - 1;
    for (size_t i = 0; i + 1 < len; i++) { /* the last one has bits that say nothing */
        char was = text[i];
        text[i] = was == 'A' ? 'B' : 'A';
        assert_false(token_open(key, slice_make(text, len), &claims));
        text[i] = '\0';
        assert_false(token_open(key, slice_make(text, len), &claims));
        text[i] = was;
        assert_false(token_open(key, slice_make(text, i), &claims));
    }
    assert_true(token_open(key, slice_make(text, len), &claims));
    static char longer[TOKEN_MAX + 1];
    memset(longer, 'a', sizeof(longer));
    longer[10] = longer[20] = '.';
    assert_false(token_open(key, slice_make(longer, sizeof(longer)), &claims));
    assert_false(token_open(key, SLICE(""), &claims));
    assert_false(token_open(key, SLICE(".."), &claims));
    buf_done(&claims);
    token_key_free(key);
}

static void keys_are_looked_at(void **unused)
{
    static const struct {
        const char *file, *says;
    } cases[] = {
        {"", "at least 32 bytes"},
        {"\n", "at least 32 bytes"},
        {"a secret of thirty-one bytes...\n", "at least 32 bytes"},
        {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "private key"},
        {P384_PEM, "P-256"},
        {RSA1024_PEM, "at least 2048 bits"},
        {"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "not a public key"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "not a public key"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct token_key *key = NULL;
        struct keyfile_error error = {""};
        assert_false(token_key_new(slice_of(cases[i].file), &key, &error));
        assert_non_null(strstr(error.text, cases[i].says));
        assert_null(key);
    }
    struct token_key *keys[] = {key_of(SECRET), key_of(RS256_PEM), key_of(ES256_PEM)};
    assert_string_equal(token_key_algorithm(keys[0]), "HS256");
    assert_string_equal(token_key_algorithm(keys[1]), "RS256");
    assert_string_equal(token_key_algorithm(keys[2]), "ES256");
    assert_true(token_key_is_secret(keys[0]) && !token_key_is_secret(keys[1]) && !token_key_is_secret(keys[2]));
    for (size_t i = 0; i < 3; i++)
        token_key_free(keys[i]);
    token_key_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_rfc),
        cmocka_unit_test(each_kind_of_key_opens_its_tokens),
        cmocka_unit_test(the_token_does_not_choose_its_algorithm),
        cmocka_unit_test(what_is_not_the_token_is_refused),
        cmocka_unit_test(keys_are_looked_at),
    };
    return cmocka_run_group_tests_name("token", tests, NULL, NULL);
}
