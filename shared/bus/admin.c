/* SPDX-License-Identifier: Apache-2.0 */
/* Topics through the admin API: create what is missing, compare what is there. */
#include "bus/admin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "rk.h"

struct admin {
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
};

int admin_open(const struct bus_settings *settings, struct admin **ret_admin, struct bus_error *ret_error)
{
    static const struct rk_setting none[] = {{NULL, NULL}};
    struct admin *admin = calloc(1, sizeof(*admin));
    if (!admin)
        return -ENOMEM;
    rd_kafka_conf_t *conf = rk_conf(settings, "admin", none, ret_error);
    admin->rk = conf ? rk_new(RD_KAFKA_PRODUCER, conf, ret_error) : NULL;
    if (!admin->rk) {
        admin_close(admin);
        return -EINVAL;
    }
    admin->queue = rd_kafka_queue_new(admin->rk);
    *ret_admin = admin;
    return 0;
}

void admin_close(struct admin *admin)
{
    if (!admin)
        return;
    if (admin->queue)
        rd_kafka_queue_destroy(admin->queue);
    if (admin->rk)
        rd_kafka_destroy(admin->rk);
    free(admin);
}

static rd_kafka_AdminOptions_t *make_options(struct admin *admin, rd_kafka_admin_op_t op, int timeout_ms)
{
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(admin->rk, op);
    char text[64];
    rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, text, sizeof(text));
    return options;
}

/* Waits for the answer of the request just sent; NULL and `ret_error` when none came or it failed as a whole. */
static rd_kafka_event_t *await(struct admin *admin, int timeout_ms, struct bus_error *ret_error)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(admin->queue, timeout_ms + 1000);
    if (!event) {
        rk_error_set(ret_error, "no answer from Kafka within %d ms; is it running at that address?", timeout_ms);
        return NULL;
    }
    if (rd_kafka_event_error(event)) {
        rk_error_set(ret_error, "%s", rd_kafka_event_error_string(event));
        rd_kafka_event_destroy(event);
        return NULL;
    }
    return event;
}

static rd_kafka_NewTopic_t *new_topic(const struct admin_topic *topic, struct bus_error *ret_error)
{
    char text[BUS_ERROR_SIZE];
    rd_kafka_NewTopic_t *native =
        rd_kafka_NewTopic_new(topic->name, topic->partitions, topic->replication, text, sizeof(text));
    if (!native) {
        rk_error_set(ret_error, "topic %s: %s", topic->name, text);
        return NULL;
    }
    for (size_t i = 0; i < topic->config_count; i++)
        rd_kafka_NewTopic_set_config(native, topic->configs[i].name, topic->configs[i].value);
    return native;
}

static void outcome_of_create(const rd_kafka_topic_result_t *result, const struct admin_topic *topic,
                              struct admin_outcome *ret_outcome)
{
    rd_kafka_resp_err_t err = rd_kafka_topic_result_error(result);
    *ret_outcome = (struct admin_outcome){.result = ADMIN_CREATED, .partitions = topic->partitions};
    if (err == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
        ret_outcome->result = ADMIN_EXISTS;
    } else if (err) {
        const char *text = rd_kafka_topic_result_error_string(result);
        ret_outcome->result = ADMIN_FAILED;
        rk_error_set(&ret_outcome->detail, "%s", text ? text : rd_kafka_err2str(err));
    }
}

static int create(struct admin *admin, const struct admin_topic *topics, size_t count, int timeout_ms,
                  struct admin_outcome *ret_outcomes, struct bus_error *ret_error)
{
    int err = -EINVAL;
    rd_kafka_event_t *event = NULL;
    rd_kafka_NewTopic_t **natives = calloc(count, sizeof(*natives));
    rd_kafka_AdminOptions_t *options = make_options(admin, RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout_ms);
    if (!natives)
        goto out;
    for (size_t i = 0; i < count; i++) {
        if (!(natives[i] = new_topic(&topics[i], ret_error)))
            goto out;
    }
    rd_kafka_CreateTopics(admin->rk, natives, count, options, admin->queue);
    err = -EIO;
    event = await(admin, timeout_ms, ret_error);
    if (!event)
        goto out;
    size_t results = 0;
    const rd_kafka_topic_result_t **list =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &results);
    for (size_t i = 0; i < count && i < results; i++) /* results come in the order of the request */
        outcome_of_create(list[i], &topics[i], &ret_outcomes[i]);
    err = results == count ? 0 : -EIO;
