/* SPDX-License-Identifier: Apache-2.0 */
/* A result in parts: the next one, again, over, broken. */
#include "download.h"

#include "support.h"

static struct downloads all;
static struct download download;

static struct received part(size_t len)
{
    return (struct received){.status = 200, .result_bytes = 25, .result_parts = 3, .etag = SLICE("\"t\""),
                             .body = slice_make("0123456789", len)};
}

static int begin(void **unused)
{
    const struct received first = part(10);
    all = (struct downloads){.max = 1};
    return download_begin(&download, &all, &first) ? 0 : -1;
}

static int end(void **unused)
{
    download_end(&download, &all);
    download_end(&download, &all);
    return atomic_load(&all.now) == 0 ? 0 : -1;
}

static void part_after_part(void **unused)
{
    const struct received second = part(10), last = part(5);
    assert_int_equal(download_next(&download), DOWNLOAD_ASK);
    assert_int_equal(download.next, 1);
    assert_int_equal(download_take(&download, OUTCOME_REPLIED, &second), DOWNLOAD_PART);
    assert_int_equal(download_next(&download), DOWNLOAD_ASK);
    assert_int_equal(download.next, 2);
    assert_int_equal(download_take(&download, OUTCOME_REPLIED, &last), DOWNLOAD_PART);
    assert_int_equal(download_next(&download), DOWNLOAD_OVER);
}

static void too_little_in_the_end(void **unused)
{
    const struct received second = part(10), last = part(4);
    assert_int_equal(download_take(&download, OUTCOME_REPLIED, &second), DOWNLOAD_PART);
    assert_int_equal(download_take(&download, OUTCOME_REPLIED, &last), DOWNLOAD_PART);
    assert_int_equal(download_next(&download), DOWNLOAD_BROKEN);
}

static void another_result_breaks_it(void **unused)
{
    struct received other[6];
    for (int i = 0; i < 6; i++)
        other[i] = part(10);
    other[0].status = 404;
    other[1].etag = SLICE("\"u\"");
    other[2].result_bytes = 26;
    other[3].result_parts = 4;
    other[4].body = SLICE("");
    other[5].body = SLICE("0123456789012345");
    for (int i = 0; i < 6; i++)
        assert_int_equal(download_take(&download, OUTCOME_REPLIED, &other[i]), DOWNLOAD_BROKEN);
}

static void what_is_late_is_asked_for_again(void **unused)
{
    const struct received second = part(10);
    assert_int_equal(download_take(&download, OUTCOME_DEADLINE, &second), DOWNLOAD_ASK);
    assert_int_equal(download_take(&download, OUTCOME_UNSENT, &second), DOWNLOAD_ASK);
    assert_int_equal(download.next, 1);
    assert_int_equal(download_take(&download, OUTCOME_REPLIED, &second), DOWNLOAD_PART);
    for (int i = 1; i < DOWNLOAD_TRIES; i++)
        assert_int_equal(download_take(&download, OUTCOME_DEADLINE, &second), DOWNLOAD_ASK);
    assert_int_equal(download_take(&download, OUTCOME_DEADLINE, &second), DOWNLOAD_BROKEN);
    assert_int_equal(download_take(&download, OUTCOME_NUDGED, &second), DOWNLOAD_ASK);
    assert_int_equal(download_take(&download, OUTCOME_DRAINED, &second), DOWNLOAD_BROKEN);
    assert_int_equal(download_take(&download, OUTCOME_NONE, &second), DOWNLOAD_BROKEN);
}

static void only_so_many_at_once(void **unused)
{
    struct download another = {.counted = false};
    const struct received first = part(10);
    assert_false(download_begin(&another, &all, &first));
    download_end(&another, &all);
    assert_int_equal(atomic_load(&all.now), 1);
    download_end(&download, &all);
    assert_true(download_begin(&another, &all, &first));
    download_end(&another, &all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(part_after_part, begin, end),
        cmocka_unit_test_setup_teardown(too_little_in_the_end, begin, end),
        cmocka_unit_test_setup_teardown(another_result_breaks_it, begin, end),
        cmocka_unit_test_setup_teardown(what_is_late_is_asked_for_again, begin, end),
        cmocka_unit_test_setup_teardown(only_so_many_at_once, begin, end),
    };
    return cmocka_run_group_tests_name("download", tests, NULL, NULL);
}
