/* SPDX-License-Identifier: Apache-2.0 */
/* From request to command: identity, key, body, deadline, what is passed through and what is not. */
#include "command.h"

#include <ctype.h>

#include "computations.h"
#include "routes.h"
#include "support.h"

#define NOW INT64_C(1767225600000) /* 2026-01-01T00:00:00Z */

static struct request req;
static struct draft draft;
static struct answer answer;

static int teardown(void **unused)
{
    request_done(&req);
    draft_done(&draft);
    answer_done(&answer);
    req = (struct request){0};
    return 0;
}

static const struct route *route;

/* 0: a command came of it; else the status of the refusal. */
static int prepare(void)
{
    unsigned allowed;
    route = routes_find(&routes_public, &req, &allowed);
    assert_non_null(route);
    answer_clear(&answer);
    return command_prepare(&draft, &req, route, NOW, NOW + 5000, &answer) ? 0 : answer.status;
}

static int prepare_text(const char *method, const char *path, const char *body)
{
    make_request(&req, method, path);
    set_body(&req, body);
    return prepare();
}

static struct command fill(void)
{
    static const struct command_origin origin = {"roundtrip-gateway/x", "replies", 3};
    struct command cmd;
    command_fill(&draft, &req, route, &origin, SLICE("corr"), &cmd);
    return cmd;
}

static void an_item_is_created_under_its_id(void **unused)
{
    static const char body[] =
        "{ \"id\" : -9223372036854775808, \"name\":\"\\u00e9\", \"description\":\"\" }";
    assert_int_equal(prepare_text("POST", "/items/", body), 0);
    struct command cmd = fill();
    assert_slice(cmd.key, "-9223372036854775808");
    assert_slice(cmd.body, body); /* byte for byte */
    assert_slice(cmd.type, "item.create");
    assert_slice(cmd.source, "roundtrip-gateway/x");
    assert_slice(cmd.time, "2026-01-01T00:00:00.000Z");
    assert_slice(cmd.content_type, "application/json");
    assert_slice(cmd.reply.topic, "replies");
    assert_slice(cmd.reply.correlation, "corr");
    assert_int_equal(cmd.reply.partition, 3);
    assert_int_equal(cmd.expiry_ms, NOW + 5000);
    assert_int_equal(cmd.id.len, 36);
    assert_null(cmd.idempotency_key.p);
}

