/* SPDX-License-Identifier: Apache-2.0 */
/* How far a consumer group is behind, asked of the brokers. Blocking; one thread only. */
#ifndef ROUNDTRIP_BUS_LAG_H
#define ROUNDTRIP_BUS_LAG_H

#include "bus/bus.h"

struct lag_client;

/** For one group, which is not joined. Opens without waiting for a broker. 0, or -errno and `ret_error`. */
int lag_open(const struct bus_settings *settings, const char *group, struct lag_client **ret_client,
             struct bus_error *ret_error) __attribute__((warn_unused_result));
void lag_close(struct lag_client *client); /* NULL is allowed */

struct lag_position {
    int64_t done; /* everything before it was committed by the group; without a commit: where the log begins */
    int64_t end;  /* of the log: the next record's offset */
};
/** For each of the topic's first `count` partitions. Waits `timeout_ms` for each answer. 0, or -errno and `ret_error`. */
int lag_ask(struct lag_client *client, const char *topic, int32_t count, int timeout_ms, struct lag_position *ret_positions,
            struct bus_error *ret_error) __attribute__((warn_unused_result));

#endif
