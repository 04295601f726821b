/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to one note. Copy this folder to begin a service: a handler and a row for each operation. */
#include "json.h"
#include "worker/service.h"

static const struct json_member put_members[] = {{"text", JSON_STRING, true, 1, 1000}};

static void note_put(const struct call *call, struct decision *ret_decision)
{
    struct json_error error;
    struct json_object *body = json_parse_strict(call->cmd->body, &error);
    if (!body || !json_members_check(body, put_members, 1, &error)) {
        decide_problem(ret_decision, 422, "%s", error.text);
    } else {
        buf_append_text(&ret_decision->state, "{\"text\":");
        buf_append_json(&ret_decision->state, json_member_string(body, "text"));
        buf_append_text(&ret_decision->state, "}");
        decide_put(ret_decision, 200);
    }
    json_object_put(body);
}

static void note_get(const struct call *call, struct decision *ret_decision)
{
    if (call->before.exists)
        decide_state(ret_decision, call);
    else
        decide_problem(ret_decision, 404, "Note not found");
}

static const struct operation operations[] = {
    {.type = "note.put", .kind = OPERATION_WRITE, .handler = note_put, .event_type = "note.updated"},
    {.type = "note.get", .kind = OPERATION_READ, .handler = note_get},
    {.type = NULL},
};

int main(int argc, char **argv)
{
    static const struct service service = {
        .name = "note",
        .summary = "Keeps notes: a template for a service of your own.",
        .key_order = KEY_TEXT,
        .operations = operations,
    };
    return worker_main(&service, argc, argv);
}
