/* SPDX-License-Identifier: Apache-2.0 */
/* Strict JSON to json-c's trees, and checking what an object holds. */
#include "json.h"

#include <inttypes.h>
#include <json-c/json_object_iterator.h>
#include <json-c/json_tokener.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "utf8.h"

#define NAME_SHOWN_MAX 64

static bool refuse(struct json_error *ret_error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool refuse(struct json_error *ret_error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(ret_error->text, sizeof(ret_error->text), format, args);
    va_end(args);
    return false;
}

/* ---- parsing ---- */

/* The text has passed json_check_strict(), so that only memory can fail. */
static struct json_object *build(struct slice text)
{
    struct json_tokener *tokener =
        json_tokener_new_ex(JSON_DEPTH_MAX + 2); /* json-c counts the values inside, too */
    if (!tokener)
        return NULL;
    struct json_object *root = json_tokener_parse_ex(tokener, text.p, (int)text.len);
    if (json_tokener_get_error(tokener) == json_tokener_continue)
        root = json_tokener_parse_ex(tokener, "",
                                     1); /* a bare number ends only with the text: say that it does */
    json_tokener_free(tokener);
    return root;
}

struct json_object *json_parse_strict(struct slice text, struct json_error *ret_error)
{
    if (text.len >= INT_MAX) {
        refuse(ret_error, "byte 0: the text is too long");
        return NULL;
    }
    if (!json_check_strict(text, ret_error))
        return NULL;
    struct json_object *root = build(text);
    if (!root)
        refuse(ret_error, "byte 0: the value must not be null"); /* or memory is out */
    return root;
}

/* ---- members ---- */

static void describe_string(const struct json_member *member, char *ret_text, size_t size)
{
    if (member->min == 0 && member->max == 0)
        snprintf(ret_text, size, "a string");
    else if (member->min == 0)
        snprintf(ret_text, size, "a string of at most %" PRId64 " bytes", member->max);
    else
        snprintf(ret_text, size, "a string of %" PRId64 " to %" PRId64 " bytes", member->min, member->max);
}

static void describe(const struct json_member *member, char *ret_text, size_t size)
{
    static const char *const kinds[] = {[JSON_INT64] = "a 64-bit integer",
                                        [JSON_NUMBER] = "a number",
                                        [JSON_BOOL] = "true or false",
                                        [JSON_OBJECT] = "an object",
                                        [JSON_ARRAY] = "an array"};
    bool bounded = member->min != 0 || member->max != 0;
    if (member->kind == JSON_STRING)
        describe_string(member, ret_text, size);
    else if (member->kind == JSON_INT64 && bounded)
        snprintf(ret_text, size, "an integer from %" PRId64 " to %" PRId64, member->min, member->max);
    else
        snprintf(ret_text, size, "%s", kinds[member->kind]);
}

static bool is_within(const struct json_member *member, int64_t value)
{
    return (member->min == 0 && member->max == 0) || (value >= member->min && value <= member->max);
}

static bool value_fits(const struct json_member *member, struct json_object *value)
{
    enum json_type type = json_object_get_type(value);
    switch (member->kind) {
    case JSON_STRING:
        return type == json_type_string && is_within(member, json_object_get_string_len(value));
    case JSON_INT64:
        return type == json_type_int && is_within(member, json_object_get_int64(value));
    case JSON_NUMBER:
        return type == json_type_int || type == json_type_double;
    case JSON_BOOL:
        return type == json_type_boolean;
    case JSON_OBJECT:
        return type == json_type_object;
    case JSON_ARRAY:
        return type == json_type_array;
    }
    return false;
}

/* Names the object's member and those it could have; a long name is cut between two characters. */
static bool refuse_unknown(struct slice name, const struct json_member *members, size_t count,
                           struct json_error *ret_error)
{
    char known[JSON_ERROR_SIZE] = "none";
    size_t shown = 0, used = 0;
    for (size_t len; shown < name.len; shown += len) {
        len = utf8_char_len(name, shown);
        if (len == 0 || shown + len > NAME_SHOWN_MAX)
            break;
    }
    for (size_t i = 0; i < count && used < sizeof(known); i++)
        used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "", members[i].name);
    return refuse(ret_error, "member \"%.*s%s\" is unknown; allowed: %s", (int)shown, name.p,
                  shown < name.len ? "..." : "", known);
}

static const struct json_member *find_member(const struct json_member *members, size_t count,
                                             const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(members[i].name, name) == 0)
            return &members[i];
    }
    return NULL;
}

/* Refuses the first member of the object that has no row. */
static bool all_known(struct json_object *object, const struct json_member *members, size_t count,
                      struct json_error *ret_error)
{
    struct json_object_iterator it = json_object_iter_begin(object);
    struct json_object_iterator end = json_object_iter_end(object);
    for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
        const char *name = json_object_iter_peek_name(&it);
        if (!find_member(members, count, name))
            return refuse_unknown(slice_of(name), members, count, ret_error);
    }
    return true;
}

bool json_members_check(struct json_object *object, const struct json_member *members, size_t count,
                        struct json_error *ret_error)
{
    char wanted[96];
    if (!json_object_is_type(object, json_type_object))
        return refuse(ret_error, "the JSON must be an object");
    if (!all_known(object, members, count, ret_error))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct json_object *value;
        describe(&members[i], wanted, sizeof(wanted));
        if (!json_object_object_get_ex(object, members[i].name, &value)) {
            if (members[i].required)
                return refuse(ret_error, "member \"%s\" is missing; it must be %s", members[i].name, wanted);
        } else if (!value_fits(&members[i], value)) {
            return refuse(ret_error, "member \"%s\" must be %s", members[i].name, wanted);
        }
    }
    return true;
}

struct slice json_member_string(struct json_object *object, const char *name)
{
    struct json_object *value;
    if (!json_object_object_get_ex(object, name, &value) || !json_object_is_type(value, json_type_string))
        return SLICE_NONE;
    return slice_make(json_object_get_string(value), (size_t)json_object_get_string_len(value));
}

int64_t json_member_int64(struct json_object *object, const char *name, int64_t fallback)
{
    struct json_object *value;
    if (!json_object_object_get_ex(object, name, &value) || !json_object_is_type(value, json_type_int))
        return fallback;
    return json_object_get_int64(value);
}

void json_append_text(struct buf *out, const char *name, struct slice text)
{
    buf_printf(out, ",\"%s\":", name);
    if (text.len > 0 && utf8_is_valid(text))
        buf_append_json(out, text);
    else
        buf_append_text(out, "null");
}
