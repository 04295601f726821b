/* SPDX-License-Identifier: Apache-2.0 */
/* Lists the topics with their settings, from the names of the services. */
#include "topic_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MINUTE_MS INT64_C(60000)
#define DAY_MS    (24 * 60 * MINUTE_MS)
/* How long after the dedupe window an outdated event may still be in the log: it bounds the replay of a new
 * worker. */
#define COMPACTED_WITHIN_MS (7 * DAY_MS)

const struct config_key topic_settings[] = {
    {"services", CONFIG_STRING, "item,compute", 0, 0, "Services that get topics, comma separated."},
    {"partitions", CONFIG_INT, "6", 1, 10000,
     "Partitions of commands, events and dead letters. Cannot be changed later."},
    {"reply-partitions", CONFIG_INT, "12", 1, 10000, "Partitions of the reply topics; a gateway reads one."},
    {"replication", CONFIG_INT, "-1", -1, 100, "Copies of each partition; -1: the cluster's default."},
    {"reply-topics", CONFIG_STRING, "replies", 0, 0, "Reply topics, comma separated."},
    {"control-topic", CONFIG_STRING, "control", 0, 0, "Topic of what operators do about dead letters."},
    {"dedupe-window", CONFIG_DURATION, "24h", 1000, 365 * DAY_MS,
     "How long the outcome of a command is kept: as the workers have it."},
    {NULL, CONFIG_STRING, NULL, 0, 0, NULL},
};

/* Some values depend on the options and stand in the plan; these stand for them in the tables below. */
static const char min_insync[] = "<min insync>", dedupe_window[] = "<window>",
                  compacted_within[] = "<compacted within>";

struct kind {
    const char *prefix, *suffix;
    struct config_property configs[ADMIN_TOPIC_CONFIGS_MAX]; /* ended by a NULL name if there are fewer */
};

/* A command is of no use once its deadline and every retry are long past; a week is for looking at what
 * happened. */
static const struct kind service_kinds[] = {
    {"",
     ".commands",
     {{"cleanup.policy", "delete"},
      {"retention.ms", "604800000"},
      {"unclean.leader.election.enable", "false"},
      {"min.insync.replicas", min_insync}}},
    /* The truth: never deleted by age, only compacted, and not before a repeated command's outcome may be
     * forgotten. A worker that was away for less than delete.retention.ms still meets every tombstone. */
    {"",
     ".events",
     {{"cleanup.policy", "compact"},
      {"min.compaction.lag.ms", dedupe_window},
      {"max.compaction.lag.ms", compacted_within},
      {"delete.retention.ms", "604800000"},
      {"unclean.leader.election.enable", "false"},
      {"min.insync.replicas", min_insync}}},
    {"dlq.",
     ".commands",
     {{"cleanup.policy", "delete"},
      {"retention.ms", "2592000000"},
      {"unclean.leader.election.enable", "false"},
      {"min.insync.replicas", min_insync}}},
};

/* Nobody reads a reply twice. Only whole segments are deleted, so they must be short and small for the
 * retention to hold. */
static const struct kind reply_kind = {"",
                                       "",
                                       {{"cleanup.policy", "delete"},
                                        {"retention.ms", "600000"},
                                        {"segment.ms", "300000"},
                                        {"segment.bytes", "67108864"},
                                        {"min.insync.replicas", min_insync}}};

/* What was done about each dead letter must be known for as long as the letter is there: twice its time. */
static const struct kind control_kind = {"",
                                         "",
                                         {{"cleanup.policy", "compact,delete"},
                                          {"retention.ms", "5184000000"},
                                          {"unclean.leader.election.enable", "false"},
                                          {"min.insync.replicas", min_insync}}};

struct topic_options topic_options_of(const struct config *config)
{
    return (struct topic_options){
        .services = config_string(config, "services"),
        .reply_topics = config_string(config, "reply-topics"),
        .control_topic = config_string(config, "control-topic"),
        .partitions = (int32_t)config_int(config, "partitions"),
        .reply_partitions = (int32_t)config_int(config, "reply-partitions"),
        .replication = (int32_t)config_int(config, "replication"),
        .dedupe_window_ms = config_int(config, "dedupe-window"),
    };
}

