/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the checks refuses what, and who counts as a client. */
#include "admission.h"

#include "support.h"

#define MS INT64_C(1000000)
#define S  (1000 * MS)

static struct admission admission;
static struct answer answer;
static const struct route read_row = {.method = METHOD_GET}, write_row = {.method = METHOD_POST, .write = true},
                          heavy_row = {.method = METHOD_POST, .write = true, .heavy = true};
static const struct admission_options defaults = {.places = 20, .floor = 2, .latency_target_ms = 100, .queue_percent = 50,
                                                  .repeat_percent = 10, .clients_max = 64};

static int open_one(void **unused)
{
    return admission_init(&admission, &defaults, S);
}

static int close_one(void **unused)
{
    admission_done(&admission);
    answer_done(&answer);
    return 0;
}

static bool enter(const struct route *row, const char *service, int64_t wait_ms, struct permit *ret_permit)
{
    const struct admission_request request = {.route = row, .service = service, .partition = 0, .work_ms = wait_ms};
    return admission_enter(&admission, &request, S, ret_permit, &answer);
}

static int enter_all(const struct route *row, const char *service, struct permit *permits)
{
    int n = 0;
    while (n < 100 && enter(row, service, 5000, &permits[n]))
        n++;
    return n;
}

static void leave_all(struct permit *permits, int count)
{
    for (int i = 0; i < count; i++)
        admission_leave(&permits[i], OUTCOME_DRAINED, 0, S);
}

static void reads_pass_when_writes_do_not_and_writes_when_computations_do_not(void **unused)
{
    struct permit heavy[100], writes[100], reads[100];
    int n_heavy = enter_all(&heavy_row, "compute", heavy);
    assert_int_equal(n_heavy, 10);
    assert_int_equal(answer.status, 503);
    assert_string_equal(answer_find(&answer, "Retry-After"), "1");
    int n_writes = enter_all(&write_row, "compute", writes), n_reads = enter_all(&read_row, "compute", reads);
    assert_int_equal(n_writes, 18);
    assert_int_equal(n_reads, 2);
    struct permit other;
    assert_true(enter(&write_row, "item", 5000, &other)); /* nor is another service */
    admission_withdraw(&other);
    leave_all(heavy, n_heavy);
    assert_true(enter(&heavy_row, "compute", 5000, &heavy[0]));
    leave_all(heavy, 1);
    leave_all(writes, n_writes);
    leave_all(reads, n_reads);
    assert_int_equal(limit_in_flight(&admission.services[0].quick), 0);
    admission_leave(&other, OUTCOME_REPLIED, 0, S); /* one that was withdrawn is none */
}

/* Told from the head alone: the same as is told later. */
static void a_full_service_is_known_before_the_body_is_read(void **unused)
{
    const struct route items = {.method = METHOD_POST, .service = "item", .write = true}, nobodys = {.method = METHOD_POST};
    struct permit writes[100];
    assert_false(admission_full(&admission, &items, S, &answer));
    int n = enter_all(&write_row, "item", writes);
    assert_true(admission_full(&admission, &items, S, &answer));
    assert_int_equal(answer.status, 503);
    assert_string_equal(answer_find(&answer, "Retry-After"), "1");
    assert_false(admission_full(&admission, &nobodys, S, &answer));
    leave_all(writes, 1);
    assert_false(admission_full(&admission, &items, S, &answer));
    leave_all(writes + 1, n - 1);
}

static void slow_answers_make_the_limit_smaller_and_work_does_not_count(void **unused)
{
    struct permit permit;
    int64_t now_ns = 10 * S;
    for (int i = 0; i < 40; i++) {
        permit = (struct permit){&admission.services[0], &admission.services[0].quick, now_ns - 2 * S, 0, false};
        assert_true(limit_enter(permit.limit, 1000, S));
        admission_leave(&permit, OUTCOME_REPLIED, 2990000, now_ns += S); /* it was worked on */
    }
    assert_int_equal(limit_now(&admission.services[0].quick), 20);
    for (int i = 0; i < 40; i++) {
        struct admission_service *service = &admission.services[0];
        permit = (struct permit){service, &service->quick, now_ns - 3 * S, 0, false};
        assert_true(limit_enter(permit.limit, 1000, S));
        admission_leave(&permit, OUTCOME_DEADLINE, 0, now_ns += S);
    }
    assert_true(limit_now(&admission.services[0].quick) < 20);
}

