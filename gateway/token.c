/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of tokens, and their signatures. */
#include "token.h"

#include <jwt.h>

#include <stdlib.h>

#include "crypto.h"

struct token_key {
    jwt_alg_t algorithm;
    size_t len;
    unsigned char bytes[];
};

/* Which algorithm the key is for; JWT_ALG_NONE: `ret_error`. */
static jwt_alg_t algorithm_of(struct slice key, struct keyfile_error *ret_error)
{
    enum crypto_key kind;
    if (!memmem(key.p, key.len, "-----BEGIN ", 11)) {
        if (key.len >= TOKEN_SECRET_MIN)
            return JWT_ALG_HS256;
        keyfile_fail(ret_error, "a secret needs at least %d bytes, and this has %zu; openssl rand -base64 32 makes one", TOKEN_SECRET_MIN,
                     key.len);
        return JWT_ALG_NONE;
    }
    if (memmem(key.p, key.len, "PRIVATE KEY-----", 16)) {
        keyfile_fail(ret_error, "it is a private key, which only the issuer should have; give its public one: openssl pkey -in PRIVATE "
                                "-pubout");
        return JWT_ALG_NONE;
    }
    if (!crypto_public_key(key, &kind, ret_error))
        return JWT_ALG_NONE;
    return kind == CRYPTO_RSA ? JWT_ALG_RS256 : JWT_ALG_ES256;
}

bool token_key_new(struct slice file, struct token_key **ret_key, struct keyfile_error *ret_error)
{
    size_t len = file.len;
    if (len && file.p[len - 1] == '\n')
        len -= len > 1 && file.p[len - 2] == '\r' ? 2 : 1;
    jwt_alg_t algorithm = algorithm_of(slice_make(file.p, len), ret_error);
    if (algorithm == JWT_ALG_NONE)
        return false;
    struct token_key *key = malloc(sizeof(*key) + len);
    if (!key) {
        keyfile_fail(ret_error, "out of memory");
        return false;
    }
    key->algorithm = algorithm;
    key->len = len;
    memcpy(key->bytes, file.p, len);
    *ret_key = key;
    return true;
}

void token_key_free(struct token_key *key)
{
    if (key)
        explicit_bzero(key->bytes, key->len);
    free(key);
}

const char *token_key_algorithm(const struct token_key *key)
{
    return jwt_alg_str(key->algorithm);
}

bool token_key_is_secret(const struct token_key *key)
{
    return key->algorithm == JWT_ALG_HS256;
}

/* libjwt has verified by what the token's header says, so what that is decides whether it counts. */
static bool counts(jwt_t *jwt, const struct token_key *key)
{
    char *critical = jwt_get_headers_json(jwt, "crit"); /* extensions we would have to understand (RFC 7515 section 4.1.11) */
    free(critical);
    return !critical && jwt_get_alg(jwt) == key->algorithm;
}

bool token_open(const struct token_key *key, struct slice token, struct buf *out_claims)
{
    char text[TOKEN_MAX + 1];
    jwt_t *jwt = NULL;
    if (token.len == 0 || token.len > TOKEN_MAX || memchr(token.p, '\0', token.len))
        return false;
    memcpy(text, token.p, token.len);
    text[token.len] = '\0';
    if (jwt_decode(&jwt, text, key->bytes, (int)key->len) != 0)
        return false;
    char *claims = counts(jwt, key) ? jwt_get_grants_json(jwt, NULL) : NULL;
    if (claims)
        buf_append_text(out_claims, claims);
    bool good = claims && buf_ok(out_claims);
    free(claims);
    jwt_free(jwt);
    return good;
}
