/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks: the one name of a caller, whatever it was proved with. Nobody where access control is off. */
#ifndef ROUNDTRIP_GATEWAY_PRINCIPAL_H
#define ROUNDTRIP_GATEWAY_PRINCIPAL_H

#include "envelope.h"

/** Zero-initialised: nobody. */
struct principal {
    const char *type; /* ce_authtype; static */
    size_t len;       /* 0: nobody */
    char text[ENVELOPE_AUTH_ID_MAX]; /* UTF-8 without control characters, not terminated */
};

/** Absent: nobody. Borrows. */
static inline struct slice principal_slice(const struct principal *principal)
{
    return principal->len ? slice_make(principal->text, principal->len) : SLICE_NONE;
}

#endif
