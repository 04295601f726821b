/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets the next part, what moves, what is sent again, and that all of it ends with each part done once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "spread.h"

#define MS INT64_C(1000000)

static struct spread spread;

static void begin(size_t parts, int32_t partitions, size_t in_flight)
{
    const struct spread_options options = {.parts = parts,
                                           .partitions = partitions,
                                           .first = 1,
                                           .in_flight = in_flight,
                                           .hedge_ns = 3000 * MS,
                                           .resend_ns = 15000 * MS};
    assert_true(spread_init(&spread, &options));
}

static struct spread_order next(int64_t now_ns)
{
    struct spread_order order;
    assert_true(spread_next(&spread, now_ns, &order));
    assert_int_equal(order.partition, spread_partition(&spread, order.part, order.place));
    return order;
}

static void none(int64_t now_ns)
{
    struct spread_order order;
    assert_false(spread_next(&spread, now_ns, &order));
}

static void places_are_different_partitions(void **state)
{
    for (int32_t n = 1; n < 9; n++) {
        begin(40, n, 1);
        for (size_t part = 0; part < 40; part++) {
            unsigned seen = 0;
            for (unsigned place = 0; place < SPREAD_PLACES && place < (unsigned)n; place++) {
                int32_t p = spread_partition(&spread, part, place);
                assert_in_range(p, 0, n - 1);
                assert_false(seen >> p & 1);
                seen |= 1U << p;
            }
        }
        spread_free(&spread);
    }
}

static void parts_go_to_all_partitions_in_turn_and_are_bounded(void **state)
{
    int count[3] = {0};
    begin(30, 3, 6);
    for (int i = 0; i < 6; i++) {
        struct spread_order order = next(0);
        assert_int_equal(order.place, 0);
        count[order.partition]++;
    }
    none(0);
    for (int p = 0; p < 3; p++)
        assert_int_equal(count[p], 2);
    assert_true(spread_done(&spread, 1, 0, true, MS)); /* of partition 2 */
    assert_int_equal(next(MS).partition, 2);
    none(MS);
    spread_free(&spread);
}

/* Partition 0 does not answer: the others do its parts when they have done theirs. */
static void a_slow_partitions_parts_move(void **state)
{
    struct spread_order out[6];
    int moved = 0;
    begin(30, 3, 6);
    for (int i = 0; i < 6; i++)
        out[i] = next(0);
    for (int64_t now = MS; spread.done < 26; now += MS) {
        for (int i = 0; i < 6; i++) {
            if (out[i].partition == 0)
                continue;
            assert_true(spread_done(&spread, out[i].part, out[i].place, true, now));
            struct spread_order order;
            if (spread_next(&spread, now, &order)) {
                moved += order.place > 0;
                out[i] = order;
            } else {
                out[i].partition = 0;
            }
        }
    }
    assert_true(moved >= 6);
    assert_int_equal(spread.unsent, 0);
    spread_free(&spread);
}

/* The owner of partition 0 was killed: its outcomes are there, and are not computed elsewhere while all others only repeat theirs. */
static void nothing_moves_before_something_was_computed(void **state)
{
    struct spread_order order, held = {0};
    begin(9, 3, 2);
    for (int64_t now = MS; spread_next(&spread, now, &order); now += MS) {
        assert_int_equal(order.place, 0);
        if (order.partition == 0)
            held = order;
        else
            assert_true(spread_done(&spread, order.part, order.place, false, now));
    }
    assert_int_equal(spread.done, 6);
    assert_true(spread_done(&spread, held.part, held.place, true, 2000 * MS));
    assert_true(spread_next(&spread, 2000 * MS, &order));
    spread_free(&spread);
}

/* A coordinator that starts again asks where the first one sent it. */
static void the_same_answers_give_the_same_orders(void **state)
{
    struct spread_order orders[2][40];
    for (int round = 0; round < 2; round++) {
        begin(40, 6, 8);
        size_t sent = 0, answered = 0;
        while (spread.done < 40) {
            while (spread_next(&spread, 0, &orders[round][sent]))
                sent++;
            struct spread_order *o = &orders[round][answered++];
            spread_done(&spread, o->part, o->place, false, 0);
        }
        spread_free(&spread);
    }
    for (int i = 0; i < 40; i++) {
        assert_int_equal(orders[0][i].part, orders[1][i].part);
        assert_int_equal(orders[0][i].partition, orders[1][i].partition);
    }
}

static void what_is_late_goes_elsewhere_as_well(void **state)
{
    begin(4, 4, 4);
    for (int i = 0; i < 4; i++)
        next(0);
    for (size_t part = 0; part < 3; part++)
        spread_done(&spread, part, 0, true, 2000 * MS);
    assert_int_equal(spread_due_ns(&spread), 15000 * MS); /* sent when nothing was usual yet */
    none(14999 * MS);
    struct spread_order late = next(15000 * MS);
    assert_int_equal(late.part, 3);
    assert_int_not_equal(late.place, 0);
    none(15000 * MS);
    assert_true(spread_done(&spread, 3, late.place, true, 16000 * MS));
    assert_false(spread_done(&spread, 3, 0, true, 17000 * MS)); /* counts once */
    assert_false(spread_done(&spread, 3, 0, true, 17000 * MS));
    assert_int_equal(spread.done, 4);
    assert_int_equal(spread_due_ns(&spread), INT64_MAX);
    for (int p = 0; p < 4; p++)
        assert_int_equal(spread.partitions[p].outstanding, 0);
    spread_free(&spread);
}

