/* SPDX-License-Identifier: Apache-2.0 */
/* When a service's circuit breaker opens, what its probes do, and what counts as a sign of life. */
#include "circuit.h"

#include "support.h"

#define MS INT64_C(1000000)
#define S  (1000 * MS)

static const struct circuit_settings settings = {.window_ns = 10 * S,
                                                 .min_calls = 10,
                                                 .failure_percent = 50,
                                                 .slow_ns = 2 * S,
                                                 .slow_percent = 80,
                                                 .pause_ns = 2 * S,
                                                 .pause_max_ns = 6 * S};
static struct circuit circuit;
static int64_t now;

static int setup(void **unused)
{
    circuit_init(&circuit);
    now = 1000 * S;
    return 0;
}

static int teardown(void **unused)
{
    circuit_done(&circuit);
    return 0;
}

static bool begin(bool heavy, struct circuit_call *call)
{
    int64_t retry_ns;
    enum circuit_change change;
    return circuit_admits(&circuit, &settings, heavy, now, call, &retry_ns, &change);
}

/* One call from its beginning to its end. */
static enum circuit_change one(bool heavy, int64_t took_ns, enum circuit_end end)
{
    struct circuit_call call;
    assert_true(begin(heavy, &call));
    now += took_ns;
    if (end == CIRCUIT_ANSWERED || end == CIRCUIT_REFUSED)
        assert_int_equal(circuit_heard(&circuit, now), CIRCUIT_SAME);
    return circuit_ended(&circuit, &settings, &call, end, now);
}

static enum circuit_change many(int count, int64_t took_ns, enum circuit_end end)
{
    enum circuit_change change = CIRCUIT_SAME;
    for (int i = 0; i < count && change == CIRCUIT_SAME; i++)
        change = one(false, took_ns, end);
    return change;
}

/* Calls that wait for the same time together. */
static enum circuit_change together(int count, bool heavy, int64_t took_ns, enum circuit_end end)
{
    struct circuit_call calls[64];
    enum circuit_change change = CIRCUIT_SAME, last = CIRCUIT_SAME;
    for (int i = 0; i < count; i++)
        assert_true(begin(heavy, &calls[i]));
    now += took_ns;
    for (int i = 0; i < count; i++) {
        change = circuit_ended(&circuit, &settings, &calls[i], end, now);
        last = change != CIRCUIT_SAME ? change : last;
    }
    return last;
}

static enum circuit_phase phase(void)
{
    return circuit_look(&circuit).phase;
}

static bool refused(int64_t *ret_retry_ns)
{
    struct circuit_call call;
    enum circuit_change change;
    return !circuit_admits(&circuit, &settings, false, now, &call, ret_retry_ns, &change);
}

static void open_by_silence(void)
{
    assert_int_equal(together(10, false, 5 * S, CIRCUIT_UNANSWERED), CIRCUIT_OPENED);
}

static void enough_failures_open_it(void **unused)
{
    int64_t retry_ns;
    assert_int_equal(many(5, MS, CIRCUIT_ANSWERED), CIRCUIT_SAME);
    assert_int_equal(many(4, MS, CIRCUIT_REFUSED), CIRCUIT_SAME);
    assert_int_equal(phase(), CIRCUIT_CLOSED);
    assert_int_equal(one(false, MS, CIRCUIT_REFUSED), CIRCUIT_OPENED); /* 5 of 10 */
    struct circuit_view view = circuit_look(&circuit);
    assert_int_equal(view.cause, CIRCUIT_BY_FAILURES);
    assert_int_equal(view.opened_by.calls, 10);
    assert_int_equal(view.opened_by.failed, 5);
    assert_false(view.silent); /* it said so itself */
    assert_true(refused(&retry_ns));
    assert_int_equal(retry_ns, 2 * S);
    now += S;
    assert_true(refused(&retry_ns));
    assert_int_equal(retry_ns, S);
}

static void fewer_than_half_do_not(void **unused)
{
    for (int i = 0; i < 40; i++) {
        assert_int_equal(one(false, MS, CIRCUIT_ANSWERED), CIRCUIT_SAME);
        assert_int_equal(one(false, MS, CIRCUIT_ANSWERED), CIRCUIT_SAME);
        assert_int_equal(one(false, MS, CIRCUIT_REFUSED), CIRCUIT_SAME);
    }
    assert_int_equal(phase(), CIRCUIT_CLOSED);
}

