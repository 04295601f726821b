/* SPDX-License-Identifier: Apache-2.0 */
/* Many marks in little memory. */
#include "dead/marks.h"

#include <stdio.h>

#include "support.h"

#define MANY 20000

static struct dead_id id_of(int i)
{
    struct dead_id id = {.partition = i % 7, .offset = i / 7};
    snprintf(id.service, sizeof(id.service), "service%d", i % 3);
    return id;
}

static struct dead_mark mark_of(int i)
{
    struct dead_mark mark = {.state = i % 2 ? DEAD_REDRIVEN : DEAD_DISCARDED, .at_ms = INT64_C(1769860800000) + i};
    snprintf(mark.job, sizeof(mark.job), "job-%d", i % 50);
    if (i % 2 == 0)
        snprintf(mark.reason, sizeof(mark.reason), "reason %d", i % 100);
    return mark;
}

static void assert_there(const struct dead_marks *marks, int i)
{
    struct dead_id id = id_of(i);
    struct dead_mark found, mark = mark_of(i);
    assert_true(dead_marks_find(marks, &id, &found));
    assert_memory_equal(&found, &mark, sizeof(mark));
}

static void what_is_put_is_found_until_it_is_removed(void **unused)
{
    struct dead_marks *marks = dead_marks_new();
    struct dead_mark mark;
    assert_non_null(marks);
    for (int i = 0; i < MANY; i++) {
        struct dead_id id = id_of(i);
        mark = mark_of(i);
        assert_true(dead_marks_put(marks, &id, &mark));
        assert_true(dead_marks_put(marks, &id, &mark)); /* again, as after a restart */
    }
    assert_int_equal(dead_marks_count(marks), MANY);
    for (int i = 0; i < MANY; i++)
        assert_there(marks, i);
    for (int i = 0; i < MANY; i += 3) {
        struct dead_id id = id_of(i);
        dead_marks_remove(marks, &id);
        dead_marks_remove(marks, &id);
    }
    for (int i = 0; i < MANY; i++) {
        struct dead_id id = id_of(i);
        if (i % 3)
            assert_there(marks, i);
        else
            assert_false(dead_marks_find(marks, &id, &mark));
    }
    size_t cursor = 0, seen = 0;
    struct dead_id id;
    while (dead_marks_next(marks, &cursor, &id))
        seen += dead_marks_find(marks, &id, &mark);
    assert_int_equal(seen, dead_marks_count(marks));
    assert_int_equal(seen, MANY - (MANY + 2) / 3);
    dead_marks_free(marks);
}

static void a_later_mark_replaces_the_first(void **unused)
{
    struct dead_marks *marks = dead_marks_new();
    struct dead_id id = id_of(1), other = id_of(2), huge = {.service = "service1", .partition = DEAD_MARK_PARTITIONS};
    struct dead_mark found, first = mark_of(1), second = mark_of(2);
    assert_true(dead_marks_put(marks, &id, &first) && dead_marks_put(marks, &id, &second));
    assert_true(dead_marks_find(marks, &id, &found));
    assert_memory_equal(&found, &second, sizeof(found));
    assert_false(dead_marks_find(marks, &other, &found));
    assert_true(dead_marks_put(marks, &huge, &first)); /* left out */
    assert_false(dead_marks_find(marks, &huge, &found));
    assert_int_equal(dead_marks_count(marks), 1);
    dead_marks_free(marks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_found_until_it_is_removed),
        cmocka_unit_test(a_later_mark_replaces_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
