/* SPDX-License-Identifier: Apache-2.0 */
/* Filters: from texts and back, and what they match. */
#include "support.h"

#define NOON INT64_C(1769860800000) /* 2026-01-31T12:00:00Z, when the letter died */

static struct dead_error error;

static struct dead_filter filter_of(const char *name, const char *value)
{
    struct dead_filter filter;
    dead_filter_init(&filter);
    assert_true(dead_filter_is_empty(&filter));
    if (!dead_filter_set(&filter, name, slice_of(value), NOON, &error))
        fail_msg("%s: %s", name, error.text);
    return filter;
}

static void each_name_matches_by_itself(void **unused)
{
    static const struct {
        const char *name, *matches, *differs;
    } cases[] = {
        {"service", "item", "compute"},
        {"class", "exhausted", "poison"},
        {"reason_contains", "disk is", "Disk"},
        {"type", "item.put", "item.pu"},
        {"key", "7", "77"},
        {"command_id", "id-1", "id-2"},
        {"since", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00.001Z"},
        {"until", "2026-01-31T12:00:00.001Z", "2026-01-31T13:00:00+01:00"},
        {"since", "1m", "2026-02-01T00:00:00Z"},
        {"state", "open", "discarded"},
        {"state", "any", "redriven"},
    };
    struct headers headers;
    struct record rec = a_record(&headers);
    struct dead_letter letter;
    dead_letter_read(&rec, "item", &letter);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct dead_filter yes = filter_of(cases[i].name, cases[i].matches), no = filter_of(cases[i].name, cases[i].differs);
        assert_true(dead_filter_matches(&yes, &letter, DEAD_OPEN));
        assert_false(dead_filter_matches(&no, &letter, DEAD_OPEN));
    }
}

static void what_the_letter_does_not_say_matches_no_filter(void **unused)
{
    const struct record rec = {.topic = "dlq.item.commands", .timestamp_ms = NOON};
    struct dead_letter letter;
    dead_letter_read(&rec, "item", &letter);
    struct dead_filter all, class = filter_of("class", "poison"), reason = filter_of("reason_contains", "x");
    dead_filter_init(&all);
    assert_true(dead_filter_matches(&all, &letter, DEAD_OPEN));
    assert_false(dead_filter_matches(&class, &letter, DEAD_OPEN));
    assert_false(dead_filter_matches(&reason, &letter, DEAD_OPEN));
}

static void nonsense_is_refused(void **unused)
{
    static const char *const cases[][2] = {{"kind", "x"},   {"service", ""},      {"state", "lost"}, {"since", "soon"},
                                           {"since", ""},   {"since", "-1h"},     {"until", "2026"}, {"key", "\xff"},
                                           {"since", "99999999h"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct dead_filter filter;
        dead_filter_init(&filter);
        error.text[0] = '\0';
        assert_false(dead_filter_set(&filter, cases[i][0], slice_of(cases[i][1]), NOON, &error));
        assert_true(strlen(error.text) > 10);
    }
}

static void every_name_can_be_set(void **unused)
{
    for (size_t i = 0; dead_filter_names[i]; i++) {
        const char *name = dead_filter_names[i];
        (void)filter_of(name, strcmp(name, "state") == 0 ? "any" : "1h");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_name_matches_by_itself),
        cmocka_unit_test(what_the_letter_does_not_say_matches_no_filter),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(every_name_can_be_set),
    };
    return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}
