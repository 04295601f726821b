/* SPDX-License-Identifier: Apache-2.0 */
/* What a request gets while its service fails: 503, or the copy; and what the end of a wait says. */
#include "degrade.h"

#include "bus/reader.h"
#include "clock.h"
#include "envelope.h"
#include "support.h"

#define MS INT64_C(1000000)
#define S  (1000 * MS)

static struct stats stats;
static struct degrade *degrade;
static struct exchange *x;
static int64_t now;

static int setup(void **unused)
{
    const struct degrade_options options = {.circuit = {.window_ns = 10 * S,
                                                        .min_calls = 4,
                                                        .failure_percent = 50,
                                                        .slow_ns = 2 * S,
                                                        .slow_percent = 80,
                                                        .pause_ns = 1500 * MS,
                                                        .pause_max_ns = 6 * S},
                                            .copy_bytes = 1 << 20,
                                            .serve_stale = true,
                                            .stats = &stats};
    now = 1000 * S;
    x = exchange_new(NULL, NULL);
    return x ? degrade_new(&options, &degrade) : -1;
}

static int teardown(void **unused)
{
    exchange_free(x);
    degrade_free(degrade);
    degrade = NULL;
    return 0;
}

static void request(const char *method, const char *path)
{
    unsigned allowed;
    exchange_clear(x);
    make_request(&x->req, method, path);
    x->route = routes_find(&routes_public, &x->req, &allowed);
    assert_non_null(x->route);
    x->draft.service = x->route->service;
    x->wait_ms = 5000;
    if (x->req.segment_count > 1)
        assert_true(draft_set_key(&x->draft, x->req.segments[1]));
}

static bool admits(void)
{
    return degrade_admits(degrade, x, now);
}

static void reply_with(int status)
{
    struct reply reply = {.status = status, .body = SLICE("{}")};
    assert_true(exchange_expect(x, 1));
    assert_true(received_copy(&x->parts[0], &reply));
    x->outcome = OUTCOME_REPLIED;
    degrade_ended(degrade, x, OUTCOME_REPLIED, now);
}

static void open_items(void)
{
    for (int i = 0; i < 4; i++) {
        request("PUT", "/items/1");
        assert_true(admits());
        degrade_ended(degrade, x, OUTCOME_DEADLINE, now + 5 * S);
    }
    now += 5 * S;
}

/* The item's event, written by the owner whose claim was seen; not `old`: it is read as it comes. */
static void event(const char *key, int64_t version, bool exists, bool old, int64_t age_ms)
{
    static struct headers headers;
    static int64_t offset;
    const struct event event = {.type = SLICE("item.updated"),
                                .command_id = SLICE("c"),
                                .status = 200,
                                .command_partition = -1,
                                .command_offset = -1,
                                .claim = SLICE("a"),
                                .version = version,
                                .exists = exists,
                                .binding = true};
    envelope_encode_event(&event, &headers);
    const struct record rec = {.topic = "item.events",
                               .offset = offset++,
                               .timestamp_ms = 1000000 - age_ms,
                               .key = slice_of(key),
                               .value = SLICE("{\"id\":1}"),
                               .headers = headers.list,
                               .header_count = headers.count};
    degrade_saw_event(degrade, "item", &rec, old, now, 1000000);
}

static void how_waits_end(void **unused)
{
    struct received good = {.status = 404}, down = {.status = 503}, unread = {.status = 0}, late = {.status = 504};
    struct received two[2] = {good, down};
    assert_int_equal(degrade_end_of(OUTCOME_REPLIED, false, &good, 1), CIRCUIT_ANSWERED);
    assert_int_equal(degrade_end_of(OUTCOME_REPLIED, false, &late, 1), CIRCUIT_ANSWERED);
    assert_int_equal(degrade_end_of(OUTCOME_REPLIED, false, &down, 1), CIRCUIT_REFUSED);
    assert_int_equal(degrade_end_of(OUTCOME_REPLIED, false, &unread, 1), CIRCUIT_REFUSED);
    assert_int_equal(degrade_end_of(OUTCOME_REPLIED, false, two, 2), CIRCUIT_REFUSED);
    assert_int_equal(degrade_end_of(OUTCOME_DEADLINE, false, NULL, 0), CIRCUIT_UNANSWERED);
    assert_int_equal(degrade_end_of(OUTCOME_DEADLINE, true, NULL, 0), CIRCUIT_UNTRIED);
    static const enum outcome others[] = {OUTCOME_NONE,    OUTCOME_UNSENT,   OUTCOME_UNCERTAIN,
                                          OUTCOME_DRAINED, OUTCOME_ACCEPTED, OUTCOME_NEWS};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_int_equal(degrade_end_of(others[i], false, NULL, 0), CIRCUIT_UNTRIED);
}

