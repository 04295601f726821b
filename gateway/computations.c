/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about computations. */
#include "computations.h"

#include <inttypes.h>

#include "json.h"
#include "list.h"
#include "operation_id.h"
#include "pending.h"
#include "reuse.h"
#include "rules.h"
#include "syntax.h"
#include "timeline.h"

static const struct json_member start_members[] = {
    {"kind", JSON_STRING, true, 1, 64},
    {"params", JSON_OBJECT, true, 0, 0},
};

bool computations_build_start(const struct request *req, int64_t now_ms, struct draft *draft,
                              struct answer *ret_answer)
{
    struct json_error error;
    struct json_object *body = json_parse_strict(buf_slice(&req->body), &error);
    if (!body) {
        answer_problem(ret_answer, 400, "The body is not valid JSON: %s", error.text);
        return false;
    }
    bool fits =
        json_members_check(body, start_members, sizeof(start_members) / sizeof(start_members[0]), &error);
    if (fits && req->body.len <= REUSE_TEXT_MAX)
        reuse_canonical(body, &draft->body_text);
    json_object_put(body);
    if (!fits) {
        answer_problem(ret_answer, 422, "%s", error.text);
        return false;
    }
    draft_new_key(draft, now_ms);
    draft->body = buf_slice(&req->body);
    return true;
}

void computations_finish_start(const struct request *req, const struct draft *draft, const struct received *parts, size_t count,
                               struct answer *ret_answer)
{
    struct buf location = {0};
    answer_reply(ret_answer, &parts[0], false, SLICE_NONE);
    if (parts[0].status != 200)
        return;
    buf_append_text(&location, "/computations/"); /* RFC 9110 section 8.7: a GET of it gives the same */
    buf_append_slice(&location, draft->key);
    answer_header(ret_answer, "Content-Location", buf_slice(&location));
    buf_done(&location);
}

bool computations_build_get(const struct request *req, int64_t now_ms, struct draft *draft,
                            struct answer *ret_answer)
{
    if (req->segments[1].len && draft_set_key(draft, req->segments[1]))
        return true;
    answer_problem(ret_answer, 422, "The computation's id must be 1 to %d bytes.", ENVELOPE_KEY_MAX);
    return false;
}

/* A parameter that goes into the body as it is: only what needs no escape. */
static bool add_query(const struct request *req, const char *name, struct buf *body, struct slice *ret_value, char *text, size_t size,
                      struct answer *ret_answer)
{
    if (!rules_query(req, name, text, size, ret_value, ret_answer))
        return false;
    for (size_t i = 0; i < ret_value->len; i++) {
        char c = ret_value->p[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-_.", c))
            continue;
        answer_problem(ret_answer, 422, "Query parameter %s may have letters, digits, \"-\", \"_\" and \".\" only.", name);
        return false;
    }
    if (ret_value->p)
        buf_printf(body, ",\"%s\":\"%.*s\"", name, SLICE_ARG(*ret_value));
    return true;
}

bool computations_build_list(const struct request *req, int64_t now_ms, struct draft *draft, struct answer *ret_answer)
{
    char text[OPERATION_ID_MAX + 32];
    struct slice value;
    struct buf *body = &draft->body_text;
    bool given;
    if (!rules_query_int(req, "limit", 1, COMPUTATIONS_LIST_MAX, COMPUTATIONS_LIST_DEFAULT, &given, &draft->limit, ret_answer))
        return false;
    buf_printf(body, "{\"limit\":%" PRId64, draft->limit);
    if (!add_query(req, "state", body, &value, text, sizeof(text), ret_answer) ||
        !add_query(req, "after", body, &value, text, sizeof(text), ret_answer))
        return false;
    if (value.p && !timeline_is_cursor(value)) {
        answer_problem(ret_answer, 422, "Query parameter after must be the \"next\" of an earlier page, as it is.");
        return false;
    }
    buf_append_text(body, "}");
    draft->body = buf_slice(body);
    return true;
}

void computations_finish_list(const struct request *req, const struct draft *draft, const struct received *parts, size_t count,
                              struct answer *ret_answer)
{
    list_finish(parts, count, draft->limit, timeline_merge, "computations", ret_answer);
}

bool computations_build_heavy(const struct request *req, int64_t now_ms, struct draft *draft,
                              struct answer *ret_answer)
{
    char text[32];
    struct slice value;
    int64_t n;
    if (!rules_query(req, "n", text, sizeof(text), &value, ret_answer))
        return false;
    draft_new_key(draft, now_ms);
    draft->body = SLICE(COMPUTATIONS_HEAVY_BODY);
    if (!value.p)
        return true;
    if (!syntax_int64(value, &n)) {
        answer_problem(ret_answer, 422, "Query parameter n, below which primes are counted, must be an integer in plain decimal digits.");
        return false;
    }
    buf_printf(&draft->body_text, "{\"kind\":\"primes\",\"params\":{\"n\":%" PRId64 "}}", n);
    draft->body = buf_slice(&draft->body_text);
    return true;
}

void computations_finish_heavy(const struct request *req, const struct draft *draft,
                               const struct received *parts, size_t count, struct answer *ret_answer)
{
    if (parts[0].status / 100 == 2)
        answer_json(ret_answer, 200, SLICE("{\"message\":\"Heavy computation finished\"}"));
    else
        answer_reply(ret_answer, &parts[0], false, SLICE_NONE);
}
