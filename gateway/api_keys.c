/* SPDX-License-Identifier: Apache-2.0 */
/* The file of API keys, and finding one. */
#include "api_keys.h"

#include <stdlib.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Takes the next word off the front; empty at the end. */
static struct slice take_word(struct slice *rest)
{
    size_t from = 0, to;
    while (from < rest->len && is_blank(rest->p[from]))
        from++;
    for (to = from; to < rest->len && !is_blank(rest->p[to]); to++)
        ;
    struct slice word = slice_make(rest->p + from, to - from);
    *rest = slice_make(rest->p + to, rest->len - to);
    return word;
}

static struct slice take_line(struct slice *rest)
{
    const char *end = memchr(rest->p, '\n', rest->len);
    size_t len = end ? (size_t)(end - rest->p) : rest->len, skip = end ? len + 1 : len;
    struct slice line = slice_make(rest->p, len);
    *rest = slice_make(rest->p + skip, rest->len - skip);
    return line;
}

/* No colon: "jwt:" begins the names of those who come with a token. */
static bool is_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("._-@+", c));
        if (!good)
            return false;
    }
    return s.len >= 1 && s.len <= API_KEYS_NAME_MAX;
}

static bool read_hex(struct slice s, unsigned char digest[CRYPTO_SHA256_LEN])
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    if (s.len != 2 * CRYPTO_SHA256_LEN)
        return false;
    for (size_t i = 0; i < CRYPTO_SHA256_LEN; i++) {
        const char *high = s.p[2 * i] ? strchr(digits, s.p[2 * i]) : NULL;
        const char *low = s.p[2 * i + 1] ? strchr(digits, s.p[2 * i + 1]) : NULL;
        if (!high || !low)
            return false;
        digest[i] = (unsigned char)(((high - digits) & 15) << 4 | ((low - digits) & 15));
    }
    return true;
}

/* What is wrong with this line; NULL: nothing. */
static const char *add(struct api_keys *keys, struct slice line)
{
    struct slice rest = line, name = take_word(&rest), hex = take_word(&rest);
    struct api_key *key = &keys->list[keys->count];
    unsigned char nothing[CRYPTO_SHA256_LEN];
    if (name.len == 0 || name.p[0] == '#')
        return NULL;
    if (keys->count == API_KEYS_MAX)
        return "is one key too many: 1000 are taken";
    if (!is_name(name))
        return "must begin with a principal of 1 to 64 letters, digits or . _ - @ +";
    if (!read_hex(hex, key->digest) || take_word(&rest).len > 0)
        return "must be a principal and the 64 hex digits of its key's SHA-256, and nothing else";
    if (!crypto_sha256(SLICE(""), nothing) || crypto_same(nothing, key->digest, sizeof(nothing)))
        return "has the digest of nothing: the key was empty when it was made";
    for (size_t i = 0; i < keys->count; i++) {
        if (crypto_same(keys->list[i].digest, key->digest, sizeof(key->digest)))
            return "has the key of a line before it: each key has one principal";
    }
    memcpy(key->name, name.p, name.len);
    key->name_len = name.len;
    keys->count++;
    return NULL;
}

bool api_keys_parse(struct slice text, struct api_keys *ret_keys, struct keyfile_error *ret_error)
{
    struct slice rest = text;
    *ret_keys = (struct api_keys){.list = calloc(API_KEYS_MAX + 1, sizeof(*ret_keys->list))};
    if (!ret_keys->list) {
        keyfile_fail(ret_error, "out of memory");
        return false;
    }
    for (size_t number = 1; rest.len; number++) {
        const char *wrong = add(ret_keys, take_line(&rest));
        if (wrong) {
            keyfile_fail(ret_error, "line %zu %s", number, wrong);
            return false;
        }
    }
    if (ret_keys->count == 0)
        keyfile_fail(ret_error, "it has no key: add a line for each, or leave the setting out");
    return ret_keys->count > 0;
}

void api_keys_done(struct api_keys *keys)
{
    free(keys->list);
    *keys = (struct api_keys){0};
}

bool api_keys_find(const struct api_keys *keys, struct slice key, struct principal *ret_principal)
{
    unsigned char digest[CRYPTO_SHA256_LEN];
    const struct api_key *found = NULL;
    if (keys->count == 0 || !crypto_sha256(key, digest))
        return false;
    for (size_t i = 0; i < keys->count; i++) { /* all of them, wherever it is */
        if (crypto_same(keys->list[i].digest, digest, sizeof(digest)))
            found = &keys->list[i];
    }
    if (!found)
        return false;
    ret_principal->type = "api_key";
    ret_principal->len = found->name_len;
    memcpy(ret_principal->text, found->name, found->name_len);
    return true;
}
