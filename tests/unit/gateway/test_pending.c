/* SPDX-License-Identifier: Apache-2.0 */
/* The table of waiting requests: each is taken out exactly once, in time, by whoever comes first. */
#include "pending.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "support.h"

#define EPOCH UINT64_C(0x0123456789abcdef)
#define MS    INT64_C(1000000)

static struct pending *pending;
static int owners[64];

static int setup(void **unused)
{
    return pending_new(4, EPOCH, &pending);
}

static int teardown(void **unused)
{
    enum outcome why;
    pending_close(pending, OUTCOME_DRAINED);
    while (pending_expire(pending, INT64_MAX, &why))
        ;
    pending_free(pending);
    return 0;
}

static struct ticket open_one(void *owner, uint32_t parts, int64_t deadline_ns)
{
    struct ticket ticket;
    assert_int_equal(pending_open(pending, owner, parts, deadline_ns, PENDING_NEVER, &ticket), 0);
    return ticket;
}

static enum match match(struct ticket ticket, uint32_t part, void **ret_owner)
{
    char text[PENDING_CORRELATION_LEN];
    uint32_t got = 999;
    pending_correlation(pending, ticket, part, text);
    enum match result = pending_match(pending, slice_make(text, sizeof(text)), ret_owner, &got);
    if (result == MATCH_LAST || result == MATCH_PART)
        assert_int_equal(got, part);
    return result;
}

static void a_reply_takes_its_request_out_once(void **unused)
{
    void *owner = NULL;
    struct ticket ticket = open_one(&owners[0], 1, 100);
    assert_int_equal(pending_count(pending), 1);
    assert_int_equal(match(ticket, 0, &owner), MATCH_LAST);
    assert_ptr_equal(owner, &owners[0]);
    assert_int_equal(pending_count(pending), 0);
    assert_int_equal(match(ticket, 0, &owner), MATCH_LATE);
    enum outcome why;
    assert_null(pending_expire(pending, INT64_MAX, &why));
}

static void a_slot_used_again_has_another_id(void **unused)
{
    void *owner;
    struct ticket first = open_one(&owners[0], 1, 100);
    assert_int_equal(match(first, 0, &owner), MATCH_LAST);
    struct ticket second = open_one(&owners[1], 1, 100);
    assert_int_equal(first.slot, second.slot);
    assert_int_equal(match(first, 0, &owner), MATCH_LATE);
    pending_fail(pending, first, OUTCOME_UNSENT); /* of the first: must not touch the second */
    assert_int_equal(match(second, 0, &owner), MATCH_LAST);
    assert_ptr_equal(owner, &owners[1]);
}

static void foreign_ids_are_told_apart(void **unused)
{
    void *owner;
    uint32_t part;
    struct ticket ticket = open_one(&owners[0], 1, 100);
    char text[PENDING_CORRELATION_LEN + 1] = "";
    pending_correlation(pending, ticket, 0, text);
    assert_memory_equal(text, "0123456789abcdef", 16);
    assert_int_equal(pending_match(pending, slice_make(text, 35), &owner, &part), MATCH_FOREIGN);
    assert_int_equal(pending_match(pending, slice_make(text, 37), &owner, &part), MATCH_FOREIGN);
    assert_int_equal(pending_match(pending, SLICE_NONE, &owner, &part), MATCH_FOREIGN);
    text[0] = '1';
    assert_int_equal(pending_match(pending, slice_make(text, 36), &owner, &part), MATCH_FOREIGN);
    text[0] = 'x';
    assert_int_equal(pending_match(pending, slice_make(text, 36), &owner, &part), MATCH_FOREIGN);
    text[0] = '0';
    memcpy(text + 16, "ffffffff", 8); /* a slot that is not there */
    assert_int_equal(pending_match(pending, slice_make(text, 36), &owner, &part), MATCH_LATE);
}

static void parts_are_counted_once_each(void **unused)
{
    void *owner = NULL;
    struct ticket ticket = open_one(&owners[0], 70, 100);
    for (uint32_t part = 69; part > 0; part--) {
        assert_int_equal(match(ticket, part, &owner), MATCH_PART);
        assert_ptr_equal(owner, &owners[0]);
        assert_int_equal(match(ticket, part, &owner), MATCH_DUPLICATE);
    }
    assert_int_equal(match(ticket, 70, &owner), MATCH_LATE); /* there is no such part */
    assert_int_equal(match(ticket, 0, &owner), MATCH_LAST);
}

