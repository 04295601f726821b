/* SPDX-License-Identifier: Apache-2.0 */
/* Ids of operations, and what is said about one. */
#include "operation.h"

#include "support.h"

static void ids_go_both_ways(void **unused)
{
    static const struct {
        struct slice service, id, key;
    } cases[] = {
        {SLICE("item"), SLICE("my-command-1"), SLICE("7")},
        {SLICE("compute"), SLICE("idem:POST:/computations:k"), SLICE("a\nb")},
        {SLICE("x"), SLICE("y"), SLICE("z")},
        {SLICE("xx"), SLICE("y"), SLICE("z")},
        {SLICE("xxx"), SLICE("y"), SLICE("\xff\xfe")},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf id = {0};
        struct operation_name name;
        operation_write(&id, cases[i].service, cases[i].id, cases[i].key);
        assert_true(operation_parse(buf_slice(&id), &name));
        assert_true(slice_equal(name.service, cases[i].service));
        assert_true(slice_equal(name.command_id, cases[i].id));
        assert_true(slice_equal(name.key, cases[i].key));
        buf_done(&id);
    }
}

static void anybody_can_write_one(void **unused)
{
    struct operation_name name; /* printf 'item\nmy-command-1\n7' | basenc --base64url */
    assert_true(operation_parse(SLICE("aXRlbQpteS1jb21tYW5kLTEKNw"), &name));
    assert_slice(name.command_id, "my-command-1");
}

static void others_are_none(void **unused)
{
    static const char *const cases[] = {"", "a", "aXRlbQ", "aXRlbQpteS1jb21tYW5kLTEKNw==", "aXRlbQpteS1jb21tYW5kLTEKNx",
                                        "aXRlbQpteS1jb21tYW5kLTEK", "CnkKeg", "eAoKeg", "eAp5", "aXRl/QpteS1jb21tYW5kLTEKNw"};
    struct operation_name name;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_false(operation_parse(slice_of(cases[i]), &name));
    struct buf long_id = {0};
    for (int i = 0; i < OPERATION_ID_MAX + 1; i++)
        buf_append_text(&long_id, "A");
    assert_false(operation_parse(buf_slice(&long_id), &name));
    assert_false(operation_parse(SLICE_NONE, &name));
    buf_done(&long_id);
}

static void accepted_says_where_to_look(void **unused)
{
    struct draft draft = {.service = "item", .id = "i", .id_len = 1, .key = SLICE("7")};
    struct answer answer = {0};
    operation_accepted(&answer, &draft);
    assert_int_equal(answer.status, 202);
    assert_string_equal(answer_find(&answer, "Location"), "/operations/aXRlbQppCjc");
    assert_string_equal(answer_find(&answer, "Retry-After"), "1");
    assert_true(body_has(&answer, "{\"id\":\"aXRlbQppCjc\",\"state\":\"pending\"}"));
    answer_done(&answer);
}

static void the_question_goes_to_its_service(void **unused)
{
    static struct request req;
    static struct draft draft;
    struct answer answer = {0};
    make_request(&req, "GET", "/operations/aXRlbQpteS1jb21tYW5kLTEKNw");
    draft_clear(&draft);
    assert_true(operation_build_get(&req, 0, &draft, &answer));
    assert_string_equal(draft.service, "item");
    assert_string_equal(draft.type, "item.operation");
    assert_slice(draft.subject, "my-command-1");
    assert_slice(draft.key, "7");
    draft_clear(&draft);
    assert_true(operation_build_cancel(&req, 0, &draft, &answer));
    assert_string_equal(draft.type, "item.cancel");
    make_request(&req, "GET", "/operations/bm9ib2R5CmkKNw"); /* nobody */
    draft_clear(&draft);
    assert_false(operation_build_get(&req, 0, &draft, &answer));
    assert_int_equal(answer.status, 404);
    draft_done(&draft);
    request_done(&req);
    answer_done(&answer);
}

/* The status of asking about that command as `principal`; 0: it may. */
static int ask(const char *principal, const char *command_id)
{
    static struct request req;
    static struct draft draft;
    struct answer answer = {0};
    struct buf path = {0};
    buf_append_text(&path, "/operations/");
    operation_write(&path, SLICE("item"), slice_of(command_id), SLICE("7"));
    buf_append(&path, "", 1);
    make_request(&req, "GET", path.data);
    req.principal.len = strlen(principal);
    memcpy(req.principal.text, principal, req.principal.len);
    draft_clear(&draft);
    int status = operation_build_get(&req, 0, &draft, &answer) ? 0 : answer.status;
    draft_clear(&draft);
    answer_clear(&answer);
    assert_true(operation_build_cancel(&req, 0, &draft, &answer) == (status == 0));
    draft_done(&draft);
    request_done(&req);
    answer_done(&answer);
    buf_done(&path);
    return status;
}

