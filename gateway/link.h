/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This gateway's connection to Kafka: the producer of commands, the reader of replies, what is known of the
 * topics.
 *
 * The bus thread opens it step by step (link_advance) until everything a request needs is there; HTTP threads
 * send through it (link_send).
 */
#ifndef ROUNDTRIP_GATEWAY_LINK_H
#define ROUNDTRIP_GATEWAY_LINK_H

#include <stdatomic.h>
#include <stdint.h>

#include "bus/producer.h"
#include "bus/reader.h"
#include "command.h"
#include "health.h"
#include "routes.h"

struct link_options {
    const struct bus_settings *bus;
    const char *instance; /* its hash chooses the reply partition */
    const char *reply_topic;
    int32_t reply_partition;    /* -1: by the instance */
    int64_t message_timeout_ms; /* how long Kafka may take to accept a command */
    struct health *health;
    producer_delivered_fn *delivered;
    void *arg;
};

struct service_topic {
    const char *service;
    char commands[128];
    _Atomic int32_t partitions; /* 0: not known yet */
};

struct link {
    /* fixed after link_open() */
    struct link_options options;
    struct producer *producer;
    struct reader *reader;
    char source[160]; /* ce_source of every command */
    struct service_topic services[ROUTES_SERVICES_MAX];
    size_t service_count;
    /* bus thread only */
    size_t next_service;      /* the first one that is not known yet */
    int64_t retry_ns;         /* when to try the next step */
    struct bus_error problem; /* the last one that was logged */
    /* written by the bus thread before HEALTH_REPLIES is set, read by all after it */
    struct command_origin origin;
};

/** 0 or -errno and `ret_error`; waits for nothing. */
int link_open(struct link *link, const struct link_options *options, struct bus_error *ret_error)
    __attribute__((warn_unused_result));
void link_close(struct link *link);

/** Bus thread: does what is still missing, waiting a little for each answer, and keeps `health` true. */
void link_advance(struct link *link, int64_t now_ns);
/** Where a service's commands go. */
const struct service_topic *link_service(const struct link *link, const char *service);

#endif
