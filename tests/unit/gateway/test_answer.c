/* SPDX-License-Identifier: Apache-2.0 */
/* What replies and failures become in HTTP. */
#include "answer.h"

#include "computations.h"
#include "health.h"
#include "items.h"
#include "support.h"

static struct answer answer;
static struct received received;

static int teardown(void **unused)
{
    answer_done(&answer);
    received_done(&received);
    return 0;
}

static void receive(int status, struct slice etag, struct slice body)
{
    struct reply reply = {.status = status, .etag = etag, .body = body};
    assert_true(received_copy(&received, &reply));
}

static void a_reply_is_copied(void **unused)
{
    char body[] = "{}", location[] = "/x";
    struct reply reply = {.status = 201,
                          .replayed = true,
                          .body = slice_make(body, 2),
                          .location = slice_make(location, 2),
                          .content_type = SLICE("text/plain"),
                          .retry_after = SLICE("7")};
    assert_true(received_copy(&received, &reply));
    body[0] = location[0] = '!'; /* the record is gone */
    answer_reply(&answer, &received, false, SLICE_NONE);
    assert_int_equal(answer.status, 201);
    assert_slice(answer_body(&answer), "{}");
    assert_string_equal(answer_find(&answer, "Location"), "/x");
    assert_string_equal(answer_find(&answer, "Content-Type"), "text/plain");
    assert_string_equal(answer_find(&answer, "Retry-After"), "7");
    assert_string_equal(answer_find(&answer, "Idempotency-Replayed"), "true");
    assert_null(answer_find(&answer, "ETag"));
}

static void a_reply_says_how_long_it_was_worked_on(void **unused)
{
    struct reply reply = {.status = 200, .body = SLICE("{}"), .worked_us = 53200};
    assert_true(received_copy(&received, &reply));
    assert_int_equal(received.worked_us, 53200);
    answer_json(&answer, 200, SLICE("{}"));
    answer_timing(&answer, &received);
    assert_string_equal(answer_find(&answer, "Server-Timing"), "work;dur=53.200");
    reply.worked_us = 0;
    assert_true(received_copy(&received, &reply));
    answer_json(&answer, 200, SLICE("{}"));
    answer_timing(&answer, &received);
    assert_null(answer_find(&answer, "Server-Timing"));
}

static void json_is_what_replies_are_by_default(void **unused)
{
    receive(200, SLICE("\"3\""), SLICE("{}"));
    answer_reply(&answer, &received, true, SLICE_NONE);
    assert_string_equal(answer_find(&answer, "Content-Type"), "application/json");
    assert_string_equal(answer_find(&answer, "ETag"), "\"3\"");
}

static void no_content_has_no_type(void **unused)
{
    receive(204, SLICE_NONE, SLICE_NONE);
    answer_reply(&answer, &received, false, SLICE_NONE);
    assert_int_equal(answer.status, 204);
    assert_null(answer_find(&answer, "Content-Type"));
    assert_int_equal(answer_body(&answer).len, 0);
}

static void an_unchanged_read_is_not_modified(void **unused)
{
    receive(200, SLICE("\"3\""), SLICE("{}"));
    answer_reply(&answer, &received, true, SLICE("W/\"3\""));
    assert_int_equal(answer.status, 304);
    assert_string_equal(answer_find(&answer, "ETag"), "\"3\"");
    assert_slice(answer_body(&answer), "{}"); /* for its length: http.c sends none of it */
    assert_null(answer_find(&answer, "Content-Type"));
    answer_reply(&answer, &received, false, SLICE("\"3\"")); /* a write is not a read */
    assert_int_equal(answer.status, 200);
    answer_reply(&answer, &received, true, SLICE("\"4\""));
    assert_int_equal(answer.status, 200);
    receive(404, SLICE("\"3\""), SLICE("{}"));
    answer_reply(&answer, &received, true, SLICE("*"));
    assert_int_equal(answer.status, 404);
}

/* A worker, or whoever writes to the replies topic, must not be able to add headers of its own. */
static void header_injection_is_left_out(void **unused)
{
    receive(200, SLICE("\"3\"\r\nSet-Cookie: x"), SLICE("{}"));
    answer_reply(&answer, &received, true, SLICE_NONE);
    assert_null(answer_find(&answer, "ETag"));
    assert_int_equal(answer.header_count, 1);
}

static void problems_say_what_to_do(void **unused)
{
    answer.close = true;
    answer_problem(&answer, 404, "No \"%s\"", "x");
    assert_int_equal(answer.status, 404);
    assert_true(answer.close); /* a decision about the connection stays */
    assert_string_equal(answer_find(&answer, "Content-Type"), "application/problem+json");
    assert_slice(
        answer_body(&answer),
        "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,\"detail\":\"No \\\"x\\\"\"}");
    answer_unavailable(&answer, 3, "later");
    assert_int_equal(answer.status, 503);
    assert_string_equal(answer_find(&answer, "Retry-After"), "3");
}

static void a_problem_replaces_a_borrowed_body(void **unused)
{
    receive(200, SLICE_NONE, SLICE("{\"secret\":1}"));
    answer_reply(&answer, &received, true, SLICE_NONE);
    answer_problem(&answer, 502, "no");
    assert_false(body_has(&answer, "secret"));
    assert_true(body_has(&answer, "502"));
}

