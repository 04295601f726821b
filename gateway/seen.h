/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens that were found good, so that a caller's next request costs a digest and not a signature: a quarter of a millisecond of an HTTP
 * thread with ES256. A token is known by its SHA-256; the newest of two with one place stays. Any thread; one lock. Time is a parameter.
 */
#ifndef ROUNDTRIP_GATEWAY_SEEN_H
#define ROUNDTRIP_GATEWAY_SEEN_H

#include "crypto.h"
#include "principal.h"

#define SEEN_MAX 1024 /* places, some 200 bytes each */

struct seen;

/** 0 or -ENOMEM. */
int seen_new(struct seen **ret_seen) __attribute__((warn_unused_result));
/** NULL is allowed. */
void seen_free(struct seen *seen);

/** Whose the token is, if it is remembered and still valid. */
bool seen_find(struct seen *seen, const unsigned char digest[CRYPTO_SHA256_LEN], int64_t now_s, struct principal *ret_principal)
    __attribute__((warn_unused_result));
/** It is this principal's before `until_s`. */
void seen_add(struct seen *seen, const unsigned char digest[CRYPTO_SHA256_LEN], int64_t until_s, const struct principal *principal);

#endif
