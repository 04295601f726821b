/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about items. */
#include "items.h"

#include <inttypes.h>
#include <stdio.h>

#include "json.h"
#include "list.h"
#include "rawjson.h"
#include "rules.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define INT64_TEXT   24

static const struct json_member create_members[] = {
    {"id", JSON_INT64, true, 0, 0},
    {"name", JSON_STRING, true, 0, 0},
    {"description", JSON_STRING, true, 0, 0},
};
static const struct json_member put_members[] = {
    {"id", JSON_INT64, false, 0, 0},
    {"name", JSON_STRING, true, 0, 0},
    {"description", JSON_STRING, true, 0, 0},
};

/* Did the parser refuse the text because its id is an integer that does not fit? Then that is what the caller
 * is told. */
static bool id_out_of_range(struct slice text)
{
    bool bad = false;
    int64_t id;
    struct slice value = rawjson_member(text, "id", &bad);
    if (bad || !value.p || syntax_int64(value, &id))
        return false;
    for (size_t i = value.len > 1 && value.p[0] == '-'; i < value.len; i++) {
        if (value.p[i] < '0' || value.p[i] > '9')
            return false;
    }
    return value.p[value.p[0] == '-'] != '0';
}

/* The body as an object with these members, or NULL and the answer: 400 when it is not JSON, 422 when it says
 * the wrong. */
static struct json_object *parse(const struct request *req, const struct json_member *members, size_t count,
                                 struct answer *ret_answer)
{
    struct json_error error;
    struct json_object *body = json_parse_strict(buf_slice(&req->body), &error);
    if (!body && id_out_of_range(buf_slice(&req->body))) {
        answer_problem(ret_answer, 422, "member \"id\" must be an integer from %" PRId64 " to %" PRId64,
                       INT64_MIN, INT64_MAX);
        return NULL;
    }
    if (!body) {
        answer_problem(ret_answer, 400, "The body is not valid JSON: %s", error.text);
        return NULL;
    }
    if (!json_members_check(body, members, count, &error)) {
        answer_problem(ret_answer, 422, "%s", error.text);
        json_object_put(body);
        return NULL;
    }
    return body;
}

bool items_build_create(const struct request *req, int64_t now_ms, struct draft *draft,
                        struct answer *ret_answer)
{
    struct json_object *body = parse(req, create_members, COUNT(create_members), ret_answer);
    if (!body)
        return false;
    char id[INT64_TEXT];
    int n = snprintf(id, sizeof(id), "%" PRId64, json_member_int64(body, "id", 0));
    json_object_put(body);
    draft->body = buf_slice(&req->body);
    return draft_set_key(draft, slice_make(id, (size_t)n));
}

bool items_build_one(const struct request *req, int64_t now_ms, struct draft *draft,
                     struct answer *ret_answer)
{
    int64_t id;
    if (syntax_int64(req->segments[1], &id) && draft_set_key(draft, req->segments[1]))
        return true;
    answer_problem(ret_answer, 422,
                   "The item's id \"%.*s\" is not an integer from %" PRId64 " to %" PRId64
                   " in plain decimal digits.",
                   SLICE_ARG(req->segments[1]), INT64_MIN, INT64_MAX);
    return false;
}

bool items_build_put(const struct request *req, int64_t now_ms, struct draft *draft,
                     struct answer *ret_answer)
{
    if (!items_build_one(req, now_ms, draft, ret_answer))
        return false;
    struct json_object *body = parse(req, put_members, COUNT(put_members), ret_answer);
    if (!body)
        return false;
    json_object_put(body);
    draft->body = buf_slice(&req->body);
    return true;
}

bool items_build_list(const struct request *req, int64_t now_ms, struct draft *draft,
                      struct answer *ret_answer)
{
    int64_t after;
    bool given;
    if (!rules_query_int(req, "limit", 1, ITEMS_LIST_MAX, ITEMS_LIST_DEFAULT, &given, &draft->limit, ret_answer) ||
        !rules_query_int(req, "after", INT64_MIN, INT64_MAX, 0, &given, &after, ret_answer))
        return false;
    buf_printf(&draft->body_text, "{\"limit\":%" PRId64, draft->limit);
    if (given)
        buf_printf(&draft->body_text, ",\"after\":\"%" PRId64 "\"", after);
    buf_append_text(&draft->body_text, "}");
    draft->body = buf_slice(&draft->body_text);
    return true;
}

void items_finish_list(const struct request *req, const struct draft *draft, const struct received *parts,
                       size_t count, struct answer *ret_answer)
{
    list_finish(parts, count, draft->limit, list_merge, "items", ret_answer);
}