/* Requests for a partition whose worker is away: as long as it is taken over, they say nothing about how much is too much. */
static void whose_worker_is_away_is_not_overloaded(void **unused)
{
    struct admission_service *service = &admission.services[0];
    int64_t now_ns = 100 * S;
    admission_note(&admission, service->name, 0, 10, 20, true, now_ns);
    admission_note(&admission, service->name, 0, 10, 30, true, now_ns + S);
    for (int i = 0; i < 40; i++) {
        struct permit permit = {service, &service->quick, now_ns - 5 * S, 0, false};
        assert_true(limit_enter(permit.limit, 1000, now_ns));
        admission_leave(&permit, OUTCOME_DEADLINE, 0, now_ns += S);
    }
    assert_int_equal(limit_now(&service->quick), 20);
}

static void end_heavy(int64_t now_ns)
{
    struct permit permit = {.service = &admission.services[1], .limit = &admission.services[1].heavy, .began_ns = now_ns, .heavy = true};
    admission_leave(&permit, OUTCOME_REPLIED, 1000000, now_ns);
}

/* One a second gets done: the fifth in the queue is too late for who waits nine seconds, half of which may be spent waiting. */
static void computations_are_judged_by_the_share_of_their_wait_that_is_queued(void **unused)
{
    struct permit heavy[100], other;
    int n = enter_all(&heavy_row, "compute", heavy);
    assert_int_equal(n, 10);
    int64_t now_ns = 100 * S;
    for (int i = 0; i < 10; i++) {
        end_heavy(now_ns += S);
        assert_true(enter(&heavy_row, "compute", 1000000, &heavy[i]));
    }
    for (int i = 0; i < 4; i++)
        end_heavy(now_ns += S);
    assert_int_equal(limit_in_flight(&admission.services[1].heavy), 6);
    assert_false(enter(&heavy_row, "compute", 9000, &other));
    assert_int_equal(answer.status, 503);
    assert_true(enter(&heavy_row, "compute", 11000, &other));
    admission_withdraw(&other);
    end_heavy(now_ns += S);
    end_heavy(now_ns += S);
    assert_true(enter(&heavy_row, "compute", 9000, &other));
    admission_withdraw(&other);
    for (int i = 0; i < 3; i++)
        end_heavy(now_ns += S);
    assert_true(enter(&heavy_row, "compute", 1, &other)); /* two are let through whatever is known */
    admission_withdraw(&other);
    end_heavy(now_ns += S);
}

static void what_would_be_too_late_is_refused_with_an_estimate(void **unused)
{
    struct permit permit;
    for (int i = 1; i <= 10; i++) {
        admission_note(&admission, "item", 0, 100 * i, 100 * i + 2000, true, i * S); /* 20 s */
    }
    assert_false(enter(&write_row, "item", 5000, &permit));
    assert_int_equal(answer.status, 503);
    assert_string_equal(answer_find(&answer, "Retry-After"), "20");
    assert_true(enter(&write_row, "item", 30000, &permit)); /* it has the time */
    admission_withdraw(&permit);
    const struct admission_request other = {.route = &write_row, .service = "item", .partition = 1, .work_ms = 5000};
    assert_true(admission_enter(&admission, &other, S, &permit, &answer));
    admission_withdraw(&permit);
    const struct admission_request all = {.route = &read_row, .service = "item", .partition = -1, .work_ms = 5000};
    assert_false(admission_enter(&admission, &all, S, &permit, &answer)); /* a list needs each */
    admission_forget(&admission, "item");
    assert_true(enter(&write_row, "item", 5000, &permit));
    admission_withdraw(&permit);
}

static void nobody_works(void **unused)
{
    struct permit permit;
    for (int i = 1; i <= 12; i++) {
        admission_note(&admission, "item", 0, 0, 1000 * i, false, i * S);
    }
    assert_true(enter(&read_row, "item", 60000, &permit)); /* one may try */
    admission_withdraw(&permit);
    assert_false(enter(&read_row, "item", 60000, &permit));
    const struct admission_request patient = {.route = &write_row, .service = "item", .partition = 0, .work_ms = 900000};
    assert_true(admission_enter(&admission, &patient, S, &permit, &answer)); /* in a quarter of an hour somebody may */
    admission_withdraw(&permit);
    assert_string_equal(answer_find(&answer, "Retry-After"), "5");
}

