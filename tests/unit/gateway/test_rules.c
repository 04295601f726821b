/* SPDX-License-Identifier: Apache-2.0 */
/* What a request must be: framing, sizes, path, media type, deadlines. */
#include "rules.h"

#include "support.h"

static const struct rules_limits limits = {.header_bytes = 1000, .body_bytes = 100};
static struct request req;
static struct answer answer;

static int teardown(void **unused)
{
    request_done(&req);
    req = (struct request){0};
    answer_done(&answer);
    return 0;
}

/* 0: it passes; else the status of the refusal, negative when the connection is closed too. */
static int message_status(void)
{
    answer_clear(&answer);
    if (rules_check_message(&req, &limits, &answer))
        return 0;
    assert_string_equal(answer_find(&answer, "Content-Type"), "application/problem+json");
    return answer.close ? -answer.status : answer.status;
}

static void a_plain_request_passes(void **unused)
{
    make_request(&req, "POST", "/items");
    add_header(&req, "content-length", "100");
    assert_int_equal(message_status(), 0);
    assert_int_equal(rules_body_length(&req), 100);
    make_request(&req, "POST", "/items");
    add_header(&req, "Transfer-Encoding", "Chunked");
    assert_int_equal(message_status(), 0);
    assert_int_equal(rules_body_length(&req), -1);
    make_request(&req, "GET", "/items");
    assert_int_equal(message_status(), 0);
    assert_int_equal(rules_body_length(&req), 0);
}

/* All of these could be read in two ways, so the connection ends. */
static void ambiguous_framing_is_refused(void **unused)
{
    static const struct {
        const char *first, *first_value, *second, *second_value;
        int status;
    } cases[] = {
        {"Content-Length", "5", "Content-Length", "5", -400},
        {"Content-Length", "5", "content-length", "6", -400},
        {"Content-Length", "5", "Transfer-Encoding", "chunked", -400},
        {"Content-Length", "+5", NULL, NULL, -400},
        {"Content-Length", "-5", NULL, NULL, -400},
        {"Content-Length", "5,5", NULL, NULL, -400},
        {"Content-Length", "", NULL, NULL, -400},
        {"Content-Length", "0x5", NULL, NULL, -400},
        {"Content-Length", "99999999999999999999", NULL, NULL, -400},
        {"Transfer-Encoding", "chunked", "Transfer-Encoding", "chunked", -400},
        {"Transfer-Encoding", "gzip, chunked", NULL, NULL, -501},
        {"Transfer-Encoding", "xchunked", NULL, NULL, -501},
        {"Transfer-Encoding", "", NULL, NULL, -501},
        {"Transfer-Encoding ", "chunked", NULL, NULL, -400},
        {"X", "a\x01", NULL, NULL, -400},
        {"X", "a\rb", NULL, NULL, -400},
        {"", "a", NULL, NULL, -400},
        {"Host", "b", NULL, NULL, -400},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        make_request(&req, "POST", "/items");
        add_header(&req, cases[i].first, cases[i].first_value);
        if (cases[i].second)
            add_header(&req, cases[i].second, cases[i].second_value);
        assert_int_equal(message_status(), cases[i].status);
    }
}

static void leading_zeros_of_a_length_do_not_matter(void **unused)
{
    make_request(&req, "POST", "/items");
    add_header(&req, "Content-Length", "0005");
    assert_int_equal(message_status(), 0);
    assert_int_equal(rules_body_length(&req), 5);
}

static void hidden_bytes_are_refused(void **unused)
{
    make_request(&req, "GET", "/items");
    req.broken_head = true;
    assert_int_equal(message_status(), -400);
}

static void http_1_0_needs_no_host_and_knows_no_chunks(void **unused)
{
    make_request(&req, "GET", "/items");
    req.header_count = 0;
    assert_int_equal(message_status(), -400);
    req.http11 = false;
    assert_int_equal(message_status(), 0);
    add_header(&req, "Transfer-Encoding", "chunked");
    assert_int_equal(message_status(), -400);
}

static void sizes_are_bounded(void **unused)
{
    make_request(&req, "POST", "/items");
    add_header(&req, "Content-Length", "101");
    assert_int_equal(message_status(), -413);
    make_request(&req, "GET", "/items");
    req.header_bytes = 1000;
    assert_int_equal(message_status(), 0);
    req.header_bytes = 1001;
    assert_int_equal(message_status(), -431);
    make_request(&req, "GET", "/items");
    for (int i = 1; i < REQUEST_HEADERS_MAX; i++)
        add_header(&req, "X", "y");
    assert_int_equal(message_status(), 0);
    add_header(&req, "X", "y");
    assert_int_equal(message_status(), -431);
}

static int path_status(const char *path)
{
    make_request(&req, "GET", "/");
    req.target = slice_of(path);
    answer_clear(&answer);
    return rules_split_path(&req, &answer) ? 0 : answer.status;
}

