/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who calls: API keys (api_keys.h) and JSON web tokens (token.h, claims.h), each switched on by its file. Off: everybody may, and is
 * nobody.
 *
 * A caller sends one credential: "Authorization: Bearer <key or token>", or "X-API-Key: <key>". It is never logged. Files are read
 * at start; a new key needs a restart.
 */
#ifndef ROUNDTRIP_GATEWAY_ACCESS_H
#define ROUNDTRIP_GATEWAY_ACCESS_H

#include "answer.h"
#include "config.h"
#include "request.h"

struct access;

/** The settings of access control and TLS, ended by a NULL name. */
extern const struct config_key access_keys[];

/** What the settings say; NULL in `ret_access`: it is off. 0 or -errno, with a line in the log. */
int access_open(const struct config *config, struct access **ret_access) __attribute__((warn_unused_result));
/** NULL is allowed. */
void access_free(struct access *access);

/**
 * Sets `req->principal`, or the answer to give: 401, with WWW-Authenticate (RFC 6750 section 3). `access` NULL: everybody may.
 * `now_s` is Unix time. Any thread.
 */
bool access_check(const struct access *access, struct request *req, int64_t now_s, struct answer *ret_answer)
    __attribute__((warn_unused_result));

/** Where a credential stands. */
enum access_sent {
    ACCESS_NOTHING,
    ACCESS_BEARER,
    ACCESS_KEY,
    ACCESS_SEVERAL,   /* more than one, so nobody knows which is meant */
    ACCESS_MALFORMED, /* another scheme, no credential, or characters that are in none */
};
/** The one credential of a request: printable ASCII without blanks, into the request. Pure. */
enum access_sent access_read(const struct request *req, struct slice *ret_credential);

/** What is missing for callers from elsewhere, as a log message that says what to set; NULL: nothing. Pure. */
const char *access_advice(bool access, bool tls);

#endif
