/* SPDX-License-Identifier: Apache-2.0 */
/* When streams ask, how often all of them together, and what they tell. */
#include "stream.h"

#include "clock.h"
#include "support.h"

#define SECOND (1000 * CLOCK_NS_PER_MS)
#define MANY   5000

static const struct received pending = {.status = 202, .body = SLICE("{\"state\":\"pending\"}")},
                             running = {.status = 202, .body = SLICE("{\"state\":\"running\",\"progress\":0.2000}")},
                             further = {.status = 202, .body = SLICE("{\"state\":\"running\",\"progress\":0.3000}")},
                             over = {.status = 200, .body = SLICE("{\"state\":\"succeeded\"}")},
                             unknown = {.status = 404, .body = SLICE("{}")}, expired = {.status = 504, .body = SLICE("{}")};

static struct stream_pace pace;
static struct stream stream;
static int64_t until_ns;

static int begin(void **unused)
{
    pace = (struct stream_pace){.interval_ns = SECOND};
    stream = (struct stream){0};
    stream_begin(&stream, &pace, &running, 0);
    return 0;
}

static int end(void **unused)
{
    stream_end(&stream, &pace);
    stream_end(&stream, &pace);
    return atomic_load(&pace.streams) == 0 ? 0 : -1;
}

static void one_asks_once_in_an_interval(void **unused)
{
    assert_false(stream_asks(&stream, &pace, 0, &until_ns));
    assert_int_equal(until_ns, SECOND);
    assert_false(stream_asks(&stream, &pace, SECOND - 1, &until_ns)); /* woken for another reason: its turn stays */
    assert_int_equal(until_ns, SECOND);
    assert_int_equal(stream_take(&stream, OUTCOME_DEADLINE, NULL, SECOND), STREAM_QUIET);
    assert_true(stream_asks(&stream, &pace, SECOND, &until_ns));
    assert_int_equal(stream_take(&stream, OUTCOME_REPLIED, &further, SECOND + 5), STREAM_EVENT);
    assert_false(stream_asks(&stream, &pace, SECOND + 5, &until_ns));
    assert_int_equal(until_ns, 2 * SECOND + 5);
}

static void the_same_is_not_told_twice(void **unused)
{
    assert_int_equal(stream_take(&stream, OUTCOME_REPLIED, &running, SECOND), STREAM_QUIET);
    assert_int_equal(stream_take(&stream, OUTCOME_REPLIED, &further, SECOND), STREAM_EVENT);
    assert_int_equal(stream_take(&stream, OUTCOME_REPLIED, &further, SECOND), STREAM_QUIET);
    assert_int_equal(stream_take(&stream, OUTCOME_REPLIED, &over, SECOND), STREAM_EVENT);
    assert_int_equal(stream_take(&stream, OUTCOME_REPLIED, &unknown, SECOND), STREAM_OVER);
}

/* Its client may have left: a comment tells, however short the silence was. */
static void a_nudge_says_something(void **unused)
{
    assert_int_equal(stream_take(&stream, OUTCOME_NUDGED, NULL, 1), STREAM_COMMENT);
    assert_int_equal(stream_take(&stream, OUTCOME_DEADLINE, NULL, STREAM_SILENCE_NS), STREAM_QUIET); /* it counts as spoken */
}

/* What changes nothing still shows that somebody is there. */
static void silence_has_an_end(void **unused)
{
    for (int second = 1; second < 15; second++) {
        assert_false(stream_asks(&stream, &pace, second * SECOND - SECOND, &until_ns));
        assert_true(stream_asks(&stream, &pace, second * SECOND, &until_ns));
        assert_int_equal(stream_take(&stream, OUTCOME_REPLIED, &running, second * SECOND), STREAM_QUIET);
    }
    assert_int_equal(stream_take(&stream, OUTCOME_REPLIED, &running, 15 * SECOND), STREAM_COMMENT);
    assert_int_equal(stream_take(&stream, OUTCOME_REPLIED, &running, 16 * SECOND), STREAM_QUIET);
    assert_int_equal(stream_take(&stream, OUTCOME_DEADLINE, NULL, 30 * SECOND), STREAM_COMMENT);
}

