/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which topics there are, and how each must be set: the one place that knows.
 *
 * Pure. To add a kind of topic: a row in topic_table.c's table. roundtrip-topics makes them in a real
 * cluster, roundtrip-embedded-broker in its memory.
 */
#ifndef ROUNDTRIP_DEPLOY_TOPIC_TABLE_H
#define ROUNDTRIP_DEPLOY_TOPIC_TABLE_H

#include <stdint.h>

#include "bus/admin.h"
#include "config.h"

#define TOPIC_PLAN_MAX     64
#define TOPIC_NAME_SIZE    250 /* Kafka's limit of 249 and a NUL */
#define TOPIC_SETTING_SIZE 24

struct topic_options {
    const char *services;     /* comma list: "item,compute" */
    const char *reply_topics; /* comma list: "replies" */
    const char *control_topic; /* "control" */
    int32_t partitions; /* of commands, events and dead letters; equal, so that an event has its command's
                           partition */
    int32_t reply_partitions;
    int32_t replication; /* -1: the cluster's default, and then its min.insync.replicas too */
    int64_t dedupe_window_ms;
};

/** The topics, ready for admin_create_topics(). They point into the plan: do not copy or move it. */
struct topic_plan {
    struct admin_topic topics[TOPIC_PLAN_MAX];
    size_t count;
    char names[TOPIC_PLAN_MAX][TOPIC_NAME_SIZE];
    char min_insync[TOPIC_SETTING_SIZE], dedupe_window[TOPIC_SETTING_SIZE],
        compacted_within[TOPIC_SETTING_SIZE];
};

/** The settings both programs take, for config_load(). */
extern const struct config_key topic_settings[];
/** The options in force; strings live as long as the config. */
struct topic_options topic_options_of(const struct config *config);

/** Lists the topics. False and `ret_error` (which says what to change) when a name is not possible or given
 * twice. */
bool topic_plan_make(const struct topic_options *options, struct topic_plan *ret_plan,
                     struct bus_error *ret_error) __attribute__((warn_unused_result));

#endif
