/* SPDX-License-Identifier: Apache-2.0 */
/* TLS on the clients' listener: its certificate and key. The connections are libmicrohttpd's and GnuTLS's (http.c). */
#ifndef ROUNDTRIP_GATEWAY_TLS_H
#define ROUNDTRIP_GATEWAY_TLS_H

#include "config.h"

/** TLS 1.3 and 1.2 with forward secrecy and authenticated ciphers, ours first: what RFC 9325 recommends. GnuTLS's syntax. */
#define TLS_PRIORITIES                                                                                       \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:+AES-256-GCM:"  \
    "+CHACHA20-POLY1305:+AES-128-GCM:-MAC-ALL:+AEAD:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:%SERVER_PRECEDENCE"

struct tls;

/** What `tls-cert` and `tls-key` say; NULL in `ret_tls`: http. 0 or -errno, with a line in the log. */
int tls_open(const struct config *config, struct tls **ret_tls) __attribute__((warn_unused_result));
/** Overwrites the key. NULL is allowed. */
void tls_free(struct tls *tls);
/** PEM, as texts; they live as long as `tls`. */
const char *tls_certificate(const struct tls *tls);
const char *tls_key(const struct tls *tls);

#endif
