/* SPDX-License-Identifier: Apache-2.0 */
/* Digests, comparisons, and looking at keys. */
#include "crypto.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#define RSA_BITS_MIN  2048
#define CHAIN_MAX     16

bool crypto_sha256(struct slice bytes, unsigned char ret_digest[CRYPTO_SHA256_LEN])
{
    return gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes.p, bytes.len, ret_digest) == GNUTLS_E_SUCCESS;
}

bool crypto_same(const void *a, const void *b, size_t len)
{
    return gnutls_memcmp(a, b, len) == 0;
}

static gnutls_datum_t datum(struct slice s)
{
    return (gnutls_datum_t){(unsigned char *)s.p, (unsigned)s.len};
}

static bool kind_of(gnutls_pubkey_t key, enum crypto_key *ret_kind, struct keyfile_error *ret_error)
{
    unsigned bits = 0;
    gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
    int algorithm = gnutls_pubkey_get_pk_algorithm(key, &bits);
    if (algorithm == GNUTLS_PK_RSA && bits >= RSA_BITS_MIN) {
        *ret_kind = CRYPTO_RSA;
        return true;
    }
    if (algorithm == GNUTLS_PK_EC && gnutls_pubkey_export_ecc_raw(key, &curve, NULL, NULL) == 0 &&
        curve == GNUTLS_ECC_CURVE_SECP256R1) {
        *ret_kind = CRYPTO_P256;
        return true;
    }
    keyfile_fail(ret_error, "it is a key of the kind %s with %u bits; give one of RSA with at least %d bits (RS256) or of the "
                            "curve P-256 (ES256)", gnutls_pk_get_name(algorithm), bits, RSA_BITS_MIN);
    return false;
}

bool crypto_public_key(struct slice pem, enum crypto_key *ret_kind, struct keyfile_error *ret_error)
{
    gnutls_pubkey_t key;
    const gnutls_datum_t text = datum(pem);
    int err = gnutls_pubkey_init(&key);
    if (err < 0) {
        keyfile_fail(ret_error, "%s", gnutls_strerror(err));
        return false;
    }
    err = gnutls_pubkey_import(key, &text, GNUTLS_X509_FMT_PEM);
    if (err < 0)
        keyfile_fail(ret_error, "it is not a public key in PEM (%s); openssl pkey -in PRIVATE -pubout makes one", gnutls_strerror(err));
    bool good = err >= 0 && kind_of(key, ret_kind, ret_error);
    gnutls_pubkey_deinit(key);
    return good;
}

/* The first certificate is the server's own. */
static bool check_time(struct slice pem, int64_t now_s, struct keyfile_error *ret_error)
{
    gnutls_x509_crt_t chain[CHAIN_MAX];
    unsigned count = CHAIN_MAX;
    const gnutls_datum_t text = datum(pem);
    int err = gnutls_x509_crt_list_import(chain, &count, &text, GNUTLS_X509_FMT_PEM, GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);
    if (err < 0) {
        keyfile_fail(ret_error, "tls-cert cannot be read as certificates in PEM, its own first (%s)", gnutls_strerror(err));
        return false;
    }
    int64_t from_s = (int64_t)gnutls_x509_crt_get_activation_time(chain[0]);
    int64_t to_s = (int64_t)gnutls_x509_crt_get_expiration_time(chain[0]);
    for (unsigned i = 0; i < count; i++)
        gnutls_x509_crt_deinit(chain[i]);
    if (now_s >= from_s && now_s < to_s)
        return true;
    keyfile_fail(ret_error, "tls-cert is %s; renew it, or set this machine's clock", now_s < from_s ? "not valid yet" : "expired");
    return false;
}

bool crypto_check_pair(struct slice certificate, struct slice key, int64_t now_s, struct keyfile_error *ret_error)
{
    gnutls_certificate_credentials_t credentials;
    const gnutls_datum_t cert_text = datum(certificate), key_text = datum(key);
    int err = gnutls_certificate_allocate_credentials(&credentials);
    if (err >= 0) {
        err = gnutls_certificate_set_x509_key_mem(credentials, &cert_text, &key_text, GNUTLS_X509_FMT_PEM);
        gnutls_certificate_free_credentials(credentials);
    }
    if (err < 0) {
        keyfile_fail(ret_error, "tls-cert and tls-key cannot be used together (%s); give the certificates in PEM, the server's own "
                                "first, and its private key, not encrypted", gnutls_strerror(err));
        return false;
    }
    return check_time(certificate, now_s, ret_error);
}
