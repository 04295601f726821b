/* SPDX-License-Identifier: Apache-2.0 */
/* The documents that describe the API, for tests that hold them against the tables the code uses. */
#ifndef ROUNDTRIP_TEST_DESCRIBED_H
#define ROUNDTRIP_TEST_DESCRIBED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <json-c/json_util.h>
#include <json-c/linkhash.h>

#include "json.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* One of gateway/web; the test's to put. */
static inline struct json_object *described_open(const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/gateway/web/%s", ROUNDTRIP_SOURCE, name);
    struct json_object *doc = json_object_from_file(path);
    if (!doc)
        fail_msg("%s: %s", path, json_util_get_last_err());
    return doc;
}

/* What stands there, $ref followed: "#/components/schemas/Item" and the like. NULL: nothing. */
static inline struct json_object *described_follow(struct json_object *doc, struct json_object *node)
{
    struct json_object *ref, *at = doc;
    char pointer[256], *rest = pointer + 1, *part;
    if (!node || !json_object_is_type(node, json_type_object) || !json_object_object_get_ex(node, "$ref", &ref))
        return node;
    snprintf(pointer, sizeof(pointer), "%s", json_object_get_string(ref));
    while (at && (part = strsep(&rest, "/"))) {
        if (*part)
            at = json_object_object_get(at, part);
    }
    if (!at)
        fail_msg("%s leads nowhere", json_object_get_string(ref));
    return described_follow(doc, at);
}

static inline struct json_object *described_schema(struct json_object *doc, const char *name)
{
    struct json_object *schemas = json_object_object_get(json_object_object_get(doc, "components"), "schemas");
    struct json_object *schema = json_object_object_get(schemas, name);
    if (!schema)
        fail_msg("there is no schema %s", name);
    return schema;
}

static inline bool described_lists(struct json_object *array, const char *text)
{
    for (size_t i = 0; array && i < json_object_array_length(array); i++) {
        if (strcmp(json_object_get_string(json_object_array_get_idx(array, i)), text) == 0)
            return true;
    }
    return false;
}

static inline void described_expect_bounds(const char *where, const struct json_member *member, struct json_object *property)
{
    bool text = member->kind == JSON_STRING;
    struct json_object *min = json_object_object_get(property, text ? "minLength" : "minimum");
    struct json_object *max = json_object_object_get(property, text ? "maxLength" : "maximum");
    int64_t lowest = member->kind == JSON_INT64 ? INT64_MIN : 0, highest = INT64_MAX;
    if (member->min || member->max) {
        lowest = member->min;
        highest = member->max;
    } else if (member->kind != JSON_INT64) {
        return; /* what the table does not bound, code may: that is for the live tests */
    }
    if ((min ? json_object_get_int64(min) : text ? 0 : INT64_MIN) != lowest || (max ? json_object_get_int64(max) : INT64_MAX) != highest)
        fail_msg("%s: %s is bounded otherwise than in the code's table", where, member->name);
}

/* The schema says of an object just what the table says. */
static inline void described_expect_members(const char *where, struct json_object *schema, const struct json_member *members, size_t count)
{
    static const char *const types[] = {[JSON_STRING] = "string", [JSON_INT64] = "integer", [JSON_NUMBER] = "number",
                                        [JSON_BOOL] = "boolean",  [JSON_OBJECT] = "object", [JSON_ARRAY] = "array"};
    struct json_object *properties = json_object_object_get(schema, "properties"), *closed = json_object_object_get(schema, "additionalProperties");
    for (size_t i = 0; i < count; i++) {
        struct json_object *property = json_object_object_get(properties, members[i].name);
        if (!property)
            fail_msg("%s: member %s is not described", where, members[i].name);
        struct json_object *type = json_object_object_get(property, "type");
        if (type && strcmp(json_object_get_string(type), types[members[i].kind]) != 0)
            fail_msg("%s: member %s is a %s", where, members[i].name, types[members[i].kind]);
        if (described_lists(json_object_object_get(schema, "required"), members[i].name) != members[i].required)
            fail_msg("%s: member %s is %srequired", where, members[i].name, members[i].required ? "" : "not ");
        described_expect_bounds(where, &members[i], property);
    }
    if ((size_t)json_object_object_length(properties) != count)
        fail_msg("%s: %d members are described, the code takes %zu", where, json_object_object_length(properties), count);
    assert_true(closed && !json_object_get_boolean(closed));
}

#endif
