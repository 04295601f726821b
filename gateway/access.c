/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials: their files, where they stand in a request, and what they are worth. */
#include "access.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "api_keys.h"
#include "claims.h"
#include "log.h"
#include "seen.h"
#include "token.h"

const struct config_key access_keys[] = {
    {"api-keys", CONFIG_STRING, "", 0, 0,
     "file of API keys that callers must have one of: lines of \"PRINCIPAL SHA256-OF-THE-KEY-IN-HEX\"; empty: none"},
    {"jwt-key", CONFIG_STRING, "", 0, 0,
     "file of the key of tokens (JWT) that callers may have instead: a secret (HS256) or a public key in PEM (RS256, ES256); empty: none"},
    {"jwt-issuer", CONFIG_STRING, "", 0, 0, "issuer (iss) that tokens must have; empty: any"},
    {"jwt-audience", CONFIG_STRING, "", 0, 0, "audience (aud) that tokens must be meant for; empty: tokens that name one are refused"},
    {"tls-cert", CONFIG_STRING, "", 0, 0, "file of the certificate for https in PEM, with what links it to its root; empty: http"},
    {"tls-key", CONFIG_STRING, "", 0, 0, "file of its private key in PEM"},
    {"cors-origins", CONFIG_STRING, "", 0, 0,
     "origins whose web pages may ask, as in https://app.example, separated by commas; *: all; empty: none"},
    {NULL, CONFIG_STRING, NULL, 0, 0, NULL},
};

struct access {
    struct api_keys keys;
    struct token_key *token;
    struct seen *seen; /* with `token` */
    struct claims_rules rules;
};

/* ---- opening ---- */

static void warn_exposed(const char *setting, const char *path, const struct keyfile *file, bool secret)
{
    if (file->writable || (secret && file->readable))
        log_warn("others than its owner can read or change a file of keys; chmod 600 it", "setting=%s file=%s", setting, path);
}

static bool open_keys(struct access *access, const char *path, struct keyfile_error *error)
{
    struct keyfile file;
    struct keyfile_error wrong;
    if (!path[0])
        return true;
    bool good = keyfile_read("api-keys", path, &file, error);
    if (good && !api_keys_parse(buf_slice(&file.text), &access->keys, &wrong)) {
        keyfile_fail(error, "api-keys: %s: %.300s", path, wrong.text);
        good = false;
    }
    if (good) {
        warn_exposed("api-keys", path, &file, false); /* digests, of keys too long to be guessed */
        log_info("API keys are needed", "count=%zu", access->keys.count);
    }
    keyfile_done(&file);
    return good;
}

static bool open_token(struct access *access, const char *path, struct keyfile_error *error)
{
    struct keyfile file;
    struct keyfile_error wrong;
    if (!path[0] && (access->rules.issuer[0] || access->rules.audience[0])) {
        keyfile_fail(error, "jwt-issuer and jwt-audience need jwt-key: set it, or leave them out");
        return false;
    }
    if (!path[0])
        return true;
    bool good = keyfile_read("jwt-key", path, &file, error);
    if (good && !token_key_new(buf_slice(&file.text), &access->token, &wrong)) {
        keyfile_fail(error, "jwt-key: %s: %.300s", path, wrong.text);
        good = false;
    }
    if (good && seen_new(&access->seen) != 0) {
        keyfile_fail(error, "out of memory");
        good = false;
    }
    if (good) {
        warn_exposed("jwt-key", path, &file, token_key_is_secret(access->token));
        log_info("tokens are taken", "algorithm=%s issuer=\"%s\" audience=\"%s\"", token_key_algorithm(access->token),
                 access->rules.issuer, access->rules.audience);
    }
    keyfile_done(&file);
    return good;
}

int access_open(const struct config *config, struct access **ret_access)
{
    const char *keys = config_string(config, "api-keys"), *token = config_string(config, "jwt-key");
    struct keyfile_error error;
    *ret_access = NULL;
    struct access *access = calloc(1, sizeof(*access));
    if (!access)
        return -ENOMEM;
    access->rules = (struct claims_rules){config_string(config, "jwt-issuer"), config_string(config, "jwt-audience")};
    if (!open_keys(access, keys, &error) || !open_token(access, token, &error)) {
        log_error("cannot tell who may call", "error=\"%s\"", error.text);
        access_free(access);
        return -EINVAL;
    }
    if (keys[0] || token[0])
        *ret_access = access;
    else
        access_free(access);
    return 0;
}

