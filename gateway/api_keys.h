/* SPDX-License-Identifier: Apache-2.0 */
/* API keys: whose is this one? Only their digests are known here. Pure. */
#ifndef ROUNDTRIP_GATEWAY_API_KEYS_H
#define ROUNDTRIP_GATEWAY_API_KEYS_H

#include "crypto.h"
#include "principal.h"

#define API_KEYS_MAX      1000 /* all are compared with each request's */
#define API_KEYS_NAME_MAX 64

struct api_key {
    unsigned char digest[CRYPTO_SHA256_LEN];
    char name[API_KEYS_NAME_MAX];
    size_t name_len;
};
/** Zero-initialised: none. */
struct api_keys {
    struct api_key *list;
    size_t count;
};

/**
 * Reads lines of "<principal> <SHA-256 of the key in hex>"; empty ones and those that begin with # say nothing. A principal is 1 to
 * 64 letters, digits or any of . _ - @ + and may have several keys; a key has one principal. False: `ret_error` names the line.
 * api_keys_done() in any case.
 */
bool api_keys_parse(struct slice text, struct api_keys *ret_keys, struct keyfile_error *ret_error) __attribute__((warn_unused_result));
void api_keys_done(struct api_keys *keys);

/** In a time that tells neither whose nor how nearly. */
bool api_keys_find(const struct api_keys *keys, struct slice key, struct principal *ret_principal) __attribute__((warn_unused_result));

#endif
