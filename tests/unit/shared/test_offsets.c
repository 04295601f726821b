/* SPDX-License-Identifier: Apache-2.0 */
/* The commit floor: whatever the order in which work ends, nothing unfinished is ever committed. */
#include "offsets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define RANDOM_OFFSETS 20000
#define RANDOM_WINDOW  700

static void begin(struct offsets *offsets, int64_t offset)
{
    assert_true(offsets_begin(offsets, offset));
}

static void in_order_the_floor_follows(void **unused)
{
    struct offsets offsets;
    offsets_init(&offsets, 10);
    assert_int_equal(offsets.floor, 10);
    for (int64_t o = 10; o < 15; o++) {
        begin(&offsets, o);
        assert_int_equal(offsets.floor, o);
        assert_true(offsets_finish(&offsets, o));
        assert_int_equal(offsets.floor, o + 1);
    }
    assert_int_equal(offsets.count, 0);
    offsets_done(&offsets);
}

static void out_of_order_the_floor_waits_for_the_lowest(void **unused)
{
    struct offsets offsets;
    offsets_init(&offsets, 0);
    for (int64_t o = 0; o < 5; o++)
        begin(&offsets, o);
    assert_false(offsets_finish(&offsets, 3));
    assert_false(offsets_finish(&offsets, 1));
    assert_int_equal(offsets.floor, 0);
    assert_true(offsets_finish(&offsets, 0));
    assert_int_equal(offsets.floor, 2);
    assert_true(offsets_finish(&offsets, 2));
    assert_int_equal(offsets.floor, 4);
    assert_true(offsets_finish(&offsets, 4));
    assert_int_equal(offsets.floor, 5);
    offsets_done(&offsets);
}

static void gaps_count_as_finished(void **unused)
{
    struct offsets offsets;
    offsets_init(&offsets, 0);
    begin(&offsets, 0);
    begin(&offsets, 7); /* 1..6 are not in the log */
    begin(&offsets, 9);
    assert_true(offsets_finish(&offsets, 0));
    assert_int_equal(offsets.floor, 7);
    assert_false(offsets_finish(&offsets, 9));
    assert_true(offsets_finish(&offsets, 7));
    assert_int_equal(offsets.floor, 10);
    offsets_done(&offsets);
}

static void a_gap_after_everything_needs_no_room(void **unused)
{
    struct offsets offsets;
    offsets_init(&offsets, 0);
    begin(&offsets, 3);
    assert_true(offsets_finish(&offsets, 3));
    begin(&offsets, INT64_C(5000000000));
    assert_true(offsets.capacity <= 64);
    assert_int_equal(offsets.floor, INT64_C(5000000000));
    assert_true(offsets_finish(&offsets, INT64_C(5000000000)));
    assert_int_equal(offsets.floor, INT64_C(5000000001));
    offsets_done(&offsets);
}

static void a_redelivery_is_refused(void **unused)
{
    struct offsets offsets;
    offsets_init(&offsets, 5);
    assert_false(offsets_begin(&offsets, 4)); /* before the floor it began with */
    begin(&offsets, 5);
    begin(&offsets, 8);
    assert_false(offsets_begin(&offsets, 5)); /* still open */
    assert_false(offsets_begin(&offsets, 6)); /* skipped, so it is not in the log */
    assert_true(offsets_finish(&offsets, 5));
    assert_false(offsets_begin(&offsets, 5)); /* done */
    assert_int_equal(offsets.count, 1);
    assert_int_equal(offsets.floor, 8);
    offsets_done(&offsets);
}

/* Old marks of a ring that is used again must not be taken for new ones, nor get lost when it grows in
 * mid-turn. */
static void the_ring_grows_with_its_marks(void **unused)
{
    struct offsets offsets;
    offsets_init(&offsets, 1000);
    for (int64_t o = 1000; o < 1050; o++)
        begin(&offsets, o);
    for (int64_t o = 1000; o < 1040; o++)
        assert_true(offsets_finish(&offsets, o));
    size_t before = offsets.capacity;
    for (int64_t o = 1050; o < 1500; o += 2) /* every other offset is a gap */
        begin(&offsets, o);
    assert_true(offsets.capacity > before);
    for (int64_t o = 1498; o >= 1050; o -= 2)
        assert_false(offsets_finish(&offsets, o));
    for (int64_t o = 1049; o > 1040; o--)
        assert_false(offsets_finish(&offsets, o));
    assert_int_equal(offsets.floor, 1040);
    assert_true(offsets_finish(&offsets, 1040));
    assert_int_equal(offsets.floor, 1499);
    assert_int_equal(offsets.count, 0);
    offsets_done(&offsets);
}

static void a_full_ring_grows_before_it_meets_itself(void **unused)
{
    struct offsets offsets;
    offsets_init(&offsets, 0);
    for (int64_t o = 0; o < 64; o++)
        begin(&offsets, o);
    size_t full = offsets.capacity;
    assert_int_equal(full, 64); /* else this test is about nothing */
    begin(&offsets, 64);
    assert_false(offsets_finish(&offsets, 64));
    assert_true(offsets_finish(&offsets, 0));
    assert_int_equal(offsets.floor, 1);
    offsets_done(&offsets);
}

static void done_leaves_an_empty_one(void **unused)
{
    struct offsets offsets;
    offsets_init(&offsets, 3);
    begin(&offsets, 3);
    offsets_done(&offsets);
    assert_null(offsets.open);
    assert_int_equal(offsets.floor, 0);
    offsets_done(&offsets);
}

static uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Against the plainest model: the floor is the lowest unfinished offset, or one after the highest begun. */
static void random_orders_agree_with_a_plain_list(void **unused)
{
    static bool open[RANDOM_OFFSETS * 4];
    uint64_t seed = UINT64_C(0x5eed0ff5e7);
    struct offsets offsets;
    int64_t next = 0, low = 0, count = 0;
    offsets_init(&offsets, 0);
    for (int i = 0; i < RANDOM_OFFSETS; i++) {
        if (count == 0 || (count < RANDOM_WINDOW && random_next(&seed) % 2)) {
            next += (int64_t)(random_next(&seed) % 8 == 0 ? 1 + random_next(&seed) % 5 : 0);
            begin(&offsets, next);
            open[next++] = true;
            count++;
        } else {
            int64_t at = low + (int64_t)(random_next(&seed) % (uint64_t)(next - low));
            while (!open[at])
                at = at + 1 < next ? at + 1 : low;
            open[at] = false;
            count--;
            int64_t floor = offsets.floor;
            bool moved = offsets_finish(&offsets, at);
            assert_int_equal(moved, offsets.floor != floor);
        }
        while (low < next && !open[low])
            low++;
        assert_int_equal(offsets.floor, low);
        assert_int_equal(offsets.next, next);
        assert_int_equal(offsets.count, count);
    }
    offsets_done(&offsets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order_the_floor_follows),
        cmocka_unit_test(out_of_order_the_floor_waits_for_the_lowest),
        cmocka_unit_test(gaps_count_as_finished),
        cmocka_unit_test(a_gap_after_everything_needs_no_room),
        cmocka_unit_test(a_redelivery_is_refused),
        cmocka_unit_test(the_ring_grows_with_its_marks),
        cmocka_unit_test(a_full_ring_grows_before_it_meets_itself),
        cmocka_unit_test(done_leaves_an_empty_one),
        cmocka_unit_test(random_orders_agree_with_a_plain_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
