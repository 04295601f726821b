/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to one item: create, get, put, delete, and a page of them. Pure functions.
 *
 * An item's state is {"id":…,"name":…,"description":…}, exactly these members in this order.
 *
 * To add an operation: a handler and a row in `operations`. Versions, ETags and If-Match are the runtime's.
 */
#include "handlers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "json.h"

#define INT64_TEXT_SIZE 24

#define MEMBER_NAME                                                                                          \
    {                                                                                                        \
        "name", JSON_STRING, true, 1, ITEM_NAME_MAX                                                          \
    }
#define MEMBER_DESCRIPTION                                                                                   \
    {                                                                                                        \
        "description", JSON_STRING, true, 0, ITEM_DESCRIPTION_MAX                                            \
    }

const struct json_member item_create_members[ITEM_CREATE_MEMBERS] = {
    {"id", JSON_INT64, true, 0, 0}, MEMBER_NAME, MEMBER_DESCRIPTION};
const struct json_member item_put_members[ITEM_PUT_MEMBERS] = {
    {"id", JSON_INT64, false, 0, 0}, MEMBER_NAME, MEMBER_DESCRIPTION};
const struct json_member item_list_members[ITEM_LIST_MEMBERS] = {
    {"limit", JSON_INT64, false, 1, ITEM_LIST_MAX},
    {"after", JSON_STRING, false, 1, INT64_TEXT_SIZE},
};

static bool check_members(struct json_object *body, const struct json_member *members, size_t count,
                          struct decision *ret_decision)
{
    struct json_error error;
    if (json_members_check(body, members, count, &error))
        return true;
    decide_problem(ret_decision, 422, "%s", error.text);
    return false;
}

static struct json_object *parse_text(struct slice text, struct decision *ret_decision)
{
    struct json_error error;
    struct json_object *body = json_parse_strict(text, &error);
    if (!body)
        decide_problem(ret_decision, 422, "The body is not valid JSON: %s", error.text);
    return body;
}

/* The command's body with the members it must have; else NULL, and the decision says why. */
static struct json_object *parse_body(const struct call *call, const struct json_member *members,
                                      size_t count, struct decision *ret_decision)
{
    struct json_object *body = parse_text(call->cmd->body, ret_decision);
    if (!body || check_members(body, members, count, ret_decision))
        return body;
    json_object_put(body);
    return NULL;
}

/* An item has one id: where the body names it too, it must be the key. */
static bool id_is_key(const struct call *call, struct json_object *body, struct decision *ret_decision)
{
    if (!json_object_object_get_ex(body, "id", NULL))
        return true;
    char id[INT64_TEXT_SIZE];
    snprintf(id, sizeof(id), "%" PRId64, json_member_int64(body, "id", 0));
    if (slice_is(call->cmd->key, id))
        return true;
    decide_problem(ret_decision, 422, "member \"id\" is %s but the command is for item %.*s: make them equal",
                   id, SLICE_ARG(call->cmd->key));
    return false;
}

/* The key is the id in its only decimal spelling, so it is copied as it is. */
static void put_item(const struct call *call, struct json_object *body, struct decision *ret_decision)
{
    struct buf *state = &ret_decision->state;
    buf_append_text(state, "{\"id\":");
    buf_append_slice(state, call->cmd->key);
    buf_append_text(state, ",\"name\":");
    buf_append_json(state, json_member_string(body, "name"));
    buf_append_text(state, ",\"description\":");
    buf_append_json(state, json_member_string(body, "description"));
    buf_append_text(state, "}");
    decide_put(ret_decision, 200);
}

static void item_create(const struct call *call, struct decision *ret_decision)
{
    struct json_object *body = parse_body(call, item_create_members, ITEM_CREATE_MEMBERS, ret_decision);
    if (!body)
        return;
    if (!id_is_key(call, body, ret_decision))
        goto out;
    if (call->before.exists)
        decide_problem(ret_decision, 400, "Item already exists");
    else
        put_item(call, body, ret_decision);
out:
    json_object_put(body);
}