static void what_has_not_begun_is_asked_about_when_it_was_silent(void **unused)
{
    assert_int_equal(stream_take(&stream, OUTCOME_REPLIED, &pending, 0), STREAM_EVENT);
    assert_false(stream_asks(&stream, &pace, 0, &until_ns));
    assert_int_equal(until_ns, STREAM_SILENCE_NS);
    assert_true(stream_asks(&stream, &pace, STREAM_SILENCE_NS, &until_ns));
    assert_int_equal(stream_take(&stream, OUTCOME_REPLIED, &pending, STREAM_SILENCE_NS), STREAM_COMMENT);
}

static void a_decision_is_asked_for_until_it_is_known(void **unused)
{
    assert_int_equal(stream_take(&stream, OUTCOME_NEWS, NULL, SECOND), STREAM_QUIET);
    assert_true(stream_asks(&stream, &pace, SECOND, &until_ns));
    assert_int_equal(stream_take(&stream, OUTCOME_DEADLINE, NULL, 5 * SECOND), STREAM_QUIET); /* no answer */
    assert_true(stream_asks(&stream, &pace, 5 * SECOND, &until_ns));
    assert_int_equal(stream_take(&stream, OUTCOME_REPLIED, &over, 5 * SECOND), STREAM_EVENT);
    stream.about = STREAM_DECIDED;
    assert_int_equal(stream_take(&stream, OUTCOME_UNSENT, NULL, 6 * SECOND), STREAM_OVER);
    assert_int_equal(stream_take(&stream, OUTCOME_REPLIED, &expired, 6 * SECOND), STREAM_OVER);
}

/* Nothing is lost by a question about progress that nobody answers. */
static void a_question_in_vain_is_asked_again_later(void **unused)
{
    static const enum outcome in_vain[] = {OUTCOME_DEADLINE, OUTCOME_UNSENT, OUTCOME_UNCERTAIN, OUTCOME_REPLIED};
    int64_t now_ns = 0;
    for (size_t i = 0; i < 4; i++) {
        assert_false(stream_asks(&stream, &pace, now_ns, &until_ns));
        assert_int_equal(until_ns, now_ns + SECOND);
        now_ns = until_ns;
        assert_true(stream_asks(&stream, &pace, now_ns, &until_ns));
        assert_int_equal(stream_take(&stream, in_vain[i], &expired, now_ns), STREAM_QUIET);
    }
    assert_int_equal(stream_take(&stream, OUTCOME_DRAINED, NULL, now_ns), STREAM_OVER);
    assert_int_equal(stream_take(&stream, OUTCOME_NONE, NULL, now_ns), STREAM_OVER); /* no room to wait */
}

/* Its turn to ask how far it is lies ahead: that does not delay the end. */
static void the_end_is_asked_for_at_once(void **unused)
{
    assert_false(stream_asks(&stream, &pace, 0, &until_ns));
    assert_int_equal(until_ns, SECOND);
    int64_t now_ns = SECOND / 2;
    assert_int_equal(stream_take(&stream, OUTCOME_NEWS, NULL, now_ns), STREAM_QUIET);
    assert_int_equal(stream_take(&stream, OUTCOME_NEWS, NULL, now_ns), STREAM_QUIET);
    assert_true(stream_asks(&stream, &pace, now_ns, &until_ns));
    assert_int_equal(stream_take(&stream, OUTCOME_REPLIED, &running, now_ns), STREAM_QUIET); /* what had ended was void */
    assert_false(stream_asks(&stream, &pace, now_ns, &until_ns));
    assert_true(until_ns >= now_ns + SECOND);
}

static struct stream many[MANY];

/* All learn of the end at one time: none waits for long, and they do not come all at one time. */
static void the_end_of_one_for_many(void **unused)
{
    int64_t latest_ns = 0;
    for (int i = 0; i < MANY; i++) {
        stream_begin(&many[i], &pace, &running, 0);
        assert_int_equal(stream_take(&many[i], OUTCOME_NEWS, NULL, SECOND), STREAM_QUIET);
        if (i > 0)
            assert_false(stream_asks(&many[i], &pace, SECOND, &until_ns));
        else
            assert_true(stream_asks(&many[i], &pace, SECOND, &until_ns));
        assert_true(i == 0 || until_ns - latest_ns == SECOND / STREAM_LAST_QUESTIONS);
        latest_ns = i == 0 ? SECOND : until_ns;
    }
    assert_true(latest_ns < SECOND + SECOND * MANY / STREAM_LAST_QUESTIONS);
    assert_true(stream_asks(&many[MANY - 1], &pace, latest_ns, &until_ns));
    for (int i = 0; i < MANY; i++)
        stream_end(&many[i], &pace);
}

