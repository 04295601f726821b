/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connecting to Kafka, and noticing when it is gone.
 *
 * Steps: the replies topic's partition count → this instance's partition of it; each commands topic's
 * partition count (which also gives the producer the metadata that its first send would otherwise wait for);
 * the end of the reply partition, from which it is then read. That offset is asked for before it counts as
 * ready: a start "at the end" is resolved some time later, and a reply that comes before that would be
 * missed.
 */
#include "link.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "log.h"

/** One question to a broker, while connecting. */
#define STEP_TIMEOUT_MS 200
#define RETRY_NS        (INT64_C(200) * 1000000)

int link_open(struct link *link, const struct link_options *options, struct bus_error *ret_error)
{
    *link = (struct link){.options = *options};
    link->origin = (struct command_origin){link->source, options->reply_topic, -1};
    snprintf(link->source, sizeof(link->source), "roundtrip-gateway/%s", options->instance);
    const char *services[ROUTES_SERVICES_MAX];
    link->service_count = routes_services(services);
    for (size_t i = 0; i < link->service_count; i++) {
        link->services[i].service = services[i];
        snprintf(link->services[i].commands, sizeof(link->services[i].commands), "%s.commands", services[i]);
    }
    const struct producer_options producer = {.settings = options->bus,
                                              .role = "commands",
                                              .pace = PACE_CALLERS,
                                              .unhurried = true, /* it is replies that requests wait for */
                                              .message_timeout_ms = options->message_timeout_ms,
                                              .delivered = options->delivered,
                                              .arg = options->arg};
    int err = producer_open(&producer, &link->producer, ret_error);
    if (!err)
        err = reader_open(options->bus, "replies", &link->reader, ret_error);
    if (err)
        link_close(link);
    return err;
}

void link_close(struct link *link)
{
    if (health_has(link->options.health, HEALTH_REPLIES))
        reader_remove(link->reader, link->options.reply_topic, link->origin.reply_partition);
    reader_close(link->reader);
    producer_close(link->producer);
    link->reader = NULL;
    link->producer = NULL;
}

const struct service_topic *link_service(const struct link *link, const char *service)
{
    for (size_t i = 0; i < link->service_count; i++) {
        if (strcmp(link->services[i].service, service) == 0)
            return &link->services[i];
    }
    return NULL;
}

/* Chooses the reply partition, once. */
static int32_t know_replies(struct link *link, struct bus_error *ret_error)
{
    if (link->origin.reply_partition >= 0)
        return 0;
    const struct link_options *options = &link->options;
    int32_t count = producer_warm(link->producer, options->reply_topic, STEP_TIMEOUT_MS, ret_error);
    if (count < 0)
        return count;
    if (options->reply_partition >= count) {
        snprintf(ret_error->text, sizeof(ret_error->text),
                 "reply-partition is %d, but topic %s has %d partitions", (int)options->reply_partition,
                 options->reply_topic, (int)count);
        return -ERANGE;
    }
    link->origin.reply_partition = options->reply_partition >= 0
                                       ? options->reply_partition
                                       : bus_partition_of(slice_of(options->instance), count);
    return 0;
}

static int32_t know_commands(struct link *link, struct bus_error *ret_error)
{
    for (; link->next_service < link->service_count; link->next_service++) {
        struct service_topic *service = &link->services[link->next_service];
        int32_t count = producer_warm(link->producer, service->commands, STEP_TIMEOUT_MS, ret_error);
        if (count < 0)
            return count;
        atomic_store(&service->partitions, count);
    }
    return 0;
}

static int32_t read_replies(struct link *link, struct bus_error *ret_error)
{
    const char *topic = link->options.reply_topic;
    int32_t p = link->origin.reply_partition;
    int64_t end;
    int err = reader_end(link->reader, topic, p, STEP_TIMEOUT_MS, &end);
    if (!err)
        err = reader_add(link->reader, topic, p, end);
    if (err) {
        snprintf(ret_error->text, sizeof(ret_error->text), "cannot read %s/%d: %s", topic, (int)p,
                 strerror(-err));
        return err;
    }
    atomic_store(&link->options.health->reply_partition, p);
    log_info("reading replies", "topic=%s partition=%d offset=%" PRId64, topic, (int)p, end);
    return 0;
}

static int32_t step(struct link *link, struct bus_error *ret_error)
{
    struct health *health = link->options.health;
    int32_t err = know_replies(link, ret_error);
    if (err)
        return err;
    err = know_commands(link, ret_error);
    if (err)
        return err;
    health_set(health, HEALTH_TOPICS | HEALTH_PRODUCER, true);
    err = read_replies(link, ret_error);
    if (!err)
        health_set(health, HEALTH_REPLIES, true);
    return err;
}

void link_advance(struct link *link, int64_t now_ns)
{
    struct health *health = link->options.health;
    bool connected = producer_connected(link->producer);
    if (connected != health_has(health, HEALTH_KAFKA))
        health_set(health, HEALTH_KAFKA, connected);
    if (health_has(health, HEALTH_REPLIES) || now_ns < link->retry_ns)
        return;
    struct bus_error problem = {""};
    if (step(link, &problem) != 0) {
        link->retry_ns = now_ns + RETRY_NS;
        if (strcmp(problem.text, link->problem.text) != 0) /* once each, not five times a second */
            log_warn("not ready yet", "reason=\"%s\"", problem.text);
        link->problem = problem;
    }
}
