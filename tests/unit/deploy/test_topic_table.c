/* SPDX-License-Identifier: Apache-2.0 */
/* The list of topics: names, partitions and the settings that correctness rests on. */
#include "topics/topic_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct topic_plan plan;
static struct bus_error error;

static struct topic_options usual(void)
{
    return (struct topic_options){.services = "item,compute",
                                  .reply_topics = "replies",
                                  .control_topic = "control",
                                  .partitions = 6,
                                  .reply_partitions = 12,
                                  .replication = -1,
                                  .dedupe_window_ms = 86400000};
}

static const struct admin_topic *find(const char *name)
{
    for (size_t i = 0; i < plan.count; i++) {
        if (strcmp(plan.topics[i].name, name) == 0)
            return &plan.topics[i];
    }
    fail_msg("no topic %s", name);
    return NULL;
}

/* The value, or "" when the setting is left to the cluster. */
static const char *setting(const char *topic_name, const char *name)
{
    const struct admin_topic *topic = find(topic_name);
    for (size_t i = 0; i < topic->config_count; i++) {
        if (strcmp(topic->configs[i].name, name) == 0)
            return topic->configs[i].value;
    }
    return "";
}

static void make(struct topic_options options)
{
    if (!topic_plan_make(&options, &plan, &error))
        fail_msg("%s", error.text);
}

static void refuses(struct topic_options options, const char *reason)
{
    error.text[0] = '\0';
    assert_false(topic_plan_make(&options, &plan, &error));
    if (!strstr(error.text, reason))
        fail_msg("\"%s\" does not say \"%s\"", error.text, reason);
}

static void lists_three_topics_per_service_the_replies_and_the_control_topic(void **state)
{
    static const char *const names[] = {"item.commands",    "item.events",    "dlq.item.commands",
                                        "compute.commands", "compute.events", "dlq.compute.commands",
                                        "replies",          "control"};
    make(usual());
    assert_int_equal(plan.count, sizeof(names) / sizeof(names[0]));
    for (size_t i = 0; i < plan.count; i++) {
        bool reply = strcmp(names[i], "replies") == 0, control = strcmp(names[i], "control") == 0;
        assert_int_equal(find(names[i])->partitions, reply ? 12 : control ? 1 : 6);
        assert_int_equal(find(names[i])->replication, -1);
    }
}

static void events_are_compacted_but_not_within_the_dedupe_window(void **state)
{
    struct topic_options options = usual();
    options.dedupe_window_ms = 7200000;
    make(options);
    assert_string_equal(setting("item.events", "cleanup.policy"), "compact");
    assert_string_equal(setting("item.events", "min.compaction.lag.ms"), "7200000");
    assert_string_equal(setting("item.events", "max.compaction.lag.ms"),
                        "612000000"); /* the window and 7 days */
    assert_string_equal(setting("item.events", "retention.ms"), "");
}

static void commands_replies_and_dead_letters_age_out(void **state)
{
    make(usual());
    assert_string_equal(setting("item.commands", "cleanup.policy"), "delete");
    assert_string_equal(setting("item.commands", "retention.ms"), "604800000");
    assert_string_equal(setting("dlq.item.commands", "cleanup.policy"), "delete");
    assert_string_equal(setting("dlq.item.commands", "retention.ms"), "2592000000");
    assert_string_equal(setting("replies", "cleanup.policy"), "delete");
    assert_string_equal(setting("replies", "retention.ms"), "600000");
    assert_string_equal(setting("replies", "segment.ms"), "300000");
}

static void acknowledged_means_a_majority_has_it(void **state)
{
    static const struct {
        int32_t replication;
        const char *min_insync;
    } cases[] = {{-1, ""}, {1, "1"}, {2, "2"}, {3, "2"}, {4, "3"}, {5, "3"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct topic_options options = usual();
        options.replication = cases[i].replication;
        make(options);
        assert_int_equal(find("item.events")->replication, cases[i].replication);
        assert_string_equal(setting("item.events", "min.insync.replicas"), cases[i].min_insync);
        assert_string_equal(setting("item.commands", "min.insync.replicas"), cases[i].min_insync);
    }
}

static void an_unclean_leader_is_never_elected_where_a_record_counts(void **state)
{
    make(usual());
    assert_string_equal(setting("item.commands", "unclean.leader.election.enable"), "false");
    assert_string_equal(setting("compute.events", "unclean.leader.election.enable"), "false");
    assert_string_equal(setting("dlq.item.commands", "unclean.leader.election.enable"), "false");
}

static void takes_lists_with_spaces_and_empty_places(void **state)
{
    struct topic_options options = usual();
    options.services = " orders , ,item,";
    options.reply_topics = "replies,replies.batch";
    make(options);
    assert_int_equal(plan.count, 9);
    find("orders.events");
    find("dlq.item.commands");
    assert_int_equal(find("replies.batch")->partitions, 12);
}

static void refuses_what_is_no_topic_name(void **state)
{
    struct topic_options options = usual();
    options.services = "item,or/ders";
    refuses(options, "\"or/ders\" cannot be part of a topic's name");
    options.services = "caf\xc3\xa9";
    refuses(options, "cannot be part of a topic's name");
    options = usual();
    options.reply_topics = "..";
    refuses(options, "cannot be part of a topic's name");
}

static void refuses_a_name_that_is_too_long(void **state)
{
    char name[TOPIC_NAME_SIZE + 1] = "";
    memset(name, 'a', TOPIC_NAME_SIZE);
    struct topic_options options = usual();
    options.services = "";
    options.reply_topics = name;
    refuses(options, "at most 249 bytes");
    name[TOPIC_NAME_SIZE - 1] = '\0';
    make(options);
    assert_int_equal(strlen(plan.topics[0].name), 249);
}

static void refuses_the_same_topic_twice(void **state)
{
    struct topic_options options = usual();
    options.services = "item,item";
    refuses(options, "item.commands comes twice");
    options = usual();
    options.reply_topics = "item.events";
    refuses(options, "item.events comes twice");
}

static void refuses_more_than_fit(void **state)
{
    char names[8 * TOPIC_PLAN_MAX] = "";
    for (int i = 0; i <= TOPIC_PLAN_MAX; i++)
        snprintf(names + strlen(names), sizeof(names) - strlen(names), "r%d,", i);
    struct topic_options options = usual();
    options.services = "";
    options.reply_topics = names;
    refuses(options, "more than 64 topics");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_three_topics_per_service_the_replies_and_the_control_topic),
        cmocka_unit_test(events_are_compacted_but_not_within_the_dedupe_window),
        cmocka_unit_test(commands_replies_and_dead_letters_age_out),
        cmocka_unit_test(acknowledged_means_a_majority_has_it),
        cmocka_unit_test(an_unclean_leader_is_never_elected_where_a_record_counts),
        cmocka_unit_test(takes_lists_with_spaces_and_empty_places),
        cmocka_unit_test(refuses_what_is_no_topic_name),
        cmocka_unit_test(refuses_a_name_that_is_too_long),
        cmocka_unit_test(refuses_the_same_topic_twice),
        cmocka_unit_test(refuses_more_than_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