/* The most questions in any second, and the longest time a stream had to wait for its turn. */
static void run(int count, int seconds, int *ret_most, int64_t *ret_longest_ns)
{
    static int asked[100];
    static int64_t since_ns[MANY];
    memset(asked, 0, sizeof(asked));
    *ret_most = 0;
    *ret_longest_ns = 0;
    for (int i = 0; i < count; i++) /* all at once */
        stream_begin(&many[i], &pace, &running, since_ns[i] = 0);
    for (int64_t now_ns = 0; now_ns < seconds * SECOND; now_ns += CLOCK_NS_PER_MS) {
        for (int i = 0; i < count; i++) {
            if (now_ns < many[i].turn_ns || !stream_asks(&many[i], &pace, now_ns, &until_ns))
                continue;
            asked[now_ns / SECOND]++;
            if (now_ns - since_ns[i] > *ret_longest_ns)
                *ret_longest_ns = now_ns - since_ns[i];
            since_ns[i] = now_ns;
            enum stream_step step = stream_take(&many[i], OUTCOME_REPLIED, &running, now_ns);
            assert_true(step == STREAM_QUIET || step == STREAM_COMMENT);
        }
    }
    for (int i = 0; i < count; i++)
        stream_end(&many[i], &pace);
    for (int i = 0; i < seconds; i++)
        *ret_most = asked[i] > *ret_most ? asked[i] : *ret_most;
}

static void many_take_turns(void **unused)
{
    int most;
    int64_t longest_ns;
    run(100, 10, &most, &longest_ns); /* few enough: each in its interval */
    assert_true(most <= 100);
    assert_true(longest_ns <= SECOND + SECOND / 4);
    atomic_store(&pace.last_ns[1], 1000 * SECOND); /* turns of others that have gone */
    run(MANY, 40, &most, &longest_ns);
    assert_true(most > STREAM_QUESTIONS * 9 / 10 && most <= STREAM_QUESTIONS + 1);
    assert_true(longest_ns <= (int64_t)MANY / STREAM_QUESTIONS * SECOND + 2 * SECOND);
}

/* Turns of clients that came and went are nobody's. */
static void who_has_gone_is_not_waited_for(void **unused)
{
    for (int i = 0; i < 100000; i++) {
        stream_begin(&many[0], &pace, &running, 0);
        assert_false(stream_asks(&many[0], &pace, 0, &until_ns));
        stream_end(&many[0], &pace);
    }
    assert_false(stream_asks(&stream, &pace, 0, &until_ns));
    assert_true(until_ns <= SECOND + 2 * SECOND / STREAM_QUESTIONS);
    for (int i = 0; i < 1000; i++) { /* nor do those that have not begun keep others from their turns */
        stream_begin(&many[i], &pace, &pending, 0);
        assert_false(stream_asks(&many[i], &pace, 0, &until_ns));
    }
    assert_int_equal(stream_turn_ns(&pace, STREAM_RUNNING, 10 * SECOND), 11 * SECOND);
    for (int i = 0; i < 1000; i++)
        stream_end(&many[i], &pace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_asks_once_in_an_interval, begin, end),
        cmocka_unit_test_setup_teardown(the_same_is_not_told_twice, begin, end),
        cmocka_unit_test_setup_teardown(a_nudge_says_something, begin, end),
        cmocka_unit_test_setup_teardown(silence_has_an_end, begin, end),
        cmocka_unit_test_setup_teardown(what_has_not_begun_is_asked_about_when_it_was_silent, begin, end),
        cmocka_unit_test_setup_teardown(a_decision_is_asked_for_until_it_is_known, begin, end),
        cmocka_unit_test_setup_teardown(a_question_in_vain_is_asked_again_later, begin, end),
        cmocka_unit_test_setup_teardown(the_end_is_asked_for_at_once, begin, end),
        cmocka_unit_test_setup_teardown(the_end_of_one_for_many, begin, end),
        cmocka_unit_test_setup_teardown(many_take_turns, begin, end),
        cmocka_unit_test_setup_teardown(who_has_gone_is_not_waited_for, begin, end),
    };
    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