static void outcomes_tell_writers_how_to_repeat(void **unused)
{
    const struct answer_context read = {.waited_ms = 5000}, bare = {.write = true, .waited_ms = 250},
                                keyed = {.write = true, .has_idempotency_key = true, .waited_ms = 5000},
                                cancel = {.write = true, .waited_ms = 5000, .harmless = true};
    answer_outcome(&answer, OUTCOME_DEADLINE, &read);
    assert_int_equal(answer.status, 504);
    assert_true(body_has(&answer, "5.000 s"));
    assert_true(body_has(&answer, "Nothing was changed"));
    answer_outcome(&answer, OUTCOME_DEADLINE, &bare);
    assert_true(body_has(&answer, "0.250 s"));
    assert_true(body_has(&answer, "may or may not"));
    answer_outcome(&answer, OUTCOME_DEADLINE, &keyed);
    assert_true(body_has(&answer, "same Idempotency-Key"));
    answer_outcome(&answer, OUTCOME_DEADLINE, &cancel);
    assert_true(body_has(&answer, "may or may not have taken effect: repeat it"));
    answer_outcome(&answer, OUTCOME_UNSENT, &bare);
    assert_int_equal(answer.status, 503);
    assert_true(body_has(&answer, "no effect"));
    assert_string_equal(answer_find(&answer, "Retry-After"), "1");
    answer_outcome(&answer, OUTCOME_UNCERTAIN, &keyed);
    assert_int_equal(answer.status, 503);
    assert_true(body_has(&answer, "may or may not"));
    answer_outcome(&answer, OUTCOME_DRAINED, &keyed);
    assert_int_equal(answer.status, 503);
    assert_true(body_has(&answer, "shutting down"));
    answer_outcome(&answer, OUTCOME_NONE, &read);
    assert_int_equal(answer.status, 500);
}

static void the_heavy_computation_says_that_it_is_done(void **unused)
{
    receive(200, SLICE_NONE, SLICE("{\"result\":1}"));
    computations_finish_heavy(NULL, NULL, &received, 1, &answer);
    assert_slice(answer_body(&answer), "{\"message\":\"Heavy computation finished\"}");
    receive(504, SLICE_NONE, SLICE("{\"detail\":\"late\"}"));
    computations_finish_heavy(NULL, NULL, &received, 1, &answer);
    assert_int_equal(answer.status, 504);
    assert_slice(answer_body(&answer), "{\"detail\":\"late\"}");
}

static void one_partitions_refusal_is_the_lists(void **unused)
{
    struct received parts[2] = {{0}};
    struct draft draft = {.limit = 10};
    struct reply page = {.status = 200, .body = SLICE("{\"items\":[{\"id\":1}],\"more\":false}")};
    struct reply refusal = {.status = 503, .body = SLICE("no")};
    assert_true(received_copy(&parts[0], &page));
    assert_true(received_copy(&parts[1], &page));
    items_finish_list(NULL, &draft, parts, 1, &answer);
    assert_int_equal(answer.status, 200);
    assert_slice(answer_body(&answer), "{\"items\":[{\"id\":1}],\"next\":null}");
    assert_true(received_copy(&parts[1], &refusal));
    items_finish_list(NULL, &draft, parts, 2, &answer);
    assert_int_equal(answer.status, 503);
    struct reply nonsense = {.status = 200, .body = SLICE("no")};
    assert_true(received_copy(&parts[1], &nonsense));
    items_finish_list(NULL, &draft, parts, 2, &answer);
    assert_int_equal(answer.status, 502);
    received_done(&parts[0]);
    received_done(&parts[1]);
}

static void describe_services(void *arg, struct buf *out)
{
    assert_non_null(arg);
    buf_append_text(out, "\"services\":{}");
}

static void readiness_names_what_is_missing(void **unused)
{
    struct health health;
    health_init(&health, "g\"1");
    health_live(&health, NULL, &answer);
    assert_int_equal(answer.status, 200);
    health_set(&health, HEALTH_KAFKA | HEALTH_TOPICS | HEALTH_PRODUCER | HEALTH_KEYS, true);
    health_ready(&health, NULL, &answer);
    assert_int_equal(answer.status, 503);
    assert_true(body_has(&answer, "reply partition"));
    assert_false(body_has(&answer, "topics"));
    assert_string_equal(answer_find(&answer, "Retry-After"), "1");
    health_set(&health, HEALTH_REPLIES, true);
    health_ready(&health, NULL, &answer);
    assert_int_equal(answer.status, 200);
    assert_slice(answer_body(&answer),
                 "{\"status\":\"ready\",\"instance\":\"g\\\"1\",\"reply_partition\":-1}");
    health.describe = describe_services;
    health.describe_arg = &health;
    health_ready(&health, NULL, &answer);
    assert_slice(answer_body(&answer),
                 "{\"status\":\"ready\",\"instance\":\"g\\\"1\",\"reply_partition\":-1,\"services\":{}}");
    health_set(&health, HEALTH_STAYS, false);
    health_ready(&health, NULL, &answer);
    assert_int_equal(answer.status, 503);
    assert_true(body_has(&answer, "shutting down"));
    assert_true(health_has(&health, HEALTH_SERVES)); /* until it does */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_reply_is_copied, teardown),
        cmocka_unit_test_teardown(a_reply_says_how_long_it_was_worked_on, teardown),
        cmocka_unit_test_teardown(json_is_what_replies_are_by_default, teardown),
        cmocka_unit_test_teardown(no_content_has_no_type, teardown),
        cmocka_unit_test_teardown(an_unchanged_read_is_not_modified, teardown),
        cmocka_unit_test_teardown(header_injection_is_left_out, teardown),
        cmocka_unit_test_teardown(problems_say_what_to_do, teardown),
        cmocka_unit_test_teardown(a_problem_replaces_a_borrowed_body, teardown),
        cmocka_unit_test_teardown(outcomes_tell_writers_how_to_repeat, teardown),
        cmocka_unit_test_teardown(the_heavy_computation_says_that_it_is_done, teardown),
        cmocka_unit_test_teardown(one_partitions_refusal_is_the_lists, teardown),
        cmocka_unit_test_teardown(readiness_names_what_is_missing, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