static void item_get(const struct call *call, struct decision *ret_decision)
{
    if (call->before.exists)
        decide_state(ret_decision, call);
    else
        decide_problem(ret_decision, 404, "Item not found");
}

static void item_put(const struct call *call, struct decision *ret_decision)
{
    struct json_object *body = parse_body(call, item_put_members, ITEM_PUT_MEMBERS, ret_decision);
    if (!body)
        return;
    if (!id_is_key(call, body, ret_decision))
        goto out;
    if (call->before.exists)
        put_item(call, body, ret_decision);
    else
        decide_problem(ret_decision, 404, "Item not found");
out:
    json_object_put(body);
}

static void item_delete(const struct call *call, struct decision *ret_decision)
{
    if (call->before.exists)
        decide_delete(ret_decision, 204);
    else
        decide_problem(ret_decision, 404, "Item not found");
}

static bool is_int64_text(struct slice text)
{
    char copy[INT64_TEXT_SIZE], again[INT64_TEXT_SIZE];
    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.p, text.len);
    copy[text.len] = '\0';
    errno = 0;
    long long value = strtoll(copy, NULL, 10);
    if (errno)
        return false;
    snprintf(again, sizeof(again), "%lld", value);
    return slice_is(text, again);
}

/* No body asks for the first page; "after":null is how a cursor that has not begun is written. */
static struct json_object *parse_list_body(const struct call *call, struct decision *ret_decision)
{
    struct slice text = call->cmd->body;
    struct json_object *body = parse_text(text.len ? text : SLICE("{}"), ret_decision), *after;
    if (!body)
        return NULL;
    if (json_object_object_get_ex(body, "after", &after) && !after)
        json_object_object_del(body, "after");
    if (check_members(body, item_list_members, ITEM_LIST_MEMBERS, ret_decision))
        return body;
    json_object_put(body);
    return NULL;
}

static void write_page(struct scan *scan, struct slice after, int64_t limit, struct buf *out)
{
    buf_append_text(out, "{\"items\":[");
    bool more = scan_seek(scan, after);
    for (int64_t i = 0; more && i < limit && out->len < ITEM_LIST_BYTES_MAX; i++) {
        if (i > 0)
            buf_append_text(out, ",");
        buf_append_slice(out, scan_state(scan));
        more = scan_next(scan);
    }
    buf_append_text(out, more ? "],\"more\":true}" : "],\"more\":false}");
}

static void item_list(const struct call *call, struct decision *ret_decision)
{
    struct json_object *body = parse_list_body(call, ret_decision);
    if (!body)
        return;
    struct slice after = json_member_string(body, "after");
    if (after.p && !is_int64_text(after)) {
        decide_problem(ret_decision, 422,
                       "member \"after\" must be the id of the last item seen, a decimal int64 like \"42\"");
    } else {
        decide_status(ret_decision, 200);
        write_page(call->scan, after, json_member_int64(body, "limit", ITEM_LIST_DEFAULT),
                   &ret_decision->body);
    }
    json_object_put(body);
}

static const struct operation operations[] = {
    {.type = "item.create", .kind = OPERATION_WRITE, .handler = item_create, .event_type = "item.created"},
    {.type = "item.get", .kind = OPERATION_READ, .handler = item_get},
    {.type = "item.put", .kind = OPERATION_WRITE, .handler = item_put, .event_type = "item.updated"},
    {.type = "item.delete", .kind = OPERATION_WRITE, .handler = item_delete, .event_type = "item.deleted"},
    {.type = "item.list", .kind = OPERATION_READ, .scope = SCOPE_PARTITION, .handler = item_list},
    {.type = NULL},
};

const struct service item_service = {
    .name = "item",
    .summary = "Keeps items: decides creates, reads, changes and deletions from item.commands.",
    .key_order = KEY_INT64,
    .operations = operations,
};
