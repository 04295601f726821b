/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Web pages of other origins: which of them may ask, by the Fetch standard's CORS protocol (fetch.spec.whatwg.org, section 3.2). Pure.
 *
 * Nothing here is access control: it only tells browsers which pages may read our answers. A preflight is an OPTIONS request; it is
 * answered as any other, by anybody's leave, and gets its headers here.
 */
#ifndef ROUNDTRIP_GATEWAY_CORS_H
#define ROUNDTRIP_GATEWAY_CORS_H

#include "answer.h"
#include "request.h"

#define CORS_ORIGINS_MAX 32

/** Zero-initialised: off. Borrows the setting's text. */
struct cors {
    bool on, any;
    struct slice origins[CORS_ORIGINS_MAX];
    size_t count;
};

/**
 * Reads "https://app.example, http://localhost:3000", "*", or "" for none. Origins are as browsers write them: scheme and host in lower
 * case, no path. NULL, or what is wrong, a static sentence.
 */
const char *cors_parse(const char *text, struct cors *ret_cors);

/** OPTIONS with Origin and Access-Control-Request-Method. Never, where it is off. */
bool cors_is_preflight(const struct cors *cors, const struct request *req);

/** Adds to a finished answer what its page's browser must see; nothing but Vary when the origin may not ask. */
void cors_mark(const struct cors *cors, const struct request *req, struct answer *answer);

#endif
