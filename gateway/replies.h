/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bus thread: reads the reply partition, gives each reply to the request that waits for it, ends requests
 * whose time is up, serves the producer, follows the logs of events. The only thread that takes requests out
 * of the pending table.
 */
#ifndef ROUNDTRIP_GATEWAY_REPLIES_H
#define ROUNDTRIP_GATEWAY_REPLIES_H

#include <stdatomic.h>
#include <stdbool.h>

#include <pthread.h>

#include "degrade.h"
#include "events.h"
#include "exchange.h"
#include "idempotency.h"
#include "link.h"
#include "loop.h"
#include "pending.h"
#include "stats.h"

struct replies_options {
    struct link *link;
    struct events *events;
    struct pending *pending;
    struct idempotency *keys;
    struct degrade *degrade;
    struct health *health;
    struct stats *stats;
    void (*ended)(struct exchange *x); /* gives an exchange back to its HTTP thread: pool_resume() */
    void (*changed)(void *arg); /* ready or fatal: may be called often */
    void *arg;
};

struct replies {
    struct replies_options options; /* fixed */
    struct loop loop;
    int wake_fd;
    pthread_t thread;
    _Atomic bool stop, fatal;
};

/** Starts the thread. 0 or -errno. */
int replies_start(struct replies *replies, const struct replies_options *options)
    __attribute__((warn_unused_result));
/** Ends the thread; nothing may be waiting. */
void replies_stop(struct replies *replies);
/** Any thread: look at the pending table now. */
void replies_wake(struct replies *replies);
/** Once true, commands cannot be sent any more: the process must be replaced. */
bool replies_fatal(const struct replies *replies);

/** The producer's callback (`arg` is the struct replies), on the bus thread. */
void replies_delivered(void *arg, const struct delivery *delivery);

#endif