static void paths_are_split_and_decoded(void **unused)
{
    assert_int_equal(path_status("/items/7"), 0);
    assert_int_equal(req.segment_count, 2);
    assert_slice(req.segments[0], "items");
    assert_slice(req.segments[1], "7");
    assert_int_equal(path_status("/items/7/"), 0);
    assert_int_equal(req.segment_count, 2);
    assert_int_equal(path_status("/"), 0);
    assert_int_equal(req.segment_count, 0);
    assert_int_equal(path_status("/%69tems/%C3%A9"), 0);
    assert_slice(req.segments[0], "items");
    assert_slice(req.segments[1], "\xc3\xa9");
    assert_int_equal(path_status("http://host:80/items/1"), 0);
    assert_slice(req.segments[0], "items");
    assert_int_equal(path_status("HTTPS://host"), 0);
    assert_int_equal(req.segment_count, 0);
}

static void an_empty_segment_is_a_segment(void **unused)
{
    assert_int_equal(path_status("//items"), 0);
    assert_int_equal(req.segment_count, 2);
    assert_slice(req.segments[0], "");
    assert_int_equal(path_status("/items//"), 0);
    assert_int_equal(req.segment_count, 2);
}

static void many_segments_do_not_overflow(void **unused)
{
    assert_int_equal(path_status("/1/2/3/4/5/6/7/8/9/10/11"), 0);
    assert_int_equal(req.segment_count, 11);
}

static void odd_paths_are_refused(void **unused)
{
    static const char *const paths[] = {
        "",     "items", "*",    "/a b", "/a\tb", "/\xc3\xa9",  "/a#b",   "/%",     "/%2",
        "/%zz", "/%00",  "/%0a", "/%ff", "/%c3",  "/%ed%a0%80", "/a%2fb", "/a%2Fb", "/%7f",
    };
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        assert_int_equal(path_status(paths[i]), 400);
    char longest[REQUEST_PATH_MAX + 2];
    memset(longest, 'a', sizeof(longest));
    longest[0] = '/';
    longest[REQUEST_PATH_MAX] = '\0';
    assert_int_equal(path_status(longest), 0);
    longest[REQUEST_PATH_MAX] = 'a';
    longest[REQUEST_PATH_MAX + 1] = '\0';
    assert_int_equal(path_status(longest), 414);
}

static void the_asterisk_is_for_options(void **unused)
{
    make_request(&req, "OPTIONS", "*");
    answer_clear(&answer);
    assert_true(rules_split_path(&req, &answer));
    assert_int_equal(req.segment_count, 0);
}

static void bodies_are_json(void **unused)
{
    make_request(&req, "POST", "/items");
    assert_false(rules_check_body_type(&req, &answer));
    assert_int_equal(answer.status, 415);
    add_header(&req, "Content-Type", "application/json");
    assert_true(rules_check_body_type(&req, &answer));
    add_header(&req, "Content-Type", "application/json");
    assert_false(rules_check_body_type(&req, &answer)); /* twice */
}

static bool waits(const char *prefer, const char *prefer_more)
{
    make_request(&req, "POST", "/items");
    if (prefer)
        add_header(&req, "Prefer", prefer);
    if (prefer_more)
        add_header(&req, "prefer", prefer_more);
    return rules_waits(&req);
}

static bool async(const char *prefer, const char *timeout, int64_t wait_ms, int64_t work_ms)
{
    int64_t got_wait_ms, got_work_ms;
    make_request(&req, "POST", "/items");
    add_header(&req, "Prefer", prefer);
    if (timeout)
        add_header(&req, "Request-Timeout", timeout);
    bool wanted = rules_async(&req, 60000, 900000, &got_wait_ms, &got_work_ms);
    assert_int_equal(got_wait_ms, wait_ms);
    assert_int_equal(got_work_ms, work_ms);
    return wanted;
}

static void who_takes_202_says_so(void **unused)
{
    assert_true(async("respond-async", NULL, 0, 900000));
    assert_true(async("respond-async, wait=10", NULL, 10000, 900000));
    assert_true(async("wait=10,respond-async", "30", 10000, 30000));
    assert_true(async("respond-async, wait=100", "3600", 60000, 900000));
    assert_false(async("wait=10", NULL, 10000, 900000));
    assert_false(async("return=minimal", NULL, 0, 900000));
}

static void who_does_not_wait_says_so(void **unused)
{
    assert_true(waits(NULL, NULL));
    assert_true(waits("return=minimal", NULL));
    assert_true(waits("wait=5", NULL));
    assert_true(waits("respond-async, wait=5", NULL));
    assert_true(waits("respond-async", "wait=5"));
    assert_false(waits("respond-async", NULL));
    assert_false(waits("wait=0", NULL));
    assert_false(waits("wait=0", "wait=5"));
    assert_false(waits("respond-async, wait=0", NULL));
    assert_false(waits("return=minimal", "Respond-Async"));
}

static int64_t deadline(const char *timeout, const char *prefer, bool *ret_preferred)
{
    int64_t ms = -1;
    make_request(&req, "GET", "/items");
    if (timeout)
        add_header(&req, "Request-Timeout", timeout);
    if (prefer)
        add_header(&req, "Prefer", prefer);
    answer_clear(&answer);
    return rules_deadline_ms(&req, 5000, 60000, &ms, ret_preferred, &answer) ? ms : -answer.status;
}

