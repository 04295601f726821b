/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and checking what TLS needs, so that a mistake is said at start and in words. */
#include "tls.h"

#include <errno.h>
#include <stdlib.h>

#include "clock.h"
#include "crypto.h"
#include "log.h"

struct tls {
    struct keyfile certificate, key;
};

static bool read_pair(struct tls *tls, const char *certificate, const char *key, struct keyfile_error *error)
{
    if (!certificate[0] || !key[0]) {
        keyfile_fail(error, "%s is set without %s: TLS needs both", key[0] ? "tls-key" : "tls-cert", key[0] ? "tls-cert" : "tls-key");
        return false;
    }
    if (!keyfile_read("tls-cert", certificate, &tls->certificate, error) || !keyfile_read("tls-key", key, &tls->key, error) ||
        !crypto_check_pair(buf_slice(&tls->certificate.text), buf_slice(&tls->key.text), clock_wall_ms() / 1000, error))
        return false;
    if (tls->key.readable || tls->key.writable)
        log_warn("others than its owner can read or change the private key; chmod 600 it", "setting=tls-key file=%s", key);
    buf_append(&tls->certificate.text, "", 1); /* libmicrohttpd takes texts */
    buf_append(&tls->key.text, "", 1);
    if (!buf_ok(&tls->certificate.text) || !buf_ok(&tls->key.text)) {
        keyfile_fail(error, "out of memory");
        return false;
    }
    return true;
}

int tls_open(const struct config *config, struct tls **ret_tls)
{
    const char *certificate = config_string(config, "tls-cert"), *key = config_string(config, "tls-key");
    struct keyfile_error error;
    *ret_tls = NULL;
    if (!certificate[0] && !key[0])
        return 0;
    struct tls *tls = calloc(1, sizeof(*tls));
    if (!tls)
        return -ENOMEM;
    if (!read_pair(tls, certificate, key, &error)) {
        log_error("cannot serve https", "error=\"%s\"", error.text);
        tls_free(tls);
        return -EINVAL;
    }
    *ret_tls = tls;
    return 0;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    keyfile_done(&tls->certificate);
    keyfile_done(&tls->key);
    free(tls);
}

const char *tls_certificate(const struct tls *tls)
{
    return tls->certificate.text.data;
}

const char *tls_key(const struct tls *tls)
{
    return tls->key.text.data;
}
