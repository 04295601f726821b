/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A group's committed offsets and the ends of its logs.
 *
 * By a consumer that names the group and never joins it. The admin API (ListConsumerGroupOffsets) would need one client for all
 * groups, but librdkafka 2.0 crashes in it when the group's coordinator is moving.
 */
#include "bus/lag.h"

#include <errno.h>
#include <stdlib.h>

#include "rk.h"

struct lag_client {
    rd_kafka_t *rk;
};

int lag_open(const struct bus_settings *settings, const char *group, struct lag_client **ret_client,
             struct bus_error *ret_error)
{
    const struct rk_setting own[] = {{"group.id", group}, {"enable.auto.commit", "false"}, {NULL, NULL}};
    struct lag_client *client = calloc(1, sizeof(*client));
    if (!client)
        return -ENOMEM;
    rd_kafka_conf_t *conf = rk_conf(settings, "lag", own, ret_error);
    client->rk = conf ? rk_new(RD_KAFKA_CONSUMER, conf, ret_error) : NULL;
    if (!client->rk) {
        free(client);
        return -EINVAL;
    }
    *ret_client = client;
    return 0;
}

void lag_close(struct lag_client *client)
{
    if (!client)
        return;
    rd_kafka_destroy(client->rk);
    free(client);
}

/* `done` is below zero where nothing is committed. */
static rd_kafka_resp_err_t ask_committed(struct lag_client *client, const char *topic, int32_t count, int timeout_ms,
                                         struct lag_position *positions)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    for (int32_t p = 0; p < count; p++)
        rd_kafka_topic_partition_list_add(list, topic, p);
    rd_kafka_resp_err_t err = rd_kafka_committed(client->rk, list, timeout_ms);
    for (int i = 0; !err && i < list->cnt; i++) {
        err = list->elems[i].err;
        positions[list->elems[i].partition].done = list->elems[i].offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return err;
}

int lag_ask(struct lag_client *client, const char *topic, int32_t count, int timeout_ms, struct lag_position *ret_positions,
            struct bus_error *ret_error)
{
    rd_kafka_resp_err_t err = ask_committed(client, topic, count, timeout_ms, ret_positions);
    for (int32_t p = 0; !err && p < count; p++) {
        int64_t low, high;
        err = rd_kafka_query_watermark_offsets(client->rk, topic, p, &low, &high, timeout_ms);
        if (err)
            break;
        ret_positions[p].end = high;
        if (ret_positions[p].done < low)
            ret_positions[p].done = low;
    }
    if (err)
        rk_error_set(ret_error, "%s", rd_kafka_err2str(err));
    return rk_errno(err);
}