out:
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    for (size_t i = 0; natives && i < count; i++) {
        if (natives[i])
            rd_kafka_NewTopic_destroy(natives[i]);
    }
    free(natives);
    return err;
}

static const char *config_value(const rd_kafka_ConfigResource_t *resource, const char *name)
{
    size_t count;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) == 0)
            return rd_kafka_ConfigEntry_value(entries[i]);
    }
    return NULL;
}

static void compare_configs(const rd_kafka_ConfigResource_t *resource, const struct admin_topic *topic,
                            struct admin_outcome *outcome)
{
    if (rd_kafka_ConfigResource_error(resource))
        return; /* not allowed to look: then it is the cluster's owner who knows */
    for (size_t i = 0; i < topic->config_count && outcome->result == ADMIN_EXISTS; i++) {
        const char *value = config_value(resource, topic->configs[i].name);
        if (!value || strcmp(value, topic->configs[i].value) == 0)
            continue;
        outcome->result = ADMIN_DIFFERS;
        rk_error_set(&outcome->detail, "%s is %s, wanted %s; change it with kafka-configs --alter", topic->configs[i].name,
                     value, topic->configs[i].value);
    }
}

static void describe(struct admin *admin, const struct admin_topic *topic, int timeout_ms,
                     struct admin_outcome *outcome)
{
    rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic->name);
    rd_kafka_AdminOptions_t *options = make_options(admin, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout_ms);
    rd_kafka_DescribeConfigs(admin->rk, &resource, 1, options, admin->queue);
    rd_kafka_event_t *event = await(admin, timeout_ms, &outcome->detail);
    if (event) {
        size_t count;
        const rd_kafka_ConfigResource_t **list =
            rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &count);
        if (count == 1)
            compare_configs(list[0], topic, outcome);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy(resource);
}

static void compare_partitions(struct admin *admin, const struct admin_topic *topic, int timeout_ms,
                               struct admin_outcome *outcome)
{
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(admin->rk, topic->name, NULL);
    const struct rd_kafka_metadata *metadata;
    if (rkt && !rd_kafka_metadata(admin->rk, 0, rkt, &metadata, timeout_ms)) {
        if (metadata->topic_cnt == 1 && !metadata->topics[0].err)
            outcome->partitions = metadata->topics[0].partition_cnt;
        rd_kafka_metadata_destroy(metadata);
    }
    if (rkt)
        rd_kafka_topic_destroy(rkt);
    if (outcome->partitions == topic->partitions)
        return;
    outcome->result = ADMIN_DIFFERS;
    rk_error_set(&outcome->detail,
                 "has %d partitions, wanted %d; a key's partition depends on their number: keep it, or start with new topics",
                 outcome->partitions, topic->partitions);
}

int admin_create_topics(struct admin *admin, const struct admin_topic *topics, size_t count, int timeout_ms,
                        struct admin_outcome *ret_outcomes, struct bus_error *ret_error)
{
    int err = create(admin, topics, count, timeout_ms, ret_outcomes, ret_error);
    for (size_t i = 0; !err && i < count; i++) {
        if (ret_outcomes[i].result != ADMIN_EXISTS)
            continue;
        compare_partitions(admin, &topics[i], timeout_ms, &ret_outcomes[i]);
        if (ret_outcomes[i].result == ADMIN_EXISTS)
            describe(admin, &topics[i], timeout_ms, &ret_outcomes[i]);
    }
    return err;
}