static void late_is_twice_what_is_usual(void **state)
{
    begin(8, 4, 4);
    for (int i = 0; i < 4; i++)
        next(0);
    for (size_t part = 0; part < 4; part++)
        spread_done(&spread, part, 0, true, 2000 * MS);
    for (int i = 0; i < 4; i++)
        next(2000 * MS);
    assert_int_equal(spread_due_ns(&spread), 6000 * MS);
    for (size_t part = 4; part < 8; part++)
        spread_done(&spread, part, 0, true, 2100 * MS);
    spread_free(&spread);
    begin(8, 4, 4);
    for (int i = 0; i < 4; i++)
        next(0);
    for (size_t part = 0; part < 4; part++)
        spread_done(&spread, part, 0, false, MS); /* outcomes from before say nothing about what is usual */
    next(MS);
    assert_int_equal(spread_due_ns(&spread), 15001 * MS);
    spread_free(&spread);
}

static void with_one_partition_it_is_sent_there_again(void **state)
{
    begin(1, 1, 4);
    assert_int_equal(next(0).partition, 0);
    struct spread_order again = next(15000 * MS);
    assert_int_equal(again.place, 0);
    assert_int_equal(spread.partitions[0].outstanding, 1);
    assert_true(spread_done(&spread, 0, 0, true, 16000 * MS));
    spread_free(&spread);
}

static void what_fails_too_often_fails(void **state)
{
    begin(1, 3, 4);
    struct spread_order order = next(0);
    assert_true(spread_failed(&spread, 0, order.place, 1000 * MS));
    none(999 * MS);
    order = next(1000 * MS);
    assert_int_not_equal(order.place, 0);
    assert_true(spread_failed(&spread, 0, order.place, 2000 * MS));
    order = next(2000 * MS);
    assert_false(spread_failed(&spread, 0, order.place, 3000 * MS));
    spread_free(&spread);
}

static void where_it_was_taken_back_it_does_not_go_again(void **state)
{
    begin(1, 3, 4);
    unsigned first = next(0).place;
    assert_true(spread_gone(&spread, 0, first, 10 * MS));
    unsigned second = next(10 * MS).place;
    assert_int_not_equal(second, first);
    assert_int_equal(spread.partitions[spread_partition(&spread, 0, first)].outstanding, 0);
    assert_true(spread_failed(&spread, 0, second, 20 * MS));
    unsigned third = next(20 * MS).place;
    assert_true(third != first && third != second);
    assert_true(spread_gone(&spread, 0, third, 30 * MS));
    assert_int_equal(next(30 * MS).place, second); /* the only one that is left */
    assert_false(spread_gone(&spread, 0, second, 40 * MS));
    spread_free(&spread);
}

static void a_part_that_is_done_may_be_taken_back_everywhere_else(void **state)
{
    begin(1, 2, 4);
    unsigned first = next(0).place, second = next(15000 * MS).place;
    assert_int_not_equal(first, second);
    assert_true(spread_done(&spread, 0, second, true, 15100 * MS));
    assert_true(spread_gone(&spread, 0, first, 15200 * MS));
    assert_int_equal(spread.partitions[0].outstanding + spread.partitions[1].outstanding, 0);
    none(99000 * MS);
    spread_free(&spread);
}

/* A world of partitions with speeds and answers that are lost, at random: all parts are done, and no more are out than may be. */
static void all_parts_are_done_whatever_happens(void **state)
{
    srand(7);
    for (int round = 0; round < 300; round++) {
        struct copy {
            struct spread_order order;
            int64_t at_ns;
        } copies[4096];
        size_t parts = 1 + (size_t)rand() % 200, in_flight = 1 + (size_t)rand() % 20, count = 0;
        int32_t partitions = 1 + rand() % 7;
        begin(parts, partitions, in_flight);
        int64_t now = 0;
        while (spread.done < parts) {
            struct spread_order order;
            while (spread_next(&spread, now, &order)) {
                assert_true(count < 4096);
                if (rand() % 20) /* else its answer is lost */
                    copies[count++] = (struct copy){order, now + (1 + rand() % 20) * 100 * MS * (1 + order.partition)};
            }
            assert_true(spread.out <= in_flight);
            assert_int_equal(spread.unsent + spread.out + spread.done, parts);
            now = spread_due_ns(&spread);
            size_t soonest = count;
            for (size_t i = 0; i < count; i++) {
                if (copies[i].at_ns <= now) {
                    now = copies[i].at_ns;
                    soonest = i;
                }
            }
            if (soonest == count)
                continue;
            order = copies[soonest].order;
            copies[soonest] = copies[--count];
            spread_done(&spread, order.part, order.place, rand() % 2, now);
        }
        spread_free(&spread);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_different_partitions),
        cmocka_unit_test(parts_go_to_all_partitions_in_turn_and_are_bounded),
        cmocka_unit_test(a_slow_partitions_parts_move),
        cmocka_unit_test(nothing_moves_before_something_was_computed),
        cmocka_unit_test(the_same_answers_give_the_same_orders),
        cmocka_unit_test(what_is_late_goes_elsewhere_as_well),
        cmocka_unit_test(late_is_twice_what_is_usual),
        cmocka_unit_test(with_one_partition_it_is_sent_there_again),
        cmocka_unit_test(what_fails_too_often_fails),
        cmocka_unit_test(where_it_was_taken_back_it_does_not_go_again),
        cmocka_unit_test(a_part_that_is_done_may_be_taken_back_everywhere_else),
        cmocka_unit_test(all_parts_are_done_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
