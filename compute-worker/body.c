/* SPDX-License-Identifier: Apache-2.0 */
/* Taking the long text out, then parsing what is left as any other body. */
#include "body.h"

#define START_MEMBERS 2
static const struct json_member part_members[] = {
    {"kind", JSON_STRING, true, 1, 64},
    {"params", JSON_OBJECT, true, 0, 0},
    /* of a part */
    {"parts", JSON_INT64, true, 1, TASK_PARTS_MAX},
    {"index", JSON_INT64, true, 0, TASK_PARTS_MAX - 1},
};
#define PART_MEMBERS (sizeof(part_members) / sizeof(part_members[0]))

/* ---- walking text that json_check_strict() has passed ---- */

struct walk {
    const char *p; /* never at the end: the outermost bracket is still to come */
};

static void skip_space(struct walk *walk)
{
    while (*walk->p == ' ' || *walk->p == '\t' || *walk->p == '\n' || *walk->p == '\r')
        walk->p++;
}

/* A string's inside, as it is written. */
static struct slice take_string(struct walk *walk)
{
    const char *start = ++walk->p;
    for (; *walk->p != '"'; walk->p++)
        walk->p += *walk->p == '\\';
    return slice_make(start, (size_t)(walk->p++ - start));
}

static struct slice take_value(struct walk *walk)
{
    const char *start = walk->p;
    int depth = 0;
    do {
        char c = *walk->p;
        if (c == '"') {
            take_string(walk);
        } else if (c == '{' || c == '[') {
            depth++;
            walk->p++;
        } else if (c == '}' || c == ']') {
            depth--;
            walk->p++;
        } else if (depth > 0) {
            walk->p++;
        } else { /* a number or a word ends with what cannot be of it */
            while (!strchr(",}] \t\r\n", *walk->p))
                walk->p++;
        }
    } while (depth > 0);
    return slice_make(start, (size_t)(walk->p - start));
}

/* The next member of the object the walk is in, from behind its { or the last value on; false, and behind its }, at the end. */
static bool take_member(struct walk *walk, struct slice *ret_name, struct slice *ret_value)
{
    skip_space(walk);
    if (*walk->p == ',')
        walk->p++;
    skip_space(walk);
    if (*walk->p == '}') {
        walk->p++;
        return false;
    }
    *ret_name = take_string(walk);
    skip_space(walk);
    walk->p++; /* the colon */
    skip_space(walk);
    *ret_value = take_value(walk);
    return true;
}

static struct slice find_member(struct slice object, const char *name)
{
    struct walk walk = {object.p};
    struct slice key, value;
    skip_space(&walk);
    if (*walk.p++ != '{')
        return SLICE_NONE;
    while (take_member(&walk, &key, &value)) {
        if (slice_is(key, name))
            return value;
    }
    return SLICE_NONE;
}

static const char *find_bulk_name(const struct kind *kind, struct slice name)
{
    for (const char *const *bulk = kind->bulk; *bulk; bulk++) {
        if (slice_is(name, *bulk))
            return *bulk;
    }
    return NULL;
}

/* The parameters without their long text, which goes to `input`. */
static void write_rest(const struct kind *kind, struct slice params, struct input *input, struct buf *out)
{
    struct walk walk = {params.p + 1};
    struct slice name, value;
    bool more = false;
    buf_append_text(out, "{");
    while (take_member(&walk, &name, &value)) {
        const char *bulk = find_bulk_name(kind, name);
        if (bulk) {
            input->bulk_again = input->bulk_name;
            input->bulk_name = bulk;
            input->bulk = value;
            continue;
        }
        buf_append_text(out, more ? ",\"" : "\"");
        buf_append_slice(out, name);
        buf_append_text(out, "\":");
        buf_append_slice(out, value);
        more = true;
    }
    buf_append_text(out, "}");
}

/* The whole text; or, where its kind may have a long one, the text without that. */
static struct slice set_bulk_aside(struct slice text, struct input *input, struct buf *scratch)
{
    struct slice name = find_member(text, "kind"), params = find_member(text, "params");
    const struct kind *kind = name.len > 2 && name.p[0] == '"' ? kind_find(slice_make(name.p + 1, name.len - 2)) : NULL;
    if (!kind || !kind->bulk || !params.p || params.p[0] != '{')
        return text;
    buf_append_slice(scratch, slice_make(text.p, (size_t)(params.p - text.p)));
    write_rest(kind, params, input, scratch);
    buf_append_slice(scratch, slice_make(params.p + params.len, (size_t)(text.p + text.len - params.p - params.len)));
    return buf_slice(scratch);
}

/* ---- checking ---- */

static bool refuse_kind(struct buf *ret_error)
{
    buf_append_text(ret_error, "member \"kind\" must be one of: ");
    kind_list(ret_error);
    return false;
}

static bool check(struct body *body, size_t members, struct buf *ret_error)
{
    struct json_error error;
    if (!json_members_check(body->root, part_members, members, &error))
        goto refuse;
    body->kind = kind_find(json_member_string(body->root, "kind"));
    if (!body->kind)
        return refuse_kind(ret_error);
    body->input.params = json_object_object_get(body->root, "params");
    if (json_members_check(body->input.params, body->kind->params, body->kind->param_count, &error) &&
        (!body->kind->check || body->kind->check(&body->input, &error)))
        return true;
refuse:
    buf_append_text(ret_error, error.text);
    return false;
}

static bool parse(struct slice text, size_t members, struct body *ret_body, struct buf *ret_error)
{
    struct json_error error;
    struct buf scratch = {0};
    struct body body = {0};
    bool good = json_check_strict(text, &error);
    if (good) {
        struct slice rest = set_bulk_aside(text, &body.input, &scratch);
        body.root = buf_ok(&scratch) ? json_parse_strict(rest, &error) : NULL;
        good = body.root;
    }
    if (!good)
        buf_printf(ret_error, "The body is not valid JSON: %s", buf_ok(&scratch) ? error.text : "out of memory");
    else
        good = check(&body, members, ret_error);
    buf_done(&scratch); /* the tree has copies of its own */
    if (good)
        *ret_body = body;
    else
        json_object_put(body.root);
    return good;
}

bool body_parse(struct slice text, struct body *ret_body, struct buf *ret_error)
{
    return parse(text, START_MEMBERS, ret_body, ret_error);
}

bool body_parse_part(struct slice text, struct body *ret_body, size_t *ret_parts, size_t *ret_index, struct buf *ret_error)
{
    struct body body;
    if (!parse(text, PART_MEMBERS, &body, ret_error))
        return false;
    *ret_parts = (size_t)json_member_int64(body.root, "parts", 1);
    *ret_index = (size_t)json_member_int64(body.root, "index", 0);
    if (*ret_index < *ret_parts) {
        *ret_body = body;
        return true;
    }
    buf_append_text(ret_error, "member \"index\" must be less than \"parts\"");
    body_done(&body);
    return false;
}

void body_done(struct body *body)
{
    json_object_put(body->root);
    body->root = NULL;
}
