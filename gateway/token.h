/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON web tokens (RFC 7519) by libjwt: is it signed by our key? token.c is the only file that includes its header.
 *
 * The key alone decides by which algorithm: a secret's tokens are HS256, those of an RSA key RS256, of a P-256 key ES256. What the
 * token says of itself only has to agree, so "none" is nothing, and a public key is never taken for a secret (RFC 8725 section 3.1).
 */
#ifndef ROUNDTRIP_GATEWAY_TOKEN_H
#define ROUNDTRIP_GATEWAY_TOKEN_H

#include <stdbool.h>

#include "buf.h"
#include "keyfile.h"
#include "slice.h"

#define TOKEN_MAX        8192 /* bytes of a token */
#define TOKEN_SECRET_MIN 32   /* RFC 7518 section 3.2 */

struct token_key;

/**
 * A public key in PEM, or else a secret: the file's bytes without the newline at its end. False: `ret_error`, which says nothing of
 * the key itself.
 */
bool token_key_new(struct slice file, struct token_key **ret_key, struct keyfile_error *ret_error) __attribute__((warn_unused_result));
/** NULL is allowed. */
void token_key_free(struct token_key *key);
/** "HS256", "RS256" or "ES256". */
const char *token_key_algorithm(const struct token_key *key);
/** Is it a secret, so that nobody else should be able to read its file? */
bool token_key_is_secret(const struct token_key *key);

/** Appends the claims as JSON when the signature is good; thread-safe. False: it is not, or the token is none. */
bool token_open(const struct token_key *key, struct slice token, struct buf *out_claims) __attribute__((warn_unused_result));

#endif
