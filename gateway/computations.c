/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about computations. */
#include "computations.h"

#include <inttypes.h>

#include "json.h"
#include "rules.h"
#include "syntax.h"

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
    json_object_put(body);
    if (!fits) {
        answer_problem(ret_answer, 422, "%s", error.text);
        return false;
    }
    draft_new_key(draft, now_ms);
    draft->body = buf_slice(&req->body);
    return true;
}

bool computations_build_get(const struct request *req, int64_t now_ms, struct draft *draft,
                            struct answer *ret_answer)
{
    if (req->segments[1].len && draft_set_key(draft, req->segments[1]))
        return true;
    answer_problem(ret_answer, 422, "The computation's id must be 1 to %d bytes.", ENVELOPE_KEY_MAX);
    return false;
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