static void an_open_breaker_refuses_at_once(void **unused)
{
    struct buf text = {0};
    open_items();
    request("PUT", "/items/1");
    assert_false(admits());
    assert_int_equal(x->answer.status, 503);
    assert_string_equal(answer_find(&x->answer, "Retry-After"), "2"); /* 1.5 s, in whole seconds */
    assert_true(body_has(&x->answer, "\\\"item\\\""));
    assert_true(body_has(&x->answer, "nothing was changed"));
    request("GET", "/items/1"); /* without a copy */
    assert_false(admits());
    assert_int_equal(x->answer.status, 503);
    request("GET", "/items"); /* a list is never copied */
    assert_false(admits());
    request("POST", "/computations"); /* another service */
    assert_true(admits());
    degrade_ended(degrade, x, OUTCOME_NONE, now);
    degrade_describe(degrade, &text);
    assert_slice(buf_slice(&text), "\"services\":{\"item\":{\"breaker\":\"open\"},\"compute\":{\"breaker\":\"closed\"}}");
    buf_done(&text);
    assert_int_equal(stats.breaker_opened, 1);
}

static void reads_are_answered_from_the_copy(void **unused)
{
    event("1", 7, true, false, 0);
    open_items();
    request("GET", "/items/1");
    assert_false(admits());
    assert_int_equal(x->answer.status, 200);
    assert_slice(answer_body(&x->answer), "{\"id\":1}");
    assert_string_equal(answer_find(&x->answer, "ETag"), "\"7\"");
    assert_string_equal(answer_find(&x->answer, "Age"), "5");
    assert_string_equal(answer_find(&x->answer, "Content-Type"), "application/json");
    assert_string_equal(answer_find(&x->answer, "Cache-Control"), "no-store");
    assert_non_null(answer_find(&x->answer, "Warning"));
    request("GET", "/items/1");
    add_header(&x->req, "If-None-Match", "\"7\"");
    assert_false(admits());
    assert_int_equal(x->answer.status, 200); /* nothing can be validated */
    assert_slice(answer_body(&x->answer), "{\"id\":1}");
    request("GET", "/items/1");
    add_header(&x->req, "Cache-Control", "max-age=4");
    assert_false(admits());
    assert_int_equal(x->answer.status, 503);
    request("PUT", "/items/1"); /* never for writes */
    assert_false(admits());
    assert_int_equal(x->answer.status, 503);
    event("1", 8, false, true, 0); /* deleted */
    request("GET", "/items/1");
    assert_false(admits());
    assert_int_equal(x->answer.status, 503);
}

static void what_was_read_at_the_start_is_as_old_as_it_says(void **unused)
{
    event("1", 7, true, true, 60000);
    event("2", 1, true, true, 90000);
    open_items();
    request("GET", "/items/2");
    assert_false(admits());
    assert_string_equal(answer_find(&x->answer, "Age"), "65");
}