static void keys_of_others_are_not_told_about(void **unused)
{
    assert_int_equal(ask("alice", "idem:5:alice:POST:/items:k"), 0);
    assert_int_equal(ask("alice", "idem:3:bob:POST:/items:k"), 404);
    assert_int_equal(ask("alice", "idem:11:alice:POST::POST:/items:k"), 404);
    assert_int_equal(ask("alice", "idem:POST:/items:k"), 404); /* nobody's */
    assert_int_equal(ask("alice", "idem:4:alice:POST:/items:k"), 404);
    assert_int_equal(ask("alice", "my-command-1"), 0); /* not made of a key */
    assert_int_equal(ask("", "idem:3:bob:POST:/items:k"), 0); /* access control is off */
}

static void the_answer_gets_its_id(void **unused)
{
    static struct request req;
    struct answer answer = {0};
    struct received part = {.status = 202, .body = SLICE("{\"state\":\"running\"}")};
    make_request(&req, "GET", "/operations/aXRl");
    assert_true(operation_is_open(&part));
    operation_finish(&req, NULL, &part, 1, &answer);
    assert_int_equal(answer.status, 200);
    assert_true(body_has(&answer, "{\"id\":\"aXRl\",\"state\":\"running\"}"));
    assert_non_null(answer_find(&answer, "Retry-After"));
    part = (struct received){.status = 200, .body = SLICE("{\"state\":\"failed\"}")};
    assert_false(operation_is_open(&part));
    operation_finish(&req, NULL, &part, 1, &answer);
    assert_null(answer_find(&answer, "Retry-After"));
    part = (struct received){.status = 404, .body = SLICE("{\"status\":404}"), .content_type = SLICE("application/problem+json")};
    operation_finish(&req, NULL, &part, 1, &answer);
    assert_int_equal(answer.status, 404);
    request_done(&req);
    answer_done(&answer);
}

static void a_result_is_given_as_it_is(void **unused)
{
    static struct request req;
    struct answer answer = {0};
    struct received part = {.status = 200, .body = SLICE("png"), .content_type = SLICE("image/png"), .etag = SLICE("\"1\""), .result_bytes = 3, .result_parts = 1};
    make_request(&req, "GET", "/operations/aXRl/result");
    operation_finish_result(&req, NULL, &part, 1, &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer_find(&answer, "Content-Type"), "image/png");
    assert_true(body_has(&answer, "png"));
    part = (struct received){.status = 200, .body = SLICE(""), .content_type = SLICE("application/json"), .etag = SLICE("\"2\""), .result_parts = 1};
    operation_finish_result(&req, NULL, &part, 1, &answer);
    assert_int_equal(answer.status, 204);
    assert_null(answer_find(&answer, "Content-Type"));
    assert_non_null(answer_find(&answer, "ETag"));
    part = (struct received){.status = 200, .body = SLICE("{\"state\":\"failed\",\"status\":409,\"result\":{\"status\":409}}")};
    operation_finish_result(&req, NULL, &part, 1, &answer);
    assert_int_equal(answer.status, 409);
    assert_string_equal(answer_find(&answer, "Content-Type"), "application/problem+json");
    assert_true(body_has(&answer, "{\"status\":409}"));
    part = (struct received){.status = 202, .body = SLICE("{\"state\":\"running\"}")};
    operation_finish_result(&req, NULL, &part, 1, &answer);
    assert_int_equal(answer.status, 202);
    assert_non_null(answer_find(&answer, "Retry-After"));
    request_done(&req);
    answer_done(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_go_both_ways),            cmocka_unit_test(anybody_can_write_one),
        cmocka_unit_test(others_are_none),             cmocka_unit_test(accepted_says_where_to_look),
        cmocka_unit_test(the_question_goes_to_its_service), cmocka_unit_test(the_answer_gets_its_id),
        cmocka_unit_test(keys_of_others_are_not_told_about), cmocka_unit_test(a_result_is_given_as_it_is),
    };
    return cmocka_run_group_tests_name("operation", tests, NULL, NULL);
}
