/* SPDX-License-Identifier: Apache-2.0 */
/* A group's committed offsets through the admin API (it is not joined), and the ends of its logs. */
#include "bus/lag.h"

#include <errno.h>
#include <stdlib.h>

#include "rk.h"

struct lag_client {
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
};

int lag_open(const struct bus_settings *settings, struct lag_client **ret_client, struct bus_error *ret_error)
{
    static const struct rk_setting none[] = {{NULL, NULL}};
    struct lag_client *client = calloc(1, sizeof(*client));
    if (!client)
        return -ENOMEM;
    rd_kafka_conf_t *conf = rk_conf(settings, "lag", none, ret_error);
    client->rk = conf ? rk_new(RD_KAFKA_PRODUCER, conf, ret_error) : NULL;
    if (!client->rk) {
        lag_close(client);
        return -EINVAL;
    }
    client->queue = rd_kafka_queue_new(client->rk);
    *ret_client = client;
    return 0;
}

void lag_close(struct lag_client *client)
{
    if (!client)
        return;
    if (client->queue)
        rd_kafka_queue_destroy(client->queue);
    if (client->rk)
        rd_kafka_destroy(client->rk);
    free(client);
}

static void take_committed(const rd_kafka_event_t *event, int32_t count, struct lag_position *positions)
{
    size_t groups;
    const rd_kafka_group_result_t **list = rd_kafka_ListConsumerGroupOffsets_result_groups(
        rd_kafka_event_ListConsumerGroupOffsets_result((rd_kafka_event_t *)event), &groups);
    bool known = groups == 1 && !rd_kafka_group_result_error(list[0]);
    const rd_kafka_topic_partition_list_t *offsets = known ? rd_kafka_group_result_partitions(list[0]) : NULL;
    for (int i = 0; offsets && i < offsets->cnt; i++) {
        const rd_kafka_topic_partition_t *at = &offsets->elems[i];
        if (!at->err && at->partition >= 0 && at->partition < count)
            positions[at->partition].done = at->offset;
    }
}

/* `done` stays -1 where nothing is committed. */
static int ask_committed(struct lag_client *client, const char *group, const char *topic, int32_t count, int timeout_ms,
                         struct lag_position *positions, struct bus_error *ret_error)
{
    rd_kafka_topic_partition_list_t *wanted = rd_kafka_topic_partition_list_new(count);
    for (int32_t p = 0; p < count; p++) {
        rd_kafka_topic_partition_list_add(wanted, topic, p);
        positions[p].done = -1;
    }
    rd_kafka_ListConsumerGroupOffsets_t *request = rd_kafka_ListConsumerGroupOffsets_new(group, wanted);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(client->rk, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    char text[BUS_ERROR_SIZE];
    rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, text, sizeof(text));
    rd_kafka_ListConsumerGroupOffsets(client->rk, &request, 1, options, client->queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(client->queue, 2 * timeout_ms);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ListConsumerGroupOffsets_destroy(request);
    rd_kafka_topic_partition_list_destroy(wanted);
    int err = event ? rk_errno(rd_kafka_event_error(event)) : -ETIMEDOUT;
    if (err)
        rk_error_set(ret_error, "%s", event ? rd_kafka_event_error_string(event) : "no answer in time");
    else
        take_committed(event, count, positions);
    if (event) {
        rd_kafka_event_destroy(event);
    } else { /* what comes after all must not be taken for the answer of a later question */
        rd_kafka_queue_destroy(client->queue);
        client->queue = rd_kafka_queue_new(client->rk);
    }
    return err;
}

int lag_ask(struct lag_client *client, const char *group, const char *topic, int32_t count, int timeout_ms,
            struct lag_position *ret_positions, struct bus_error *ret_error)
{
    int err = ask_committed(client, group, topic, count, timeout_ms, ret_positions, ret_error);
    for (int32_t p = 0; !err && p < count; p++) {
        int64_t low, high;
        rd_kafka_resp_err_t native = rd_kafka_query_watermark_offsets(client->rk, topic, p, &low, &high, timeout_ms);
        err = rk_errno(native);
        if (err) {
            rk_error_set(ret_error, "%s", rd_kafka_err2str(native));
            break;
        }
        ret_positions[p].end = high;
        if (ret_positions[p].done < low)
            ret_positions[p].done = low;
    }
    return err;
}
