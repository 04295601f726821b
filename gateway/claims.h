/* SPDX-License-Identifier: Apache-2.0 */
/* The claims of a JSON web token whose signature was good (RFC 7519 section 4.1): does it count here and now, and for whom? Pure. */
#ifndef ROUNDTRIP_GATEWAY_CLAIMS_H
#define ROUNDTRIP_GATEWAY_CLAIMS_H

#include <stdbool.h>
#include <stdint.h>

#include "principal.h"

/** The principal of a token is this and its subject. */
#define CLAIMS_PRINCIPAL_PREFIX "jwt:"
/** So far the clocks of two machines may be apart. */
#define CLAIMS_LEEWAY_S 30

struct claims_rules {
    const char *issuer;   /* "": any */
    const char *audience; /* "": none, and no token that names one is taken */
};

/**
 * `now_s` is Unix time. `exp` and `sub` must be there; `nbf`, `iss` and `aud` are checked as far as they and the rules are. True: the
 * token is this principal's before `*ret_until_s`. False: `*ret_why` is a sentence for the caller; static.
 */
bool claims_check(struct slice json, const struct claims_rules *rules, int64_t now_s, struct principal *ret_principal,
                  int64_t *ret_until_s, const char **ret_why) __attribute__((warn_unused_result));

#endif
