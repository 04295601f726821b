/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may use an operators' listener. Pure.
 *
 * With a token: who sends it. Without: programs on this machine, but no web page that a browser here shows. A page of another
 * origin says so in Origin, and one that reaches the listener by a name of its own (DNS rebinding) says that name in Host.
 */
#ifndef ROUNDTRIP_OPS_GUARD_H
#define ROUNDTRIP_OPS_GUARD_H

#include "slice.h"

enum guard_verdict {
    GUARD_PASSES,
    GUARD_WANTS_TOKEN, /* 401, RFC 6750 */
    GUARD_WANTS_LOCAL, /* 403 */
};

/** `token` "": none. The others are the request's fields of these names; absent where there is none. */
enum guard_verdict guard_check(const char *token, struct slice host, struct slice origin, struct slice authorization);
/** Does the address, as one would write it, lead to this machine only? */
bool guard_is_loopback(const char *host);

/** What to say to those that do not pass. */
#define GUARD_TOKEN_TEXT "Send this process's admin-token as \"Authorization: Bearer TOKEN\"."
#define GUARD_LOCAL_TEXT \
    "Without an admin-token this is for programs on this machine, not for web pages: ask it by its address, without Origin."

#endif
