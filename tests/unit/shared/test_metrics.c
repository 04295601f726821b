/* SPDX-License-Identifier: Apache-2.0 */
/* Buckets, series by key, both formats, and which of them is wanted. */
#include "metrics.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct buf out;

static const char *text(void)
{
    buf_append(&out, "", 1);
    return out.data;
}

static void buckets_hold_up_to_their_bound(void **unused)
{
    struct metrics_histogram h = {.sum_ns = 0};
    metrics_observe(&h, -5); /* a clock of another machine */
    metrics_observe(&h, 100000);
    metrics_observe(&h, 100001);
    metrics_observe(&h, INT64_C(300000000000));
    metrics_observe(&h, INT64_C(300000000001));
    assert_int_equal(h.counts[0], 2);
    assert_int_equal(h.counts[1], 1);
    assert_int_equal(h.counts[METRICS_BOUNDS - 1], 1);
    assert_int_equal(h.counts[METRICS_BOUNDS], 1);
    assert_int_equal(metrics_count(&h), 5);
    assert_int_equal(h.sum_ns, UINT64_C(600000200002));
    for (int i = 1; i < METRICS_BOUNDS; i++)
        assert_true(metrics_bounds_ns[i - 1] < metrics_bounds_ns[i]);
}

static void a_histogram_is_cumulative(void **unused)
{
    static const struct metrics_family family = {"took_seconds", METRICS_HISTOGRAM, "How long.", {"what"}};
    struct metrics_page page = {.out = &out, .openmetrics = false};
    struct metrics_histogram h = {.sum_ns = 0};
    metrics_observe(&h, 200000);
    metrics_observe(&h, 3000000000);
    metrics_family(&page, &family);
    metrics_sample_histogram(&page, &h, METRICS_VALUES("a"));
    assert_non_null(strstr(text(), "# HELP took_seconds How long.\n# TYPE took_seconds histogram\n"
                                   "took_seconds_bucket{what=\"a\",le=\"0.0001\"} 0\ntook_seconds_bucket{what=\"a\",le=\"0.00025\"} 1\n"));
    assert_non_null(strstr(text(), "le=\"2.5\"} 1\n"));
    assert_non_null(strstr(text(), "le=\"5.0\"} 2\n"));
    assert_non_null(strstr(text(), "le=\"+Inf\"} 2\ntook_seconds_count{what=\"a\"} 2\ntook_seconds_sum{what=\"a\"} 3.000200000\n"));
}

static void both_formats(void **unused)
{
    static const struct metrics_family counter = {"sent_bytes", METRICS_COUNTER, "What was sent.", {"to", "by"}};
    static const struct metrics_family gauge = {"open", METRICS_GAUGE, "What is.", {NULL}};
    struct metrics_page page = {.out = &out, .openmetrics = false};
    metrics_family(&page, &counter);
    metrics_sample(&page, 3, METRICS_VALUES("a\"b\\c\nd", NULL));
    metrics_single(&page, &gauge, 0.25);
    metrics_end(&page);
    assert_string_equal(text(), "# HELP sent_bytes_total What was sent.\n# TYPE sent_bytes_total counter\n"
                                "sent_bytes_total{to=\"a\\\"b\\\\c\\nd\"} 3\n# HELP open What is.\n# TYPE open gauge\nopen 0.25\n");
    buf_clear(&out);
    page.openmetrics = true;
    metrics_family(&page, &counter);
    metrics_sample(&page, 3, METRICS_VALUES("x", "y"));
    metrics_end(&page);
    assert_string_equal(text(), "# HELP sent_bytes What was sent.\n# TYPE sent_bytes counter\n# UNIT sent_bytes bytes\n"
                                "sent_bytes_total{to=\"x\",by=\"y\"} 3\n# EOF\n");
}

static struct metrics_table table;

static void *count_keys(void *unused)
{
    for (uint32_t round = 0; round < 1000; round++) {
        for (uint32_t key = 1; key <= 50; key++)
            metrics_observe(metrics_of(&table, key), 1);
    }
    return NULL;
}

static void series_are_made_once_by_any_thread(void **unused)
{
    pthread_t threads[4];
    uint64_t total = 0, used = 0;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_keys, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < METRICS_SERIES; i++) {
        used += table.series[i].key != 0;
        total += metrics_count(&table.series[i].histogram);
    }
    assert_int_equal(used, 50);
    assert_int_equal(total, 4 * 1000 * 50);
    for (uint32_t key = 1000; key < 1000 + 2 * METRICS_SERIES; key++)
        metrics_observe(metrics_of(&table, key), 1);
    assert_int_equal(metrics_count(&table.other), 2 * METRICS_SERIES - (METRICS_SERIES - 50)); /* bounded */
    assert_ptr_equal(metrics_of(&table, 7), metrics_of(&table, 7));
}

static void who_wants_openmetrics(void **unused)
{
    static const char *const want[] = {
        "application/openmetrics-text", "application/openmetrics-text; version=1.0.0; charset=utf-8",
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        "text/plain;q=0.2, Application/OpenMetrics-Text ; Version=\"1.0.0\" ; q=0.3"};
    static const char *const want_text[] = {
        "", "*/*", "text/plain", "text/html,*/*;q=0.8", "application/openmetrics-text;version=0.0.1", "application/openmetrics-text;q=0",
        "application/openmetrics-text;q=0.5,text/plain;q=0.9", ",;=,,q=", "application/openmetrics-textile"};
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
        assert_true(metrics_wants_openmetrics(slice_of(want[i])));
    for (size_t i = 0; i < sizeof(want_text) / sizeof(want_text[0]); i++)
        assert_false(metrics_wants_openmetrics(slice_of(want_text[i])));
    assert_false(metrics_wants_openmetrics(SLICE_NONE));
}

static int clear(void **unused)
{
    buf_done(&out);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(buckets_hold_up_to_their_bound, clear),
        cmocka_unit_test_teardown(a_histogram_is_cumulative, clear),
        cmocka_unit_test_teardown(both_formats, clear),
        cmocka_unit_test_teardown(series_are_made_once_by_any_thread, clear),
        cmocka_unit_test_teardown(who_wants_openmetrics, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
