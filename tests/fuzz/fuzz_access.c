/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as what a stranger may send and an operator may write: a credential, a token, its claims, a file of keys, a list of
 * origins, a command's id. Nobody gets in, every principal keeps to its limits, and an id that is taken apart can be put together again.
 *
 * The first byte chooses, so that a corpus can be read.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "access.h"
#include "api_keys.h"
#include "claims.h"
#include "command.h"
#include "cors.h"
#include "token.h"
#include "utf8.h"

#define SECRET "a secret that no input can have, for it is not in the corpus"

static void check_principal(const struct principal *principal)
{
    assert(principal->type && principal->len >= 1 && principal->len <= sizeof(principal->text));
    assert(utf8_is_text(principal_slice(principal)));
}

static void check_credential(struct slice text)
{
    static struct request req;
    struct slice found = SLICE_NONE;
    request_clear(&req);
    request_add_header(&req, SLICE("Authorization"), text);
    enum access_sent sent = access_read(&req, &found);
    assert(sent == ACCESS_BEARER || sent == ACCESS_MALFORMED);
    assert(sent == ACCESS_MALFORMED || (found.len > 0 && found.p > text.p && found.p + found.len == text.p + text.len));
    assert(access_check(NULL, &req, 0, &(struct answer){0}));
}

static void check_token(struct slice text)
{
    static struct token_key *key;
    struct keyfile_error error;
    struct buf claims = {0};
    if (!key && !token_key_new(SLICE(SECRET), &key, &error))
        abort();
    assert(!token_open(key, text, &claims));
    buf_done(&claims);
}

static void check_claims(struct slice text)
{
    struct principal principal = {0};
    const char *why;
    int64_t until_s = 0;
    const struct claims_rules rules = {"i", "a"};
    bool good = claims_check(text, &rules, 1000000, &principal, &until_s, &why);
    assert(good == !why && (!good || until_s > 999999));
    if (good)
        check_principal(&principal);
}

static void check_keys(struct slice text)
{
    struct api_keys keys;
    struct keyfile_error error = {""};
    struct principal principal = {0};
    bool good = api_keys_parse(text, &keys, &error);
    assert(good ? keys.count > 0 && keys.count <= API_KEYS_MAX : error.text[0] != '\0');
    if (good && api_keys_find(&keys, SLICE("one"), &principal)) {
        check_principal(&principal);
        assert(!memchr(principal.text, ':', principal.len));
    }
    api_keys_done(&keys);
}

static void check_public_key(struct slice text)
{
    struct token_key *key = NULL;
    struct keyfile_error error = {""};
    bool good = token_key_new(text, &key, &error);
    assert(good ? key != NULL : error.text[0] != '\0');
    token_key_free(key);
}

static void check_origins(struct slice text)
{
    struct cors cors;
    char copy[4097];
    snprintf(copy, sizeof(copy), "%.*s", SLICE_ARG(text));
    const char *wrong = cors_parse(copy, &cors);
    assert(cors.count <= CORS_ORIGINS_MAX && (wrong || !cors.on || cors.any || cors.count > 0));
}

static void check_id(struct slice text)
{
    struct slice principal, rest;
    struct buf again = {0};
    if (!command_id_keyed(text, &principal, &rest))
        return;
    buf_append_text(&again, COMMAND_KEYED_PREFIX);
    if (principal.p)
        buf_printf(&again, "%zu:", principal.len);
    buf_append_slice(&again, principal);
    buf_append_text(&again, principal.p ? ":" : "");
    buf_append_slice(&again, rest);
    assert(slice_equal(buf_slice(&again), text));
    buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const checks[])(struct slice) = {['a' - 'a'] = check_credential, ['b' - 'a'] = check_token,  ['c' - 'a'] = check_claims,
                                                   ['d' - 'a'] = check_keys,       ['e' - 'a'] = check_public_key,
                                                   ['f' - 'a'] = check_origins,    ['g' - 'a'] = check_id};
    if (size == 0)
        return 0;
    char *copy = malloc(size); /* exactly as long as the text: reading past its end is seen */
    assert(copy);
    memcpy(copy, data + 1, size - 1);
    checks[(size_t)(uint8_t)(data[0] - 'a') % (sizeof(checks) / sizeof(checks[0]))](slice_make(copy, size - 1));
    free(copy);
    return 0;
}
