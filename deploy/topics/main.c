/* SPDX-License-Identifier: Apache-2.0 */
/* Makes all topics with the right settings and says of each what became of it. May be run again at any time.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bus/admin.h"
#include "config.h"
#include "settings.h"
#include "topic_table.h"

static const struct config_key own_settings[] = {
    {"timeout", CONFIG_DURATION, "30s", 1000, 600000, "How long to wait for the brokers."},
    {"dry-run", CONFIG_BOOL, "false", 0, 0, "Print the topics and their settings, and connect to nothing."},
    {NULL, CONFIG_STRING, NULL, 0, 0, NULL},
};

static void print_plan(const struct topic_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct admin_topic *topic = &plan->topics[i];
        printf("%s partitions=%d replication=", topic->name, topic->partitions);
        topic->replication > 0 ? printf("%d", topic->replication) : printf("default");
        for (size_t j = 0; j < topic->config_count; j++)
            printf(" %s=%s", topic->configs[j].name, topic->configs[j].value);
        printf("\n");
    }
}

/* True when the topic is as it should be. */
static bool print_outcome(const struct admin_topic *topic, const struct admin_outcome *outcome)
{
    switch (outcome->result) {
    case ADMIN_CREATED:
        printf("created %s (%d partitions)\n", topic->name, topic->partitions);
        return true;
    case ADMIN_EXISTS:
        printf("exists  %s (%d partitions)\n", topic->name, outcome->partitions);
        return true;
    case ADMIN_DIFFERS:
        printf("DIFFERS %s: %s\n", topic->name, outcome->detail.text);
        return false;
    case ADMIN_FAILED:
        printf("FAILED  %s: %s\n", topic->name, outcome->detail.text);
        return false;
    }
    return false;
}

static int make_topics(const struct config *config, const struct topic_plan *plan)
{
    static struct admin_outcome outcomes[TOPIC_PLAN_MAX];
    struct bus_error error = {""};
    struct bus_settings settings = {.bootstrap = config_string(config, "kafka"),
                                    .client_id = "roundtrip-topics"};
    settings.properties = config_kafka(config, &settings.property_count);

    int result = EXIT_FAILURE;
    struct admin *admin = NULL;
    if (admin_open(&settings, &admin, &error) != 0 ||
        admin_create_topics(admin, plan->topics, plan->count, (int)config_int(config, "timeout"), outcomes,
                            &error) != 0) {
        fprintf(stderr,
                "roundtrip-topics: %s: %s\nIs Kafka running there, and do kafka.security.protocol and its credentials fit? (The embedded "
                "broker makes its topics itself.)\n",
                settings.bootstrap, error.text);
        goto out;
    }
    result = EXIT_SUCCESS;
    for (size_t i = 0; i < plan->count; i++) {
        if (!print_outcome(&plan->topics[i], &outcomes[i]))
            result = EXIT_FAILURE;
    }
out:
    admin_close(admin);
    return result;
}

static int run(const struct config *config)
{
    static struct topic_plan plan;
    struct bus_error error;
    struct topic_options options = topic_options_of(config);
    if (!topic_plan_make(&options, &plan, &error)) {
        fprintf(stderr, "roundtrip-topics: %s\n", error.text);
        return 2;
    }
    if (!config_bool(config, "dry-run"))
        return make_topics(config, &plan);
    print_plan(&plan);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static const struct config_key *const tables[] = {settings_common, own_settings, topic_settings, NULL};
    static const struct config_program program = {"roundtrip-topics",
                                                  "Makes the topics that are not there yet. Leaves those "
                                                  "that are, says where they differ, and then exits with 1.",
                                                  tables};
    extern char **environ;
    struct config *config = NULL;
    switch (config_load(&program, argc, argv, environ, stdout, stderr, &config)) {
    case CONFIG_EXIT:
        return EXIT_SUCCESS;
    case CONFIG_WRONG:
        return 2;
    case CONFIG_RUN:
        break;
    }
    int result = settings_apply_log(config, "topics", "") == 0 ? run(config) : 2;
    config_free(config);
    return result;
}