static void assert_client(const char *forwarded, const char *client)
{
    struct request req = {0};
    make_request(&req, "GET", "/items/1");
    add_header(&req, "X-Forwarded-For", forwarded);
    admission.options.forwarded_hops = 1;
    struct slice found = admission_client(&admission, &req, SLICE_NONE, SLICE("abcd"));
    assert_int_equal(found.len, strlen(client));
    assert_memory_equal(found.p, client, found.len);
    request_done(&req);
}

/* One subscriber has 2^64 addresses of IPv6, and a client a new port for each connection. */
static void what_a_proxy_says_is_cut_to_one_client(void **unused)
{
    assert_client("10.0.0.1", "10.0.0.1");
    assert_client("10.0.0.1:4711", "10.0.0.1");
    assert_client("::ffff:10.0.0.1", "10.0.0.1");
    assert_client("[::ffff:10.0.0.1]:4711", "10.0.0.1");
    assert_client("2001:db8:1:2:3:4:5:6", "2001:db8:1:2:");
    assert_client("2001:db8:1:2::6", "2001:db8:1:2:");
    assert_client("[2001:db8:1:2:3:4:5:6]:4711", "2001:db8:1:2:");
    assert_client("2001:db8::6", "2001:db8::");
    assert_client("2001:db8::1:2:3:4", "2001:db8::");
    assert_client("::1", "::");
    assert_client("[::1]", "::");
    assert_client("unknown", "unknown");
    assert_client("a:b]c", "a:b");
}

static void who_asks(void **unused)
{
    struct request req = {0};
    const char v4[4] = {10, 0, 0, 1}, v6[16] = {0x20, 1, 0xd, 0xb8, 1, 2, 3, 4, 5};
    make_request(&req, "GET", "/items/1");
    assert_slice(admission_client(&admission, &req, SLICE("alice"), slice_make(v4, 4)), "alice");
    assert_ptr_equal(admission_client(&admission, &req, SLICE_NONE, slice_make(v4, 4)).p, v4);
    assert_int_equal(admission_client(&admission, &req, SLICE_NONE, slice_make(v6, 16)).len, 8);
    add_header(&req, "X-Forwarded-For", "1.1.1.1, 2.2.2.2");
    add_header(&req, "X-Forwarded-For", "3.3.3.3");
    assert_ptr_equal(admission_client(&admission, &req, SLICE_NONE, slice_make(v4, 4)).p, v4); /* anybody can write that */
    admission.options.forwarded_hops = 1;
    assert_slice(admission_client(&admission, &req, SLICE_NONE, slice_make(v4, 4)), "3.3.3.3");
    admission.options.forwarded_hops = 2;
    assert_slice(admission_client(&admission, &req, SLICE_NONE, slice_make(v4, 4)), "2.2.2.2");
    admission.options.forwarded_hops = 4;
    assert_ptr_equal(admission_client(&admission, &req, SLICE_NONE, slice_make(v4, 4)).p, v4);
    request_done(&req);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_pass_when_writes_do_not_and_writes_when_computations_do_not, open_one, close_one),
        cmocka_unit_test_setup_teardown(a_full_service_is_known_before_the_body_is_read, open_one, close_one),
        cmocka_unit_test_setup_teardown(slow_answers_make_the_limit_smaller_and_work_does_not_count, open_one, close_one),
        cmocka_unit_test_setup_teardown(whose_worker_is_away_is_not_overloaded, open_one, close_one),
        cmocka_unit_test_setup_teardown(computations_are_judged_by_the_share_of_their_wait_that_is_queued, open_one, close_one),
        cmocka_unit_test_setup_teardown(what_would_be_too_late_is_refused_with_an_estimate, open_one, close_one),
        cmocka_unit_test_setup_teardown(nobody_works, open_one, close_one),
        cmocka_unit_test_setup_teardown(who_asks, open_one, close_one),
        cmocka_unit_test_setup_teardown(what_a_proxy_says_is_cut_to_one_client, open_one, close_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
