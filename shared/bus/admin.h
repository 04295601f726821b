/* SPDX-License-Identifier: Apache-2.0 */
/* Making topics and checking that they are as they should be. Blocking; for the topics program and start-up checks. */
#ifndef ROUNDTRIP_BUS_ADMIN_H
#define ROUNDTRIP_BUS_ADMIN_H

#include "bus/bus.h"

#define ADMIN_TOPIC_CONFIGS_MAX 8

struct admin_topic {
    const char *name;
    int32_t partitions;
    int32_t replication; /* -1: the broker's default */
    struct config_property configs[ADMIN_TOPIC_CONFIGS_MAX];
    size_t config_count;
};

enum admin_result { ADMIN_CREATED, ADMIN_EXISTS, ADMIN_DIFFERS, ADMIN_FAILED };

struct admin_outcome {
    enum admin_result result;
    int32_t partitions;      /* as the cluster has them, where it exists */
    struct bus_error detail; /* why it failed or differs, and what to do */
};

struct admin;
int admin_open(const struct bus_settings *settings, struct admin **ret_admin, struct bus_error *ret_error)
    __attribute__((warn_unused_result));
void admin_close(struct admin *admin);
/**
 * Creates each topic that is not there, all in one request. ADMIN_DIFFERS: it exists with another number of partitions or
 * another value of a given config; it is left as it is. 0 when every outcome was filled in, else -errno and `ret_error`.
 */
int admin_create_topics(struct admin *admin, const struct admin_topic *topics, size_t count, int timeout_ms,
                        struct admin_outcome *ret_outcomes, struct bus_error *ret_error)
    __attribute__((warn_unused_result));

#endif