static void too_few_do_not(void **unused)
{
    assert_int_equal(together(9, false, 5 * S, CIRCUIT_UNANSWERED), CIRCUIT_SAME);
    assert_int_equal(phase(), CIRCUIT_CLOSED);
}

static void the_window_forgets(void **unused)
{
    assert_int_equal(many(9, MS, CIRCUIT_REFUSED), CIRCUIT_SAME);
    now += 11 * S;
    assert_int_equal(many(9, MS, CIRCUIT_REFUSED), CIRCUIT_SAME);
    now += 5 * S; /* those count still */
    assert_int_equal(one(false, MS, CIRCUIT_REFUSED), CIRCUIT_OPENED);
}

static void slow_answers_open_it(void **unused)
{
    assert_int_equal(together(2, false, MS, CIRCUIT_ANSWERED), CIRCUIT_SAME);
    assert_int_equal(together(7, false, 2 * S - 1, CIRCUIT_ANSWERED), CIRCUIT_SAME); /* not slow */
    assert_int_equal(together(20, false, 2 * S, CIRCUIT_ANSWERED), CIRCUIT_SAME);
    assert_int_equal(together(15, false, 2 * S, CIRCUIT_ANSWERED), CIRCUIT_SAME); /* 35 of 44: below 80 % */
    assert_int_equal(phase(), CIRCUIT_CLOSED);
    assert_int_equal(together(1, false, 2 * S, CIRCUIT_ANSWERED), CIRCUIT_OPENED); /* 36 of 45 */
    assert_int_equal(circuit_look(&circuit).cause, CIRCUIT_BY_SLOWNESS);
}

static void one_burst_of_late_answers_does_not(void **unused)
{
    assert_int_equal(together(60, false, 4 * S, CIRCUIT_ANSWERED), CIRCUIT_SAME); /* a takeover is over */
    now += S;
    assert_int_equal(together(1, false, 2 * S, CIRCUIT_ANSWERED), CIRCUIT_SAME);
    assert_int_equal(phase(), CIRCUIT_CLOSED);
    assert_int_equal(together(1, false, 2 * S, CIRCUIT_ANSWERED), CIRCUIT_OPENED); /* but it goes on */
}

static void what_says_nothing_does_not_count(void **unused)
{
    assert_int_equal(together(50, false, 5 * S, CIRCUIT_UNTRIED), CIRCUIT_SAME);
    assert_int_equal(together(50, false, 50 * MS, CIRCUIT_UNANSWERED), CIRCUIT_SAME); /* no fair time */
    circuit_heard(&circuit, now);
    assert_int_equal(together(9, false, 5 * S, CIRCUIT_UNANSWERED), CIRCUIT_SAME);
    assert_int_equal(phase(), CIRCUIT_CLOSED);
}

static void many_short_waits_in_a_row_are_a_fair_time(void **unused)
{
    for (int i = 0; i < 19; i++) /* the first 2 s of them do not count, then each does */
        assert_int_equal(one(false, 100 * MS, CIRCUIT_UNANSWERED), CIRCUIT_SAME);
    assert_int_equal(many(9, 100 * MS, CIRCUIT_UNANSWERED), CIRCUIT_SAME);
    assert_int_equal(one(false, 100 * MS, CIRCUIT_UNANSWERED), CIRCUIT_OPENED);
    assert_true(circuit_look(&circuit).silent);
}

static void a_sign_of_life_in_between_starts_that_anew(void **unused)
{
    for (int i = 0; i < 200; i++) {
        assert_int_equal(one(false, 100 * MS, CIRCUIT_UNANSWERED), CIRCUIT_SAME);
        if (i % 15 == 14)
            circuit_heard(&circuit, now);
    }
    assert_int_equal(phase(), CIRCUIT_CLOSED);
}

