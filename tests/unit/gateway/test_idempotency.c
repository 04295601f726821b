/* SPDX-License-Identifier: Apache-2.0 */
/* The key index: one entity a key, bounded, forgotten after the window; running ones are never forgotten. */
#include "idempotency.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "support.h"

#define WINDOW  1000
#define KEY     SLICE("idem:POST:/items:k")
#define ONE     SLICE("1")
#define TWO     SLICE("2")
#define ENTERED IDEMPOTENCY_ENTERED
#define OTHER   IDEMPOTENCY_OTHER

static struct idempotency *keys;

static int setup(void **unused)
{
    const struct idempotency_options options = {2, 2, WINDOW, 7};
    return idempotency_new(&options, &keys);
}

static int teardown(void **unused)
{
    idempotency_free(keys);
    return 0;
}

static enum idempotency_verdict enter(struct slice id, struct slice entity)
{
    return idempotency_enter(keys, id, entity, true, 100);
}

static void an_outcome_that_binds_keeps_the_key(void **unused)
{
    assert_int_equal(enter(KEY, ONE), ENTERED);
    idempotency_leave(keys, KEY, true, 100);
    assert_int_equal(enter(KEY, TWO), OTHER);
    assert_int_equal(enter(KEY, ONE), ENTERED);
    idempotency_leave(keys, KEY, false, 100); /* the repetition got no answer: still bound */
    assert_int_equal(enter(KEY, TWO), OTHER);
    assert_int_equal(enter(SLICE("idem:POST:/items:l"), TWO), ENTERED);
}

static void an_outcome_that_does_not_bind_frees_it(void **unused)
{
    assert_int_equal(enter(KEY, ONE), ENTERED);
    idempotency_leave(keys, KEY, false, 100);
    assert_int_equal(idempotency_count(keys), 0);
    assert_int_equal(enter(KEY, TWO), ENTERED);
}

static void its_event_binds_it_all_the_same(void **unused)
{
    assert_int_equal(enter(KEY, ONE), ENTERED);
    idempotency_bind(keys, KEY, ONE, 100, 100); /* before the answer, which never comes */
    idempotency_leave(keys, KEY, false, 100);
    assert_int_equal(enter(KEY, TWO), OTHER);
}

static void while_one_runs_another_entity_is_refused(void **unused)
{
    assert_int_equal(enter(KEY, ONE), ENTERED);
    assert_int_equal(enter(KEY, TWO), OTHER);
    assert_int_equal(enter(KEY, ONE), ENTERED);
    idempotency_leave(keys, KEY, false, 100);
    assert_int_equal(enter(KEY, TWO), OTHER); /* the second still runs */
    idempotency_leave(keys, KEY, false, 100);
    assert_int_equal(enter(KEY, TWO), ENTERED);
}

static void one_who_does_not_wait_is_told(void **unused)
{
    assert_int_equal(idempotency_enter(keys, KEY, ONE, false, 100), ENTERED); /* the first: nothing runs */
    assert_int_equal(idempotency_enter(keys, KEY, ONE, false, 100), IDEMPOTENCY_RUNNING);
    assert_int_equal(idempotency_enter(keys, KEY, TWO, false, 100), OTHER);
    idempotency_leave(keys, KEY, true, 100);
    assert_int_equal(idempotency_enter(keys, KEY, ONE, false, 100), ENTERED);
}

static void after_the_window_it_is_free(void **unused)
{
    idempotency_bind(keys, KEY, ONE, 100, 150);
    assert_int_equal(idempotency_enter(keys, KEY, TWO, true, 100 + WINDOW - 1), OTHER);
    assert_int_equal(idempotency_enter(keys, KEY, TWO, true, 100 + WINDOW), ENTERED);
    idempotency_leave(keys, KEY, true, 100 + WINDOW);
    assert_int_equal(idempotency_enter(keys, KEY, ONE, true, 100 + WINDOW), OTHER);
}

static void an_event_older_than_the_window_does_not_count(void **unused)
{
    idempotency_bind(keys, KEY, ONE, 100, 100 + WINDOW);
    assert_int_equal(idempotency_count(keys), 0);
}

static void a_clock_that_is_ahead_does_not_bind_longer(void **unused)
{
    idempotency_bind(keys, KEY, ONE, 100 + 50 * WINDOW, 100);
    assert_int_equal(idempotency_enter(keys, KEY, TWO, true, 100 + WINDOW), ENTERED);
}

static void which_answers_bind(void **unused)
{
    static const int yes[] = {200, 204, 400, 404, 412, 413}, no[] = {0, 422, 500, 503, 504};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        assert_true(idempotency_status_binds(yes[i]));
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        assert_false(idempotency_status_binds(no[i]));
}

static void a_repetition_does_not_bind_longer(void **unused)
{
    idempotency_bind(keys, KEY, ONE, 100, 100);
    assert_int_equal(idempotency_enter(keys, KEY, ONE, true, 600), ENTERED);
    idempotency_leave(keys, KEY, true, 600);
    assert_int_equal(idempotency_enter(keys, KEY, TWO, true, 100 + WINDOW), ENTERED);
}