/* NULL: leave it to the cluster. */
static const char *config_value(const struct topic_plan *plan, const char *value)
{
    if (value == min_insync)
        return plan->min_insync[0] ? plan->min_insync : NULL;
    if (value == dedupe_window)
        return plan->dedupe_window;
    return value == compacted_within ? plan->compacted_within : value;
}

static bool add_topic(struct topic_plan *plan, const struct kind *kind, struct slice base, int32_t partitions,
                      int32_t replication, struct bus_error *ret_error)
{
    if (plan->count == TOPIC_PLAN_MAX) {
        snprintf(ret_error->text, sizeof(ret_error->text), "more than %d topics: make them in several runs",
                 TOPIC_PLAN_MAX);
        return false;
    }
    char *name = plan->names[plan->count];
    int len = snprintf(name, TOPIC_NAME_SIZE, "%s%.*s%s", kind->prefix, (int)base.len, base.p, kind->suffix);
    if (len >= TOPIC_NAME_SIZE) {
        snprintf(ret_error->text, sizeof(ret_error->text),
                 "\"%.40s...\": a topic's name has at most %d bytes", name, TOPIC_NAME_SIZE - 1);
        return false;
    }
    for (size_t i = 0; i < plan->count; i++) {
        if (strcmp(plan->names[i], name) == 0) {
            snprintf(ret_error->text, sizeof(ret_error->text), "topic %.100s comes twice: name each once",
                     name);
            return false;
        }
    }
    struct admin_topic *topic = &plan->topics[plan->count++];
    *topic = (struct admin_topic){.name = name, .partitions = partitions, .replication = replication};
    for (size_t i = 0; i < ADMIN_TOPIC_CONFIGS_MAX && kind->configs[i].name; i++) {
        const char *value = config_value(plan, kind->configs[i].value);
        if (value)
            topic->configs[topic->config_count++] = (struct config_property){kind->configs[i].name, value};
    }
    return true;
}

/* Kafka's legal characters; "." and ".." would be legal otherwise and are not. */
static bool name_possible(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.p[i];
        bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alphanumeric && c != '.' && c != '_' && c != '-')
            return false;
    }
    return name.len > 0 && strspn(name.p, ".") < name.len;
}

/* Takes the next name off a comma list, without spaces around it. False at the end. */
static bool next_name(const char **list, struct slice *ret_name)
{
    const char *p = *list + strspn(*list, " ,");
    size_t len = strcspn(p, ",");
    *list = p + len;
    while (len > 0 && p[len - 1] == ' ')
        len--;
    *ret_name = (struct slice){p, len};
    return len > 0;
}

static bool add_list(struct topic_plan *plan, const char *list, const struct kind *kinds, size_t kind_count,
                     int32_t partitions, int32_t replication, struct bus_error *ret_error)
{
    struct slice name;
    while (next_name(&list, &name)) {
        if (!name_possible(name)) {
            snprintf(ret_error->text, sizeof(ret_error->text),
                     "\"%.*s\" cannot be part of a topic's name: use letters, digits, '.', '_' and '-'",
                     (int)(name.len < 100 ? name.len : 100), name.p);
            return false;
        }
        for (size_t i = 0; i < kind_count; i++) {
            if (!add_topic(plan, &kinds[i], name, partitions, replication, ret_error))
                return false;
        }
    }
    return true;
}

bool topic_plan_make(const struct topic_options *options, struct topic_plan *ret_plan,
                     struct bus_error *ret_error)
{
    struct topic_plan *plan = ret_plan;
    *plan = (struct topic_plan){.count = 0};
    /* A majority: then no acknowledged record is lost with one node, and one node of three may be away. */
    if (options->replication > 0)
        snprintf(plan->min_insync, TOPIC_SETTING_SIZE, "%d", options->replication / 2 + 1);
    snprintf(plan->dedupe_window, TOPIC_SETTING_SIZE, "%" PRId64, options->dedupe_window_ms);
    snprintf(plan->compacted_within, TOPIC_SETTING_SIZE, "%" PRId64,
             options->dedupe_window_ms + COMPACTED_WITHIN_MS);
    return add_list(plan, options->services, service_kinds, sizeof(service_kinds) / sizeof(service_kinds[0]),
                    options->partitions, options->replication, ret_error) &&
           add_list(plan, options->reply_topics, &reply_kind, 1, options->reply_partitions,
                    options->replication, ret_error) &&
           add_list(plan, options->control_topic, &control_kind, 1, 1, options->replication, ret_error);
}