static void good_probes_one_at_a_time_close_it(void **unused)
{
    struct circuit_call probe, other;
    int64_t retry_ns;
    enum circuit_change change;
    many(10, MS, CIRCUIT_REFUSED);
    now += 2 * S;
    assert_true(circuit_admits(&circuit, &settings, false, now, &probe, &retry_ns, &change));
    assert_int_equal(change, CIRCUIT_PROBES_NOW);
    assert_true(probe.probe);
    assert_true(refused(&retry_ns)); /* one at a time */
    assert_int_equal(circuit_ended(&circuit, &settings, &probe, CIRCUIT_ANSWERED, now + MS), CIRCUIT_SAME);
    assert_true(begin(false, &other));
    assert_int_equal(circuit_ended(&circuit, &settings, &other, CIRCUIT_ANSWERED, now + MS), CIRCUIT_SAME);
    assert_true(begin(false, &other));
    assert_int_equal(circuit_ended(&circuit, &settings, &other, CIRCUIT_ANSWERED, now + MS), CIRCUIT_CLOSED_AGAIN);
    assert_true(begin(false, &probe));
    assert_true(begin(false, &other));
    assert_false(other.probe);
    assert_int_equal(many(4, MS, CIRCUIT_REFUSED), CIRCUIT_SAME); /* what was before it opened is forgotten */
}

static void a_bad_probe_opens_it_for_twice_as_long(void **unused)
{
    static const int64_t pauses[] = {2 * S, 4 * S, 6 * S, 6 * S};
    int64_t retry_ns;
    many(10, MS, CIRCUIT_REFUSED);
    for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
        assert_true(refused(&retry_ns));
        assert_int_equal(retry_ns, pauses[i]);
        now += pauses[i];
        assert_int_equal(one(false, MS, i % 2 ? CIRCUIT_ANSWERED : CIRCUIT_REFUSED), i % 2 ? CIRCUIT_SAME : CIRCUIT_OPENED);
        if (i % 2) /* a good one does not make up for it */
            assert_int_equal(one(false, 3 * S, CIRCUIT_ANSWERED), CIRCUIT_OPENED); /* too slow */
    }
    now += 6 * S;
    for (int i = 0; i < CIRCUIT_PROBES; i++)
        one(false, MS, CIRCUIT_ANSWERED);
    many(10, MS, CIRCUIT_REFUSED);
    assert_true(refused(&retry_ns));
    assert_int_equal(retry_ns, 2 * S); /* from the beginning */
}

static void a_probe_that_says_nothing_gives_its_place_to_another(void **unused)
{
    struct circuit_call call;
    int64_t retry_ns;
    many(10, MS, CIRCUIT_REFUSED);
    now += 2 * S;
    assert_int_equal(one(false, MS, CIRCUIT_UNTRIED), CIRCUIT_SAME);
    assert_true(begin(false, &call)); /* and one that never ends, when it is late */
    assert_true(refused(&retry_ns));
    assert_int_equal(retry_ns, 2 * S);
    now += 2 * S;
    assert_true(begin(false, &call));
    assert_int_equal(phase(), CIRCUIT_HALF_OPEN);
}

static void calls_of_an_earlier_phase_do_not_count(void **unused)
{
    struct circuit_call early[20];
    for (int i = 0; i < 20; i++)
        assert_true(begin(false, &early[i]));
    many(10, MS, CIRCUIT_REFUSED);
    for (int i = 0; i < 10; i++)
        assert_int_equal(circuit_ended(&circuit, &settings, &early[i], CIRCUIT_ANSWERED, now), CIRCUIT_SAME);
    assert_int_equal(phase(), CIRCUIT_OPEN);
    now += 2 * S;
    for (int i = 0; i < CIRCUIT_PROBES; i++)
        one(false, MS, CIRCUIT_ANSWERED);
    assert_int_equal(phase(), CIRCUIT_CLOSED);
    for (int i = 10; i < 20; i++)
        assert_int_equal(circuit_ended(&circuit, &settings, &early[i], CIRCUIT_UNANSWERED, now), CIRCUIT_SAME);
    assert_int_equal(phase(), CIRCUIT_CLOSED);
}

static void a_sign_of_life_ends_the_pause_of_a_silent_service(void **unused)
{
    int64_t retry_ns;
    open_by_silence();
    assert_true(circuit_look(&circuit).silent);
    now += MS;
    assert_true(refused(&retry_ns));
    assert_int_equal(circuit_heard(&circuit, now), CIRCUIT_HASTENED);
    assert_int_equal(circuit_heard(&circuit, now), CIRCUIT_SAME);
    assert_int_equal(one(false, 3 * S, CIRCUIT_ANSWERED), CIRCUIT_OPENED); /* not silent now, but slow */
    assert_int_equal(circuit_heard(&circuit, now), CIRCUIT_SAME);
    assert_true(refused(&retry_ns));
    assert_int_equal(retry_ns, 4 * S);
}

