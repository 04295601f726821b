/* SPDX-License-Identifier: Apache-2.0 */
/* Ids, keys, bodies and answers of parts; see part.h. */
#include "part.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "bus/bus.h"

/** An outcome's bytes, at most as far as that is in our hands: in base64 a third of what a record may have by default. */
#define OUTCOME_BYTES (256U << 10)

static uint64_t at_least(uint64_t total, uint64_t each)
{
    return total / each + (total % each != 0);
}

size_t part_count(const struct kind *kind, const struct input *input, uint64_t part_cost)
{
    uint64_t cost = kind->cost(input);
    if (kind->bulk || cost <= part_cost) /* a long text would have to go with each part, and takes less time than that */
        return 1;
    uint64_t count = at_least(cost, part_cost), large = kind->outcomes ? at_least(kind->outcomes(input), OUTCOME_BYTES) : 1;
    count = count > large ? count : large;
    return count < TASK_PARTS_MAX ? (size_t)count : TASK_PARTS_MAX;
}

void part_job(const struct command *cmd, char ret_job[PART_JOB_LEN + 1])
{
    const struct command named = {.type = cmd->id, .key = cmd->key, .body = cmd->body};
    memcpy(ret_job, "part/", 5);
    envelope_fingerprint(&named, ret_job + 5);
    ret_job[PART_JOB_LEN] = '\0';
}

size_t part_id(const char *job, size_t index, size_t parts, char ret_id[PART_ID_SIZE])
{
    int len = snprintf(ret_id, PART_ID_SIZE, "%s/%zu-of-%zu", job, index, parts);
    assert(len < PART_ID_SIZE);
    return (size_t)len;
}

size_t part_key(const char *id, int32_t partition, int32_t partitions, char ret_key[PART_KEY_SIZE])
{
    int len;
    uint32_t salt = 0;
    do { /* as often as there are partitions, on average */
        len = snprintf(ret_key, PART_KEY_SIZE, "%s.%" PRIu32, id, salt++);
        assert(len < PART_KEY_SIZE);
    } while (bus_partition_of(slice_make(ret_key, (size_t)len), partitions) != partition);
    return (size_t)len;
}

void part_write_body(const struct kind *kind, const char *params, size_t index, size_t parts, struct buf *out)
{
    buf_printf(out, "{\"kind\":\"%s\",\"params\":%s,\"parts\":%zu,\"index\":%zu}", kind->name, params, parts, index);
}

/* ---- answers ---- */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void append_base64(struct buf *out, struct slice bytes)
{
    const unsigned char *p = (const unsigned char *)bytes.p;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t bits = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);
        const char text[4] = {digits[bits >> 18], digits[bits >> 12 & 63], left > 1 ? digits[bits >> 6 & 63] : '=',
                              left > 2 ? digits[bits & 63] : '='};
        buf_append(out, text, 4);
    }
}

/* Four digits and padding at the end, nothing else. `bytes` has room for three quarters of the text. */
static bool read_base64(struct slice text, char *bytes, size_t *ret_len)
{
    size_t len = 0, padding = 0;
    if (text.len % 4 != 0)
        return false;
    while (padding < 2 && padding < text.len && text.p[text.len - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < text.len; i += 4) {
        uint32_t bits = 0;
        for (size_t k = i; k < i + 4; k++) {
            const char *digit = text.p[k] ? strchr(digits, text.p[k]) : NULL;
            if (!digit && k < text.len - padding)
                return false;
            bits = bits << 6 | (digit ? (uint32_t)(digit - digits) : 0);
        }
        for (int shift = 16; shift >= 0; shift -= 8)
            bytes[len++] = (char)(bits >> shift);
    }
    *ret_len = len - padding;
    return true;
}

void part_write_outcome(struct slice outcome, size_t peak_bytes, struct buf *out)
{
    buf_append_text(out, "{\"outcome\":\"");
    append_base64(out, outcome);
    buf_printf(out, "\",\"peak_bytes\":%zu}", peak_bytes);
}

static enum kernel_end read_outcome(struct json_object *root, struct arena *arena, struct slice *ret_outcome)
{
    struct slice text = json_member_string(root, "outcome");
    size_t len;
    char *bytes = arena_alloc(arena, text.len / 4 * 3);
    if (!bytes)
        return KERNEL_NO_MEMORY;
    if (!read_base64(text, bytes, &len))
        return KERNEL_REFUSED;
    *ret_outcome = slice_make(bytes, len);
    return KERNEL_DONE;
}

enum kernel_end part_read_outcome(struct slice answer, struct arena *arena, struct slice *ret_outcome, size_t *ret_peak_bytes)
{
    static const struct json_member members[] = {
        {"outcome", JSON_STRING, true, 0, 0},
        {"peak_bytes", JSON_INT64, true, 0, INT64_MAX},
    };
    struct json_error error;
    struct json_object *root = json_parse_strict(answer, &error);
    if (!root)
        return KERNEL_REFUSED;
    enum kernel_end end = KERNEL_REFUSED;
    if (json_members_check(root, members, sizeof(members) / sizeof(members[0]), &error)) {
        end = read_outcome(root, arena, ret_outcome);
        *ret_peak_bytes = (size_t)json_member_int64(root, "peak_bytes", 0);
    }
    json_object_put(root);
    return end;
}