static void what_is_no_item_is_refused(void **unused)
{
    static const struct {
        const char *body;
        int status;
        const char *says;
    } cases[] = {
        {"", 400, "JSON"},
        {"{", 400, "JSON"},
        {"[]", 422, ""},
        {"{\"id\":1,\"name\":\"n\"}", 422, "description"},
        {"{\"name\":\"n\",\"description\":\"d\"}", 422, "id"},
        {"{\"id\":\"1\",\"name\":\"n\",\"description\":\"d\"}", 422, "id"},
        {"{\"id\":1.0,\"name\":\"n\",\"description\":\"d\"}", 422, "id"},
        {"{\"id\":1,\"name\":1,\"description\":\"d\"}", 422, "name"},
        {"{\"id\":1,\"name\":\"n\",\"description\":\"d\",\"z\":1}", 422, "z"},
        {"{\"id\":9223372036854775808,\"name\":\"n\",\"description\":\"d\"}", 422, "id"},
        {"{\"name\":\"n\",\"id\":-9223372036854775809,\"description\":\"d\"}", 422, "id"},
        {"{\"id\":01,\"name\":\"n\",\"description\":\"d\"}", 400, "JSON"},
        {"{\"id\":1,\"id\":2,\"name\":\"n\",\"description\":\"d\"}", 400, "JSON"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(prepare_text("POST", "/items", cases[i].body), cases[i].status);
        assert_true(body_has(&answer, cases[i].says));
    }
}

static void ids_in_the_path_have_one_spelling(void **unused)
{
    assert_int_equal(prepare_text("GET", "/items/9223372036854775807", ""), 0);
    assert_slice(fill().key, "9223372036854775807");
    assert_null(fill().body.p);
    assert_null(fill().content_type.p);
    assert_int_equal(prepare_text("GET", "/items/007", ""), 422);
    assert_int_equal(prepare_text("DELETE", "/items/x", ""), 422);
    assert_int_equal(prepare_text("PUT", "/items/9223372036854775808", "{}"), 422);
    assert_int_equal(prepare_text("PUT", "/items/1", "{\"name\":\"n\",\"description\":\"d\"}"), 0);
    assert_int_equal(prepare_text("PUT", "/items/1", "{\"name\":\"n\"}"), 422);
}

static void lists_ask_each_partition_for_a_page(void **unused)
{
    make_request(&req, "GET", "/items");
    assert_int_equal(prepare(), 0);
    assert_true(route->every_partition);
    assert_null(fill().key.p);
    assert_slice(fill().body, "{\"limit\":100}");
    request_add_query(&req, SLICE("limit"), SLICE("7"));
    request_add_query(&req, SLICE("after"), SLICE("-3"));
    assert_int_equal(prepare(), 0);
    assert_slice(fill().body, "{\"limit\":7,\"after\":\"-3\"}");
    assert_int_equal(draft.limit, 7);
    static const char *const bad[] = {"0", "1001", "x", "", "1.5"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        make_request(&req, "GET", "/items");
        request_add_query(&req, SLICE("limit"), slice_of(bad[i]));
        assert_int_equal(prepare(), 422);
    }
}

static void an_idempotency_key_is_the_commands_identity(void **unused)
{
    make_request(&req, "POST", "/items/");
    set_body(&req, "{\"id\":1,\"name\":\"n\",\"description\":\"d\"}");
    add_header(&req, "Idempotency-Key", "\"k\"");
    assert_int_equal(prepare(), 0);
    assert_slice(fill().id, "idem:POST:/items:k");
    assert_slice(fill().idempotency_key, "k");
    make_request(&req, "DELETE", "/items/5");
    add_header(&req, "Idempotency-Key", "k");
    assert_int_equal(prepare(), 0);
    assert_slice(fill().id, "idem:DELETE:/items/5:k");
    make_request(&req, "GET", "/items/5");
    add_header(&req, "Idempotency-Key", "k");
    assert_int_equal(prepare(), 0);
    assert_int_equal(fill().id.len, 36); /* a read has no effect to protect */
    make_request(&req, "DELETE", "/items/5");
    add_header(&req, "Idempotency-Key", "");
    assert_int_equal(prepare(), 400);
}

static void ask_as(const char *principal, const char *key)
{
    make_request(&req, "POST", "/items/");
    req.principal.type = principal ? "api_key" : NULL;
    req.principal.len = principal ? strlen(principal) : 0;
    memcpy(req.principal.text, principal ? principal : "", req.principal.len);
    set_body(&req, "{\"id\":1,\"name\":\"n\",\"description\":\"d\"}");
    add_header(&req, "Idempotency-Key", key);
}

static void each_principal_has_keys_of_its_own(void **unused)
{
    ask_as("alice", "k");
    assert_int_equal(prepare(), 0);
    assert_slice(fill().id, "idem:5:alice:POST:/items:k");
    assert_slice(fill().idempotency_key, "k");
    assert_slice(fill().auth_type, "api_key");
    assert_slice(fill().auth_id, "alice");
    ask_as("jwt:a:POST:/items:", "k"); /* whatever a subject is called */
    assert_int_equal(prepare(), 0);
    assert_slice(fill().id, "idem:18:jwt:a:POST:/items::POST:/items:k");
    ask_as(NULL, "k");
    assert_int_equal(prepare(), 0);
    assert_slice(fill().id, "idem:POST:/items:k");
    assert_null(fill().auth_id.p);
    assert_null(fill().auth_type.p);
}

static void what_does_not_fit_is_refused(void **unused)
{
    char name[ENVELOPE_AUTH_ID_MAX + 1], key[SYNTAX_IDEMPOTENCY_KEY_MAX + 1];
    memset(name, 'n', sizeof(name) - 1);
    memset(key, 'k', sizeof(key) - 1);
    name[sizeof(name) - 1] = key[sizeof(key) - 1] = '\0';
    ask_as(name, key);
    assert_int_equal(prepare(), 400);
    assert_true(body_has(&answer, "shorter key"));
    key[200] = '\0';
    ask_as(name, key);
    assert_int_equal(prepare(), 0);
}

static void ids_are_taken_apart(void **unused)
{
    static const struct {
        const char *id, *principal, *rest; /* no rest: it is none */
    } cases[] = {
        {"idem:POST:/items:k", NULL, "POST:/items:k"},
        {"idem:5:alice:POST:/items:k", "alice", "POST:/items:k"},
        {"idem:7:a:b:c:d:POST:/:k", "a:b:c:d", "POST:/:k"},
        {"idem:1:a:", "a", ""},
        {"idem:x", NULL, "x"},
        {"idem:6:alice:POST:/items:k", NULL, NULL},
        {"idem:4:alice:POST:/items:k", NULL, NULL},
        {"idem:0::POST:/items:k", NULL, NULL},
        {"idem:05:alice:POST:/items:k", NULL, NULL},
        {"idem:99:alice", NULL, NULL},
        {"idem:5:alice", NULL, NULL},
        {"idem:9223372036854775807:a:", NULL, NULL},
        {"idem:99999999999999999999:a:", NULL, NULL},
        {"idem:5", NULL, NULL},
        {"idem:", NULL, NULL},
        {"idem", NULL, NULL},
        {"", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slice principal, rest;
        assert_int_equal(command_id_keyed(slice_of(cases[i].id), &principal, &rest), cases[i].rest != NULL);
        if (!cases[i].rest)
            continue;
        assert_slice(rest, cases[i].rest);
        assert_true(slice_equal(principal, slice_of(cases[i].principal)));
    }
}

static void two_commands_have_two_ids(void **unused)
{
    char first[36];
    assert_int_equal(prepare_text("GET", "/items/1", ""), 0);
    memcpy(first, draft.id, 36);
    assert_int_equal(prepare_text("GET", "/items/1", ""), 0);
    assert_memory_not_equal(first, draft.id, 36);
}

/* The same key must meet the same partition, so the job's id follows from it. */
static void a_repeated_computation_has_the_same_id(void **unused)
{
    char first[36];
    static const char body[] = "{\"kind\":\"pi\",\"params\":{}}";
    make_request(&req, "POST", "/computations");
    set_body(&req, body);
    add_header(&req, "Idempotency-Key", "k");
    assert_int_equal(prepare(), 0);
    assert_int_equal(draft.key.len, 36);
    assert_int_equal(draft.key.p[14], '8');
    assert_non_null(strchr("89ab", draft.key.p[19]));
    memcpy(first, draft.key.p, 36);
    assert_int_equal(prepare(), 0);
    assert_memory_equal(first, draft.key.p, 36);
    make_request(&req, "POST", "/computations");
    set_body(&req, body);
    assert_int_equal(prepare(), 0);
    assert_memory_not_equal(first, draft.key.p, 36);
    assert_int_equal(draft.key.p[14], '7');
}

static void computations_have_a_kind_and_params(void **unused)
{
    assert_int_equal(prepare_text("POST", "/computations", "{\"kind\":\"pi\",\"params\":{\"digits\":5}}"), 0);
    assert_slice(fill().body, "{\"kind\":\"pi\",\"params\":{\"digits\":5}}");
    assert_int_equal(prepare_text("POST", "/computations", "{\"kind\":\"pi\"}"), 422);
    assert_true(body_has(&answer, "params"));
    assert_int_equal(prepare_text("POST", "/computations", "{\"kind\":\"\",\"params\":{}}"), 422);
    assert_int_equal(prepare_text("POST", "/computations", "nonsense"), 400);
    assert_int_equal(prepare_text("GET", "/heavy_computation/", ""), 0);
    assert_slice(fill().body, COMPUTATIONS_HEAVY_BODY);
    assert_slice(fill().type, "compute.start");
    make_request(&req, "GET", "/heavy_computation/");
    request_add_query(&req, SLICE("n"), SLICE("1000"));
    assert_int_equal(prepare(), 0);
    assert_slice(fill().body, "{\"kind\":\"primes\",\"params\":{\"n\":1000}}");
    for (size_t i = 0; i < 4; i++) {
        make_request(&req, "GET", "/heavy_computation/");
        request_add_query(&req, SLICE("n"), slice_of((const char *[]){"", "1e9", "007", "99999999999999999999"}[i]));
        assert_int_equal(prepare(), 422);
    }
    assert_int_equal(prepare_text("GET", "/computations/some-job", ""), 0);
    assert_slice(fill().key, "some-job");
}

static void conditions_and_traces_are_passed_through(void **unused)
{
    make_request(&req, "PUT", "/items/1");
    set_body(&req, "{\"name\":\"n\",\"description\":\"d\"}");
    add_header(&req, "If-Match", "\"3\", W/\"4\"");
    add_header(&req, "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    add_header(&req, "tracestate", "a=b");
    assert_int_equal(prepare(), 0);
    assert_slice(fill().if_match, "\"3\", W/\"4\"");
    assert_slice(fill().traceparent, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    assert_slice(fill().tracestate, "a=b");
    make_request(&req, "GET", "/items/1");
    add_header(&req, "traceparent", "nonsense");
    add_header(&req, "tracestate", "a=b");
    assert_int_equal(prepare(), 0);
    assert_null(fill().traceparent.p);
    assert_null(fill().tracestate.p);
}

/* What the gateway sends must be what the codec takes. */
static void the_codec_takes_it(void **unused)
{
    struct headers headers;
    struct command again;
    make_request(&req, "DELETE", "/items/1");
    add_header(&req, "Idempotency-Key", "k");
    assert_int_equal(prepare(), 0);
    struct command cmd = fill();
    headers_init(&headers);
    envelope_encode_command(&cmd, &headers);
    assert_false(headers.overflow);
    struct record rec = {
        .topic = "item.commands", .key = cmd.key, .headers = headers.list, .header_count = headers.count};
    assert_int_equal(envelope_decode_command(&rec, &again), ENVELOPE_OK);
    assert_slice(again.id, "idem:DELETE:/items/1:k");
    assert_int_equal(again.expiry_ms, NOW + 5000);
    assert_int_equal(again.reply.partition, 3);
}

static void a_generic_row_takes_key_and_body_as_they_are(void **unused)
{
    make_request(&req, "POST", "/counters/c%C3%A9");
    set_body(&req, "{\"by\":1}");
    draft_clear(&draft);
    assert_true(command_keyed(&req, NOW, &draft, &answer));
    assert_slice(draft.key, "c\xc3\xa9");
    assert_slice(draft.body, "{\"by\":1}");
    set_body(&req, "{by:1}");
    assert_false(command_keyed(&req, NOW, &draft, &answer));
    assert_int_equal(answer.status, 400);
    make_request(&req, "GET", "/counters");
    assert_false(command_keyed(&req, NOW, &draft, &answer));
    assert_int_equal(answer.status, 422);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_item_is_created_under_its_id, teardown),
        cmocka_unit_test_teardown(what_is_no_item_is_refused, teardown),
        cmocka_unit_test_teardown(ids_in_the_path_have_one_spelling, teardown),
        cmocka_unit_test_teardown(lists_ask_each_partition_for_a_page, teardown),
        cmocka_unit_test_teardown(an_idempotency_key_is_the_commands_identity, teardown),
        cmocka_unit_test_teardown(each_principal_has_keys_of_its_own, teardown),
        cmocka_unit_test_teardown(what_does_not_fit_is_refused, teardown),
        cmocka_unit_test_teardown(ids_are_taken_apart, teardown),
        cmocka_unit_test_teardown(two_commands_have_two_ids, teardown),
        cmocka_unit_test_teardown(a_repeated_computation_has_the_same_id, teardown),
        cmocka_unit_test_teardown(computations_have_a_kind_and_params, teardown),
        cmocka_unit_test_teardown(conditions_and_traces_are_passed_through, teardown),
        cmocka_unit_test_teardown(the_codec_takes_it, teardown),
        cmocka_unit_test_teardown(a_generic_row_takes_key_and_body_as_they_are, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
