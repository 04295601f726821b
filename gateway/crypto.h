/* SPDX-License-Identifier: Apache-2.0 */
/* What GnuTLS does for us beside the connections themselves, which are libmicrohttpd's. crypto.c is the only file that includes it. */
#ifndef ROUNDTRIP_GATEWAY_CRYPTO_H
#define ROUNDTRIP_GATEWAY_CRYPTO_H

#include <stdbool.h>
#include <stdint.h>

#include "keyfile.h"
#include "slice.h"

#define CRYPTO_SHA256_LEN 32
/** Thread-safe, as all here. False: this library can not (a failed self-test). */
bool crypto_sha256(struct slice bytes, unsigned char ret_digest[CRYPTO_SHA256_LEN]) __attribute__((warn_unused_result));
/** Compares in a time that does not depend on the bytes. */
bool crypto_same(const void *a, const void *b, size_t len);

enum crypto_key { CRYPTO_RSA, CRYPTO_P256 };
/** Which kind is this public key in PEM? RSA of at least 2048 bits, or the curve P-256; anything else is refused. */
bool crypto_public_key(struct slice pem, enum crypto_key *ret_kind, struct keyfile_error *ret_error) __attribute__((warn_unused_result));

/** Do a certificate (chain) and an unencrypted private key, both in PEM, belong together, and is it the certificate's time? */
bool crypto_check_pair(struct slice certificate, struct slice key, int64_t now_s, struct keyfile_error *ret_error)
    __attribute__((warn_unused_result));

#endif