static void what_was_bound_first_stays(void **unused)
{
    idempotency_bind(keys, KEY, ONE, 100, 100);
    idempotency_bind(keys, KEY, TWO, 101, 101);
    assert_int_equal(enter(KEY, TWO), OTHER);
    assert_int_equal(enter(KEY, ONE), ENTERED);
}

static void bind_number(int number)
{
    char id[32];
    int n = snprintf(id, sizeof(id), "id-%d", number);
    idempotency_bind(keys, slice_make(id, (size_t)n), ONE, 100, 100);
}

static bool knows(int number)
{
    char id[32];
    int n = snprintf(id, sizeof(id), "id-%d", number);
    struct slice s = slice_make(id, (size_t)n);
    enum idempotency_verdict verdict = enter(s, TWO);
    if (verdict == ENTERED)
        idempotency_leave(keys, s, false, 100);
    return verdict == OTHER;
}

static void the_longest_unused_gives_way_and_running_ones_never(void **unused)
{
    assert_int_equal(enter(SLICE("id-0"), ONE), ENTERED);
    for (int i = 1; i <= 3; i++)
        bind_number(i);
    bind_number(1); /* seen again: now 2 is the oldest */
    bind_number(4);
    assert_int_equal(idempotency_count(keys), 4);
    assert_true(knows(0));
    assert_true(knows(1));
    assert_true(knows(3));
    assert_true(knows(4));
    assert_false(knows(2)); /* last: asking takes the place of the oldest */
}

static void when_all_run_there_is_no_room(void **unused)
{
    static const char *const ids[] = {"a", "b", "c", "d"};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(enter(slice_of(ids[i]), ONE), ENTERED);
    assert_int_equal(enter(SLICE("e"), ONE), IDEMPOTENCY_FULL);
    idempotency_bind(keys, SLICE("e"), ONE, 100, 100); /* nothing to remember it in */
    assert_int_equal(enter(SLICE("a"), ONE), ENTERED);
    for (size_t i = 0; i < 4; i++)
        idempotency_leave(keys, slice_of(ids[i]), false, 100);
    assert_int_equal(idempotency_count(keys), 1);
    assert_int_equal(enter(SLICE("e"), ONE), ENTERED);
}

/* Against a model: ids and entities by chance, everything else follows from what was done. */
static void by_chance_it_never_forgets_what_runs(void **unused)
{
    const struct idempotency_options options = {16, 8, WINDOW, 7};
    struct idempotency *index;
    int running[64] = {0}, entity[64] = {0}, total = 0;
    unsigned seed = 1;
    assert_int_equal(idempotency_new(&options, &index), 0);
    for (int step = 0; step < 200000; step++) {
        int i = (int)(seed = seed * 1103515245U + 12345U) >> 8 & 63, e = (int)(seed >> 20 & 1);
        char id[2] = {'k', (char)('0' + i)};
        struct slice s = slice_make(id, 2), which = e ? TWO : ONE;
        int action = (int)(seed >> 24 & 3);
        if (action == 0 && running[i]) {
            idempotency_leave(index, s, seed >> 28 & 1, step);
            running[i]--;
            total--;
        } else if (action == 1) {
            idempotency_bind(index, s, which, step, step);
        } else if (total < 8) {
            enum idempotency_verdict verdict = idempotency_enter(index, s, which, true, step);
            assert_int_not_equal(verdict, IDEMPOTENCY_FULL);
            if (running[i] && entity[i] != e)
                assert_int_equal(verdict, OTHER);
            if (verdict == ENTERED) {
                running[i]++;
                total++;
                entity[i] = e;
            }
        }
        assert_in_range(idempotency_count(index), 0, 24);
    }
    idempotency_free(index);
}

static _Atomic int inside, together;

/* Nobody waits, so there is one at a time; each goes on until it had its share. */
static void *hammer(void *arg)
{
    for (int wins = 0; wins < 2000;) {
        if (idempotency_enter(keys, KEY, slice_of(arg), false, 100) != ENTERED) {
            sched_yield();
            continue;
        }
        together += inside++ != 0;
        inside--;
        idempotency_leave(keys, KEY, false, 100);
        wins++;
    }
    return NULL;
}

static void threads_agree(void **unused)
{
    static char one[] = "1", two[] = "2";
    char *const entities[] = {one, two, one};
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, entities[i]), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(together, 0);
    assert_int_equal(idempotency_count(keys), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_outcome_that_binds_keeps_the_key),
        TEST(an_outcome_that_does_not_bind_frees_it),
        TEST(its_event_binds_it_all_the_same),
        TEST(while_one_runs_another_entity_is_refused),
        TEST(one_who_does_not_wait_is_told),
        TEST(after_the_window_it_is_free),
        TEST(an_event_older_than_the_window_does_not_count),
        TEST(a_clock_that_is_ahead_does_not_bind_longer),
        TEST(which_answers_bind),
        TEST(a_repetition_does_not_bind_longer),
        TEST(what_was_bound_first_stays),
        TEST(the_longest_unused_gives_way_and_running_ones_never),
        TEST(when_all_run_there_is_no_room),
        TEST(by_chance_it_never_forgets_what_runs),
        TEST(threads_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