static void a_read_that_probes_is_rescued_by_the_copy(void **unused)
{
    event("1", 7, true, false, 0);
    open_items();
    now += 1500 * MS;
    request("GET", "/items/1");
    assert_true(admits());
    assert_true(x->call.probe);
    assert_int_equal(x->wait_ms, 2000); /* it need not wait for longer */
    x->outcome = OUTCOME_DEADLINE;
    now += 2 * S;
    degrade_ended(degrade, x, x->outcome, now);
    assert_true(degrade_rescues(degrade, x, now));
    assert_int_equal(x->answer.status, 200);
    request("GET", "/items/1");
    assert_false(admits()); /* open again */
    now += 3 * S;
    request("GET", "/items/1");
    assert_true(admits());
    reply_with(503);
    assert_true(degrade_rescues(degrade, x, now));
    now += 6 * S;
    request("GET", "/items/1");
    assert_true(admits());
    reply_with(200);
    assert_false(degrade_rescues(degrade, x, now)); /* that is the answer */
    request("GET", "/items/2");
    assert_true(admits());
    assert_int_equal(x->wait_ms, 5000); /* there is no other answer */
    x->outcome = OUTCOME_DEADLINE;
    degrade_ended(degrade, x, x->outcome, now + 5 * S);
    assert_false(degrade_rescues(degrade, x, now));
}

static void while_it_is_closed_a_failed_read_is_told_so(void **unused)
{
    event("1", 7, true, false, 0);
    request("GET", "/items/1");
    assert_true(admits());
    x->outcome = OUTCOME_DEADLINE;
    degrade_ended(degrade, x, x->outcome, now + 5 * S);
    assert_false(degrade_rescues(degrade, x, now));
}

static void an_end_counts_once(void **unused)
{
    request("PUT", "/items/1");
    assert_true(admits());
    for (int i = 0; i < 10; i++) /* what it asks after the first is no call of its own */
        degrade_ended(degrade, x, OUTCOME_DEADLINE, now + 5 * S);
    request("PUT", "/items/1");
    assert_true(admits());
}

/* A worker that comes back claims its partitions some time before it answers. */
static void claims_and_repairs_are_none(void **unused)
{
    static struct headers headers;
    struct record rec = {.topic = "item.events", .key = SLICE("__claim/b"), .value = SLICE("")};
    struct event repair = {.type = SLICE("roundtrip.repaired"), .status = 200, .claim = SLICE("b"), .version = 1, .exists = true};
    open_items();
    degrade_saw_event(degrade, "item", &rec, false, now, 1000000);
    envelope_encode_event(&repair, &headers);
    rec = (struct record){
        .topic = "item.events", .offset = 1, .key = SLICE("1"), .value = SLICE("{}"), .headers = headers.list, .header_count = headers.count};
    degrade_saw_event(degrade, "item", &rec, false, now, 1000000);
    request("PUT", "/items/1");
    assert_false(admits());
    event("1", 7, true, false, 0); /* may have been written before the pause: it waits that long for its fetch */
    request("PUT", "/items/1");
    assert_false(admits());
    now += READER_UNHURRIED_MS * CLOCK_NS_PER_MS;
    event("1", 8, true, false, 0);
    request("PUT", "/items/1");
    assert_true(admits());
}

static void replies_of_any_service_are_signs_of_its_life(void **unused)
{
    const struct header item = {"ce_type", SLICE("item.get.reply")}, other = {"ce_type", SLICE("compute.get.reply")},
                        foreign = {"ce_type", SLICE("nonsense")};
    struct record rec = {.topic = "replies", .headers = &other, .header_count = 1};
    open_items();
    degrade_saw_reply(degrade, &rec, now);
    rec.headers = &foreign;
    degrade_saw_reply(degrade, &rec, now);
    rec.header_count = 0;
    degrade_saw_reply(degrade, &rec, now);
    request("PUT", "/items/1");
    assert_false(admits());
    rec = (struct record){.topic = "replies", .headers = &item, .header_count = 1};
    degrade_saw_reply(degrade, &rec, now);
    request("PUT", "/items/1");
    assert_true(admits()); /* its pause is over */
    assert_true(x->call.probe);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(how_waits_end),
        TEST(an_open_breaker_refuses_at_once),
        TEST(reads_are_answered_from_the_copy),
        TEST(what_was_read_at_the_start_is_as_old_as_it_says),
        TEST(a_read_that_probes_is_rescued_by_the_copy),
        TEST(while_it_is_closed_a_failed_read_is_told_so),
        TEST(an_end_counts_once),
        TEST(claims_and_repairs_are_none),
        TEST(replies_of_any_service_are_signs_of_its_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
