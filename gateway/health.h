/* SPDX-License-Identifier: Apache-2.0 */
/* Is this gateway able to take work? Set by the bus thread and by shutdown, read by every HTTP thread. */
#ifndef ROUNDTRIP_GATEWAY_HEALTH_H
#define ROUNDTRIP_GATEWAY_HEALTH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "answer.h"
#include "request.h"

/** What can be missing; ready is none of them. */
enum health_need {
    HEALTH_TOPICS = 1 << 0,   /* the topics are known, with their partition counts */
    HEALTH_PRODUCER = 1 << 1, /* the producer has the metadata of every commands topic */
    HEALTH_REPLIES = 1 << 2,  /* the reply partition is read, from an offset that is known */
    HEALTH_KAFKA = 1 << 3,    /* a broker can be reached */
    HEALTH_OPEN = 1 << 4,     /* it takes requests */
    HEALTH_KEYS = 1 << 5,     /* keys used before it started are known */
    HEALTH_STAYS = 1 << 6,    /* it is not about to shut down: until it does, it still serves */
};
/** A request that needs Kafka can be served. */
#define HEALTH_SERVES (HEALTH_TOPICS | HEALTH_PRODUCER | HEALTH_REPLIES | HEALTH_KAFKA | HEALTH_OPEN | HEALTH_KEYS)
#define HEALTH_ALL    (HEALTH_SERVES | HEALTH_STAYS)

struct health {
    const char *instance; /* fixed after init */
    _Atomic uint32_t have;
    _Atomic int32_t reply_partition; /* -1: not known yet */
    void (*describe)(void *arg, struct buf *out); /* fixed; appends more members to what health_ready() says; NULL: none */
    void *describe_arg;
};

void health_init(struct health *health, const char *instance);
void health_set(struct health *health, uint32_t needs, bool have);
bool health_has(const struct health *health, uint32_t needs);

/** 200, as long as the process can answer at all. */
void health_live(void *health, const struct request *req, struct answer *ret_answer);
/** 200, or 503 with what is missing. */
void health_ready(void *health, const struct request *req, struct answer *ret_answer);
/** The 503 of a request that needs Kafka while health_ready() says no. */
void health_refuse(const struct health *health, struct answer *ret_answer);

#endif
