/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits for which command, and that no news is missed. */
#include "watch.h"

#include "support.h"

static struct pending *pending;
static struct watch *watch;
static int owner;

static int open_both(void **unused)
{
    return pending_new(4, 1, &pending) == 0 && watch_new(pending, 3, &watch) == 0 ? 0 : -1;
}

static int close_both(void **unused)
{
    enum outcome why;
    while (pending_expire(pending, INT64_MAX, &why))
        ;
    watch_free(watch);
    pending_free(pending);
    return 0;
}

static struct ticket park(watch_id id)
{
    struct ticket ticket;
    assert_int_equal(pending_open(pending, &owner, 1, 1000, PENDING_NEVER, &ticket), 0);
    watch_park(watch, id, ticket);
    return ticket;
}

static bool ended(void)
{
    enum outcome why;
    void *found = pending_expire(pending, 0, &why);
    assert_true(!found || why == OUTCOME_NEWS);
    return found != NULL;
}

static void parked_then_decided(void **unused)
{
    watch_id id = watch_enter(watch, SLICE("a"));
    park(id);
    watch_fire(watch, SLICE("b"));
    assert_false(ended());
    watch_fire(watch, SLICE("a"));
    assert_true(ended());
    park(id); /* one decision is told once */
    assert_false(ended());
    watch_leave(watch, id);
}

/* Its time was over when the news came: it must not be lost. */
static void decided_between_two_waits(void **unused)
{
    enum outcome why;
    watch_id id = watch_enter(watch, SLICE("a"));
    park(id);
    assert_ptr_equal(pending_expire(pending, 1000, &why), &owner);
    assert_int_equal(why, OUTCOME_DEADLINE);
    watch_fire(watch, SLICE("a"));
    assert_false(ended());
    park(id);
    assert_true(ended());
    park(id);
    assert_false(ended());
    watch_leave(watch, id);
}

static void decided_before_it_is_parked(void **unused)
{
    watch_id id = watch_enter(watch, SLICE("a"));
    watch_fire(watch, SLICE("a"));
    watch_fire(watch, SLICE("a"));
    park(id);
    assert_true(ended());
    watch_leave(watch, id);
}

static void several_watch_one(void **unused)
{
    watch_id one = watch_enter(watch, SLICE("a")), two = watch_enter(watch, SLICE("a")), other = watch_enter(watch, SLICE("b"));
    park(one);
    park(two);
    park(other);
    watch_fire(watch, SLICE("a"));
    assert_true(ended());
    assert_true(ended());
    assert_false(ended());
    watch_leave(watch, two);
    watch_leave(watch, other);
    watch_leave(watch, one);
    watch_fire(watch, SLICE("a"));
    assert_false(ended());
}

static void as_many_as_there_is_room_for(void **unused)
{
    watch_id ids[3];
    for (int i = 0; i < 3; i++)
        assert_int_not_equal(ids[i] = watch_enter(watch, SLICE("a")), 0);
    assert_int_equal(watch_enter(watch, SLICE("a")), 0);
    watch_leave(watch, 0);
    watch_leave(watch, ids[1]);
    assert_int_equal(watch_enter(watch, SLICE("b")), ids[1]);
    for (int i = 0; i < 3; i++)
        watch_leave(watch, ids[i]);
}

static void one_that_has_ended_by_itself_is_let_be(void **unused)
{
    enum outcome why;
    watch_id id = watch_enter(watch, SLICE("a"));
    park(id);
    assert_non_null(pending_expire(pending, 1000, &why));
    assert_int_equal(why, OUTCOME_DEADLINE);
    watch_fire(watch, SLICE("a"));
    assert_false(ended());
    watch_leave(watch, id);
}

static void nobody_waits_any_more(void **unused)
{
    enum outcome why;
    watch_id parked = watch_enter(watch, SLICE("a")), late = watch_enter(watch, SLICE("a")), fired = watch_enter(watch, SLICE("b"));
    park(parked);
    watch_close(watch);
    assert_non_null(pending_expire(pending, 0, &why));
    assert_int_equal(why, OUTCOME_DRAINED);
    assert_null(pending_expire(pending, 0, &why));
    park(late);
    assert_non_null(pending_expire(pending, 0, &why));
    assert_int_equal(why, OUTCOME_DRAINED);
    watch_fire(watch, SLICE("b"));
    park(fired); /* news is told all the same */
    assert_true(ended());
    watch_leave(watch, parked);
    watch_leave(watch, late);
    watch_leave(watch, fired);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parked_then_decided, open_both, close_both),
        cmocka_unit_test_setup_teardown(decided_before_it_is_parked, open_both, close_both),
        cmocka_unit_test_setup_teardown(decided_between_two_waits, open_both, close_both),
        cmocka_unit_test_setup_teardown(several_watch_one, open_both, close_both),
        cmocka_unit_test_setup_teardown(as_many_as_there_is_room_for, open_both, close_both),
        cmocka_unit_test_setup_teardown(one_that_has_ended_by_itself_is_let_be, open_both, close_both),
        cmocka_unit_test_setup_teardown(nobody_waits_any_more, open_both, close_both),
    };
    return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