static void an_old_sign_of_life_says_nothing_of_what_began_since(void **unused)
{
    int64_t before = now - 1;
    open_by_silence();
    now += MS;
    assert_int_equal(circuit_heard(&circuit, before), CIRCUIT_SAME);
    assert_true(circuit_look(&circuit).silent);
    assert_int_equal(circuit_heard(&circuit, now), CIRCUIT_HASTENED);
}

static void but_not_of_one_that_fails_aloud(void **unused)
{
    many(10, MS, CIRCUIT_REFUSED);
    assert_int_equal(circuit_heard(&circuit, now), CIRCUIT_SAME);
    assert_int_equal(phase(), CIRCUIT_OPEN);
}

static void heavy_calls_owe_a_sign_of_life_only(void **unused)
{
    assert_int_equal(together(30, true, 60 * S, CIRCUIT_ANSWERED), CIRCUIT_SAME); /* long is not slow */
    struct circuit_call calls[30];
    for (int i = 0; i < 30; i++)
        assert_true(begin(true, &calls[i]));
    circuit_heard(&circuit, now + 4 * S);
    now += 5 * S;
    for (int i = 0; i < 30; i++)
        assert_int_equal(circuit_ended(&circuit, &settings, &calls[i], CIRCUIT_UNANSWERED, now), CIRCUIT_SAME);
    now += 5 * S;
    assert_true(begin(true, &calls[0]));
    assert_int_equal(phase(), CIRCUIT_CLOSED);
}

static void a_doubt_counts_when_nothing_is_heard_after_it(void **unused)
{
    struct circuit_call call;
    int64_t retry_ns;
    enum circuit_change change;
    assert_int_equal(together(30, true, 5 * S, CIRCUIT_UNANSWERED), CIRCUIT_SAME);
    circuit_heard(&circuit, now + S); /* "the deadline has passed" */
    now += 3 * S;
    assert_true(begin(true, &call));
    assert_int_equal(together(30, true, 5 * S, CIRCUIT_UNANSWERED), CIRCUIT_SAME);
    now += 2 * S;
    assert_false(circuit_admits(&circuit, &settings, true, now, &call, &retry_ns, &change));
    assert_int_equal(change, CIRCUIT_OPENED);
    assert_true(circuit_look(&circuit).silent);
    assert_int_equal(circuit_heard(&circuit, now + MS), CIRCUIT_HASTENED);
}

static void without_a_window_it_never_opens(void **unused)
{
    const struct circuit_settings off = {.min_calls = 1, .failure_percent = 1};
    struct circuit_call call;
    int64_t retry_ns;
    enum circuit_change change;
    for (int i = 0; i < 100; i++) {
        assert_true(circuit_admits(&circuit, &off, false, now, &call, &retry_ns, &change));
        now += 10 * S;
        assert_int_equal(circuit_ended(&circuit, &off, &call, CIRCUIT_UNANSWERED, now), CIRCUIT_SAME);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(enough_failures_open_it),
        TEST(fewer_than_half_do_not),
        TEST(too_few_do_not),
        TEST(the_window_forgets),
        TEST(slow_answers_open_it),
        TEST(one_burst_of_late_answers_does_not),
        TEST(what_says_nothing_does_not_count),
        TEST(many_short_waits_in_a_row_are_a_fair_time),
        TEST(a_sign_of_life_in_between_starts_that_anew),
        TEST(good_probes_one_at_a_time_close_it),
        TEST(a_bad_probe_opens_it_for_twice_as_long),
        TEST(a_probe_that_says_nothing_gives_its_place_to_another),
        TEST(calls_of_an_earlier_phase_do_not_count),
        TEST(a_sign_of_life_ends_the_pause_of_a_silent_service),
        TEST(an_old_sign_of_life_says_nothing_of_what_began_since),
        TEST(but_not_of_one_that_fails_aloud),
        TEST(heavy_calls_owe_a_sign_of_life_only),
        TEST(a_doubt_counts_when_nothing_is_heard_after_it),
        TEST(without_a_window_it_never_opens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