static void a_request_may_choose_its_deadline(void **unused)
{
    bool preferred = true;
    assert_int_equal(deadline(NULL, NULL, &preferred), 5000);
    assert_false(preferred);
    assert_int_equal(deadline("0.25", NULL, &preferred), 250);
    assert_int_equal(deadline("30", NULL, &preferred), 30000);
    assert_int_equal(deadline("3600", NULL, &preferred), 60000);
    assert_int_equal(deadline(NULL, "wait=2", &preferred), 2000);
    assert_true(preferred);
    assert_int_equal(deadline("1", "wait=2", &preferred), 1000);
    assert_false(preferred);
    assert_int_equal(deadline("3", "wait=2", &preferred), 2000);
    assert_true(preferred);
    assert_int_equal(deadline(NULL, "wait=90", &preferred), 60000);
    assert_false(preferred);
    assert_int_equal(deadline(NULL, "wait=soon", &preferred), 5000);
    assert_int_equal(deadline("soon", NULL, &preferred), -400);
    assert_int_equal(deadline("0", NULL, &preferred), -400);
    assert_int_equal(deadline("0.000", "wait=2", &preferred), -400);
    assert_int_equal(deadline("0.0001", NULL, &preferred), 1);
}

static void idempotency_keys_are_given_once(void **unused)
{
    char key[SYNTAX_IDEMPOTENCY_KEY_MAX];
    size_t len = 9;
    make_request(&req, "POST", "/items");
    assert_true(rules_idempotency_key(&req, key, &len, &answer));
    assert_int_equal(len, 0);
    add_header(&req, "Idempotency-Key", "\"abc\"");
    assert_true(rules_idempotency_key(&req, key, &len, &answer));
    assert_int_equal(len, 3);
    add_header(&req, "Idempotency-Key", "\"abc\"");
    assert_false(rules_idempotency_key(&req, key, &len, &answer));
    assert_int_equal(answer.status, 400);
}

static void query_parameters(void **unused)
{
    char text[8];
    struct slice value;
    make_request(&req, "GET", "/items");
    request_add_query(&req, SLICE("limit"), SLICE("%310"));
    request_add_query(&req, SLICE("other"), SLICE("%zz"));
    assert_true(rules_query(&req, "limit", text, sizeof(text), &value, &answer));
    assert_slice(value, "10");
    assert_true(rules_query(&req, "after", text, sizeof(text), &value, &answer));
    assert_null(value.p);
    assert_false(rules_query(&req, "other", text, sizeof(text), &value, &answer));
    assert_int_equal(answer.status, 422);
    request_add_query(&req, SLICE("limit"), SLICE("1"));
    assert_false(rules_query(&req, "limit", text, sizeof(text), &value, &answer));
    request_add_query(&req, SLICE("after"), SLICE("123456789"));
    assert_false(rules_query(&req, "after", text, sizeof(text), &value, &answer));
    for (int i = 0; i < REQUEST_QUERIES_MAX; i++)
        request_add_query(&req, SLICE("x"), SLICE("y"));
    assert_false(rules_query(&req, "nothing", text, sizeof(text), &value, &answer));
    assert_int_equal(answer.status, 400);
}

static void waiting_for_continue(void **unused)
{
    make_request(&req, "POST", "/items");
    assert_false(rules_expects_continue(&req));
    add_header(&req, "Expect", "100-Continue");
    assert_true(rules_expects_continue(&req));
    req.http11 = false;
    assert_false(rules_expects_continue(&req));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_plain_request_passes, teardown),
        cmocka_unit_test_teardown(ambiguous_framing_is_refused, teardown),
        cmocka_unit_test_teardown(leading_zeros_of_a_length_do_not_matter, teardown),
        cmocka_unit_test_teardown(hidden_bytes_are_refused, teardown),
        cmocka_unit_test_teardown(http_1_0_needs_no_host_and_knows_no_chunks, teardown),
        cmocka_unit_test_teardown(sizes_are_bounded, teardown),
        cmocka_unit_test_teardown(paths_are_split_and_decoded, teardown),
        cmocka_unit_test_teardown(an_empty_segment_is_a_segment, teardown),
        cmocka_unit_test_teardown(many_segments_do_not_overflow, teardown),
        cmocka_unit_test_teardown(odd_paths_are_refused, teardown),
        cmocka_unit_test_teardown(the_asterisk_is_for_options, teardown),
        cmocka_unit_test_teardown(bodies_are_json, teardown),
        cmocka_unit_test_teardown(a_request_may_choose_its_deadline, teardown),
        cmocka_unit_test_teardown(who_does_not_wait_says_so, teardown),
        cmocka_unit_test(who_takes_202_says_so),
        cmocka_unit_test_teardown(idempotency_keys_are_given_once, teardown),
        cmocka_unit_test_teardown(query_parameters, teardown),
        cmocka_unit_test_teardown(waiting_for_continue, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
