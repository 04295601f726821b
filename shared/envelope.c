/* SPDX-License-Identifier: Apache-2.0 */
/* What the messages have in common: error sentences, ids, claims, fingerprints. */
#include "envelope.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "random.h"

#define CLAIM_ID_MAX 64

static const char hex_digits[] = "0123456789abcdef";

static const char *const error_texts[] = {
    [ENVELOPE_OK] = "No error",
    [ENVELOPE_NO_TYPE] =
        "Header ce_type is missing; send the command's type in it, such as item.create, in Kafka's "
        "binary content mode",
    [ENVELOPE_BAD_TYPE] =
        "Header ce_type must be a service and a verb in lower case, such as item.create, at most 64 bytes",
    [ENVELOPE_BAD_ID] =
        "Header ce_id must be 1 to 400 bytes of UTF-8 without control characters; leave it out to have "
        "the record's position as its id",
    [ENVELOPE_BAD_KEY] =
        "The record key must be the entity's id, 1 to 256 bytes, and must not start with __claim/, "
        "__attempts/ or __left",
    [ENVELOPE_BAD_EXPIRY] = "Header ce_expirytime must be an RFC 3339 time, such as 2026-01-31T12:00:00Z",
    [ENVELOPE_BAD_REPLY] =
        "The reply headers are malformed: kafka_replyTopic must be a topic name, kafka_replyPartition 4 "
        "big-endian bytes or decimal text, kafka_correlationId at most 256 bytes, and a reply's "
        ":status 100 to 599",
    [ENVELOPE_BAD_EVENT] =
        "The record is not an event: ce_type, ce_claim, ce_version or :status is missing or malformed, "
        "or it has no value",
    [ENVELOPE_BAD_SPECVERSION] = "Header ce_specversion must be 1.0 or left out",
    [ENVELOPE_TOO_MANY_HEADERS] =
        "The record has more than 48 headers; send fewer, for what the contract needs may be among those not read",
};
static_assert(ENVELOPE_ID_MAX == 400 && ENVELOPE_TYPE_MAX == 64 && ENVELOPE_KEY_MAX == 256 &&
                  ENVELOPE_CORRELATION_MAX == 256 && RECORD_HEADERS_IN_MAX == 48,
              "the limits stand in the sentences above");

const char *envelope_error_text(enum envelope_error error)
{
    size_t i = (size_t)error;
    return i < sizeof(error_texts) / sizeof(error_texts[0]) ? error_texts[i] : "Unknown error";
}

size_t envelope_position_id(const struct record *rec, char *ret_id, size_t size)
{
    int len = snprintf(ret_id, size, "%s/%" PRId32 "/%" PRId64, rec->topic, rec->partition, rec->offset);
    return len > 0 && (size_t)len < size ? (size_t)len : 0;
}

bool envelope_key_reserved(struct slice key)
{
    const struct slice prefixes[] = {SLICE(ENVELOPE_CLAIM_KEY_PREFIX), SLICE(ENVELOPE_ATTEMPTS_KEY_PREFIX),
                                     SLICE(ENVELOPE_PART_KEY_PREFIX), SLICE(ENVELOPE_LEFT_KEY)};
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        if (key.len >= prefixes[i].len && memcmp(key.p, prefixes[i].p, prefixes[i].len) == 0)
            return true;
    }
    return false;
}

struct slice envelope_claim_of(const struct record *rec)
{
    size_t prefix = sizeof(ENVELOPE_CLAIM_KEY_PREFIX) - 1;
    if (!rec->value.p || !rec->key.p || rec->key.len <= prefix || rec->key.len > prefix + CLAIM_ID_MAX ||
        memcmp(rec->key.p, ENVELOPE_CLAIM_KEY_PREFIX, prefix) != 0)
        return SLICE_NONE;
    return slice_make(rec->key.p + prefix, rec->key.len - prefix);
}

static void put_hex(const unsigned char *bytes, size_t count, char *out)
{
    for (size_t i = 0; i < count; i++) {
        out[2 * i] = hex_digits[bytes[i] >> 4];
        out[2 * i + 1] = hex_digits[bytes[i] & 15];
    }
}

/* The length in a fixed byte order: the fingerprint is stored and compared on other machines. */
static void hash_part(XXH3_state_t *hash, struct slice part)
{
    unsigned char len[8];
    for (size_t i = 0; i < sizeof(len); i++)
        len[i] = (unsigned char)((uint64_t)part.len >> (8 * i));
    XXH3_128bits_update(hash, len, sizeof(len));
    if (part.len)
        XXH3_128bits_update(hash, part.p, part.len);
}

void envelope_fingerprint(const struct command *cmd, char ret_hex[ENVELOPE_FINGERPRINT_LEN])
{
    XXH3_state_t hash;
    XXH128_canonical_t canonical;
    XXH3_128bits_reset(&hash);
    hash_part(&hash, cmd->type);
    hash_part(&hash, cmd->key);
    hash_part(&hash, cmd->body);
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(&hash));
    put_hex(canonical.digest, sizeof(canonical.digest), ret_hex);
}

/* RFC 9562 section 5.7: 48 bits of milliseconds, version 7, 12 random bits, variant 10, 62 random bits. */
void envelope_new_id(int64_t wall_ms, char ret_id[ENVELOPE_UUID_SIZE])
{
    unsigned char b[16];
    random_bytes(b + 6, 10);
    for (int i = 0; i < 6; i++)
        b[i] = (unsigned char)((uint64_t)wall_ms >> (40 - 8 * i));
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x70);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    static const size_t group_bytes[] = {4, 2, 2, 2, 6};
    char *out = ret_id;
    for (size_t group = 0, at = 0; group < 5; at += group_bytes[group++]) {
        if (group > 0)
            *out++ = '-';
        put_hex(b + at, group_bytes[group], out);
        out += 2 * group_bytes[group];
    }
    *out = '\0';
}

int64_t envelope_id_time_ms(struct slice text)
{
    uint64_t ms = 0;
    if (text.len < 15 || text.p[14] != '7')
        return 0;
    for (size_t i = 0; i < 13; i++) {
        const char *digit = text.p[i] ? strchr(hex_digits, text.p[i]) : NULL;
        if (i == 8 ? text.p[i] != '-' : !digit)
            return 0;
        if (i != 8)
            ms = ms << 4 | (uint64_t)(digit - hex_digits);
    }
    return (int64_t)ms;
}
