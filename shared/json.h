/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict JSON in (RFC 8259, I-JSON's rules of RFC 7493 on top), over json-c, which alone is lenient.
 *
 * Refused, each with a sentence: single quotes, NaN and Infinity, comments, duplicate member names, integers outside
 * int64 (json-c clips), numbers too large for a double or longer than JSON_NUMBER_MAX, control characters in strings,
 * invalid UTF-8, unpaired surrogates, \u0000, trailing bytes, nesting deeper than JSON_DEPTH_MAX.
 */
#ifndef ROUNDTRIP_JSON_H
#define ROUNDTRIP_JSON_H

#include <json-c/json_object.h>
#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "slice.h"

#define JSON_DEPTH_MAX  32
#define JSON_NUMBER_MAX 128 /* characters */
#define JSON_ERROR_SIZE 200

/** Says what is wrong where ("byte 17: ..."); static text in a caller's array. */
struct json_error {
    char text[JSON_ERROR_SIZE];
};

/**
 * The document (owned by the caller: json_object_put), or NULL and `ret_error`. A bare null is refused, for it has no object.
 * Pure, thread-safe.
 */
struct json_object *json_parse_strict(struct slice text, struct json_error *ret_error)
    __attribute__((warn_unused_result));

/** The rules alone, without building a tree: false and `ret_error` when the text breaks one. In n log n of its bytes. */
bool json_check_strict(struct slice text, struct json_error *ret_error) __attribute__((warn_unused_result));

/**
 * The members an object may and must have. `json_members_check` refuses an unknown, missing or mistyped one with a sentence
 * that names it ("member \"name\" must be a string of at most 200 bytes").
 */
enum json_kind { JSON_STRING, JSON_INT64, JSON_NUMBER, JSON_BOOL, JSON_OBJECT, JSON_ARRAY };
struct json_member {
    const char *name;
    enum json_kind kind;
    bool required;
    int64_t min, max; /* JSON_STRING: bytes; JSON_INT64: value; both 0: no bound beyond the kind's own */
};
bool json_members_check(struct json_object *object, const struct json_member *members, size_t count,
                        struct json_error *ret_error) __attribute__((warn_unused_result));

/** Reading a member that json_members_check has seen; SLICE_NONE / 0 when an optional one is absent. */
struct slice json_member_string(struct json_object *object, const char *name);
int64_t json_member_int64(struct json_object *object, const char *name, int64_t fallback);

/** Appends `,"name":` and the text as a JSON string; null where it is absent, empty or not UTF-8. `name` needs no escapes. */
void json_append_text(struct buf *out, const char *name, struct slice text);

#endif