static void deadlines_come_in_order_and_not_early(void **unused)
{
    enum outcome why;
    open_one(&owners[3], 1, 30 * MS);
    open_one(&owners[1], 1, 10 * MS);
    open_one(&owners[2], 1, 20 * MS);
    assert_int_equal(pending_due_ns(pending), 10 * MS);
    assert_null(pending_expire(pending, 10 * MS - 1, &why));
    assert_ptr_equal(pending_expire(pending, 25 * MS, &why), &owners[1]);
    assert_int_equal(why, OUTCOME_DEADLINE);
    assert_ptr_equal(pending_expire(pending, 25 * MS, &why), &owners[2]);
    assert_null(pending_expire(pending, 25 * MS, &why));
    assert_ptr_equal(pending_expire(pending, 30 * MS, &why), &owners[3]);
    assert_int_equal(pending_due_ns(pending), INT64_MAX);
}

static void a_late_reply_finds_nobody(void **unused)
{
    void *owner;
    enum outcome why;
    struct ticket ticket = open_one(&owners[0], 1, 10);
    assert_non_null(pending_expire(pending, 10, &why));
    assert_int_equal(match(ticket, 0, &owner), MATCH_LATE);
}

static void the_table_is_bounded(void **unused)
{
    struct ticket ticket, last = {0};
    void *owner;
    for (int i = 0; i < 4; i++)
        last = open_one(&owners[i], 1, 100);
    assert_int_equal(pending_open(pending, &owners[4], 1, 100, PENDING_NEVER, &ticket), -ENOBUFS);
    assert_int_equal(match(last, 0, &owner), MATCH_LAST);
    assert_int_equal(pending_open(pending, &owners[4], 1, 100, PENDING_NEVER, &ticket), 0);
}

static void a_failure_ends_it_at_once_with_its_reason(void **unused)
{
    enum outcome why;
    open_one(&owners[0], 1, 50);
    struct ticket ticket = open_one(&owners[1], 1, 100);
    pending_fail(pending, ticket, OUTCOME_UNSENT);
    pending_fail(pending, ticket, OUTCOME_UNCERTAIN); /* the first reason stays */
    assert_ptr_equal(pending_expire(pending, 0, &why), &owners[1]);
    assert_int_equal(why, OUTCOME_UNSENT);
    assert_null(pending_expire(pending, 0, &why));
}

static void a_reply_may_still_win_against_a_failure(void **unused)
{
    void *owner;
    enum outcome why;
    struct ticket ticket = open_one(&owners[1], 1, 100);
    pending_fail(pending, ticket, OUTCOME_UNCERTAIN);
    assert_int_equal(match(ticket, 0, &owner), MATCH_LAST);
    assert_null(pending_expire(pending, INT64_MAX, &why));
}

static void closing_lets_finish_or_ends(void **unused)
{
    struct ticket ticket;
    void *owner;
    enum outcome why;
    struct ticket first = open_one(&owners[0], 1, 100);
    open_one(&owners[1], 1, 200);
    pending_close(pending, OUTCOME_NONE);
    assert_int_equal(pending_open(pending, &owners[2], 1, 100, PENDING_NEVER, &ticket), -ESHUTDOWN);
    assert_null(pending_expire(pending, 0, &why));
    assert_int_equal(match(first, 0, &owner), MATCH_LAST);
    pending_close(pending, OUTCOME_DRAINED);
    assert_ptr_equal(pending_expire(pending, 0, &why), &owners[1]);
    assert_int_equal(why, OUTCOME_DRAINED);
}

static void tickets_fit_a_pointer(void **unused)
{
    for (int accepts = 0; accepts < 2; accepts++) {
        bool back = !accepts;
        struct ticket ticket = {UINT32_MAX / 2 - 1, 7};
        struct ticket again = pending_ticket_unpack(pending_ticket_pack(ticket, accepts), &back);
        assert_int_equal(again.slot, ticket.slot);
        assert_int_equal(again.generation, ticket.generation);
        assert_int_equal(back, accepts);
    }
    assert_non_null(pending_ticket_pack(open_one(&owners[0], 1, 1), false)); /* the very first one is not NULL either */
}