void access_free(struct access *access)
{
    if (!access)
        return;
    api_keys_done(&access->keys);
    token_key_free(access->token);
    seen_free(access->seen);
    free(access);
}

/* ---- one request ---- */

static bool is_credential(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] <= 0x20 || s.p[i] >= 0x7f)
            return false;
    }
    return s.len > 0;
}

enum access_sent access_read(const struct request *req, struct slice *ret_credential)
{
    const struct slice scheme = SLICE("Bearer");
    size_t bearers = request_header_count(req, "Authorization"), keys = request_header_count(req, "X-API-Key");
    enum access_sent sent = keys ? ACCESS_KEY : ACCESS_BEARER;
    if (bearers + keys == 0)
        return ACCESS_NOTHING;
    if (bearers + keys > 1)
        return ACCESS_SEVERAL;
    struct slice value = request_header(req, keys ? "X-API-Key" : "Authorization");
    if (sent == ACCESS_BEARER) { /* the scheme's case does not matter (RFC 9110 section 11.1) */
        if (value.len <= scheme.len || value.p[scheme.len] != ' ' || !request_same_text(slice_make(value.p, scheme.len), scheme.p))
            return ACCESS_MALFORMED;
        value = slice_make(value.p + scheme.len, value.len - scheme.len);
        while (value.len && value.p[0] == ' ')
            value = slice_make(value.p + 1, value.len - 1);
    }
    *ret_credential = value;
    return is_credential(value) ? sent : ACCESS_MALFORMED;
}

static bool check_token(const struct access *access, struct slice token, int64_t now_s, struct principal *principal, const char **why)
{
    unsigned char digest[CRYPTO_SHA256_LEN];
    struct buf claims = {0};
    int64_t until_s;
    if (!crypto_sha256(token, digest))
        return false;
    if (seen_find(access->seen, digest, now_s, principal))
        return true;
    bool good = token_open(access->token, token, &claims) &&
                claims_check(buf_slice(&claims), &access->rules, now_s, principal, &until_s, why);
    buf_done(&claims);
    if (good)
        seen_add(access->seen, digest, until_s, principal);
    return good;
}

/* Also what is of use to nobody who has no key: whether keys, tokens or both are taken. */
static void answer_unknown(const struct access *access, bool sent, const char *why, struct answer *answer)
{
    const char *what = !access->token ? "an API key as \"Authorization: Bearer KEY\" or \"X-API-Key: KEY\""
                       : !access->keys.count ? "a token as \"Authorization: Bearer TOKEN\""
                                             : "a token or an API key as \"Authorization: Bearer …\", or a key as \"X-API-Key: KEY\"";
    answer_problem(answer, 401, "%s Send %s.", why, what);
    answer_header(answer, "WWW-Authenticate",
                  sent ? SLICE("Bearer realm=\"roundtrip\", error=\"invalid_token\"") : SLICE("Bearer realm=\"roundtrip\""));
}

bool access_check(const struct access *access, struct request *req, int64_t now_s, struct answer *ret_answer)
{
    struct slice credential = SLICE_NONE;
    const char *why = "This credential is not known here.";
    if (!access)
        return true;
    enum access_sent sent = access_read(req, &credential);
    switch (sent) {
    case ACCESS_NOTHING:
        why = "Only known callers may ask this.";
        break;
    case ACCESS_SEVERAL:
        why = "More than one credential was sent.";
        break;
    case ACCESS_MALFORMED:
        why = "The credential is malformed.";
        break;
    case ACCESS_BEARER:
    case ACCESS_KEY:
        if (api_keys_find(&access->keys, credential, &req->principal) ||
            (sent == ACCESS_BEARER && access->token && check_token(access, credential, now_s, &req->principal, &why)))
            return true;
        break;
    }
    answer_unknown(access, sent != ACCESS_NOTHING, why, ret_answer);
    return false;
}

const char *access_advice(bool access, bool tls)
{
    if (!access && !tls)
        return "listening beyond this machine without access control and without TLS: set api-keys or jwt-key, and tls-cert and tls-key, "
               "or put it behind something that has them";
    if (!access)
        return "listening beyond this machine without access control: set api-keys or jwt-key, or put it behind something that has it";
    if (!tls)
        return "listening beyond this machine without TLS, so keys and tokens can be read on the way: set tls-cert and tls-key, or put it "
               "behind something that has it";
    return NULL;
}