static struct ticket open_async(void *owner, int64_t deadline_ns, int64_t accept_ns)
{
    struct ticket ticket;
    assert_int_equal(pending_open(pending, owner, 1, deadline_ns, accept_ns, &ticket), 0);
    return ticket;
}

static void what_kafka_has_waits_no_longer_than_its_caller_likes(void **unused)
{
    enum outcome why;
    struct ticket at_once = open_async(&owners[0], 100, 0), later = open_async(&owners[1], 100, 50);
    open_async(&owners[2], 100, 50); /* Kafka never says that it has it */
    struct ticket sync = open_one(&owners[3], 1, 100);
    assert_null(pending_expire(pending, 60, &why));
    pending_accept(pending, at_once);
    assert_ptr_equal(pending_expire(pending, 1, &why), &owners[0]);
    assert_int_equal(why, OUTCOME_ACCEPTED);
    pending_accept(pending, later);
    pending_accept(pending, sync);
    assert_null(pending_expire(pending, 49, &why));
    pending_close(pending, OUTCOME_DRAINED); /* what is accepted stays accepted */
    bool accepted = false, drained = false;
    void *owner;
    while ((owner = pending_expire(pending, 0, &why))) {
        accepted |= owner == &owners[1] && why == OUTCOME_ACCEPTED;
        drained |= owner == &owners[2] && why == OUTCOME_DRAINED;
    }
    assert_true(accepted && drained);
    pending_accept(pending, later); /* long gone */
}

/* Against a plain array as the model: whatever the order of events, the earliest deadline comes out first. */
static void many_random_steps_keep_the_order(void **unused)
{
    enum { COUNT = 64 };
    struct pending *big;
    struct ticket tickets[COUNT];
    int64_t deadlines[COUNT] = {0}; /* 0: not waiting */
    unsigned seed = 20260101;
    assert_int_equal(pending_new(COUNT, EPOCH + 1, &big), 0);
    for (int step = 0; step < 20000; step++) {
        size_t i = (size_t)rand_r(&seed) % COUNT;
        char text[PENDING_CORRELATION_LEN];
        void *owner = NULL;
        uint32_t part;
        if (deadlines[i] == 0) {
            deadlines[i] = 1 + rand_r(&seed) % 1000;
            assert_int_equal(pending_open(big, &owners[i], 1, deadlines[i], PENDING_NEVER, &tickets[i]), 0);
        } else if (rand_r(&seed) % 2) {
            pending_correlation(big, tickets[i], 0, text);
            assert_int_equal(pending_match(big, slice_make(text, sizeof(text)), &owner, &part), MATCH_LAST);
            assert_ptr_equal(owner, &owners[i]);
            deadlines[i] = 0;
        } else {
            int64_t first = INT64_MAX;
            enum outcome why;
            for (size_t k = 0; k < COUNT; k++)
                first = deadlines[k] && deadlines[k] < first ? deadlines[k] : first;
            assert_int_equal(pending_due_ns(big), first);
            assert_null(pending_expire(big, first - 1, &why));
            int *who = pending_expire(big, first, &why);
            assert_int_equal(deadlines[who - owners], first);
            deadlines[who - owners] = 0;
        }
    }
    enum outcome why;
    while (pending_expire(big, INT64_MAX, &why))
        ;
    pending_free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_reply_takes_its_request_out_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slot_used_again_has_another_id, setup, teardown),
        cmocka_unit_test_setup_teardown(foreign_ids_are_told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_are_counted_once_each, setup, teardown),
        cmocka_unit_test_setup_teardown(deadlines_come_in_order_and_not_early, setup, teardown),
        cmocka_unit_test_setup_teardown(a_late_reply_finds_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(the_table_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failure_ends_it_at_once_with_its_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reply_may_still_win_against_a_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(closing_lets_finish_or_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(tickets_fit_a_pointer, setup, teardown),
        cmocka_unit_test_setup_teardown(what_kafka_has_waits_no_longer_than_its_caller_likes, setup, teardown),
        cmocka_unit_test(many_random_steps_keep_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
