/* SPDX-License-Identifier: Apache-2.0 */
/* Internal to the gateway's assembly: what it consists of, opened by gateway_open.c and run by gateway.c. Main thread. */
#ifndef ROUNDTRIP_GATEWAY_GATEWAY_OWN_H
#define ROUNDTRIP_GATEWAY_GATEWAY_OWN_H

#include "admin.h"
#include "admission.h"
#include "degrade.h"
#include "events.h"
#include "flow.h"
#include "gateway.h"
#include "lifecycle.h"
#include "link.h"
#include "listener.h"
#include "loop.h"
#include "measures.h"
#include "metrics_page.h"
#include "pool.h"
#include "replies.h"
#include "survey.h"
#include "tls.h"

/* In the order in which they are started; stopped in the other. */
struct gateway {
    const struct config *config;
    struct lifecycle life;
    int bell;         /* eventfd: the bus thread has news */
    struct loop loop; /* of the main thread */
    char instance[64];
    struct bus_settings bus, admin_bus;
    struct access *access;
    struct tls *tls;
    struct stats stats;
    struct measures measures;
    struct metrics_sources metrics;
    struct health health;
    struct pending *pending;
    struct idempotency *keys;
    struct admission admission;
    struct watch *watch;
    struct stream_pace pace;
    struct downloads downloads;
    struct reuse *reuse;
    struct degrade *degrade;
    struct link link;
    struct events events;
    struct replies replies;
    struct survey *survey;
    struct flow flow;
    struct pool *pool;
    struct listener listener;
    struct admin *admin;
};

/** Its name, from the settings or made up. */
void gateway_name_instance(struct gateway *gateway);
/** Each connection needs a descriptor, and each shard two: as many as the system lets us have. */
void gateway_raise_descriptor_limit(int64_t connections);

/*
 * Each part in turn, in this order. 0 or -errno, and then the reason is logged, but where only memory was short. What is open is closed at the
 * end of gateway_run(), whichever of them failed.
 */

/** Who may call, and how. Before anything else: a wrong file is a mistake that should cost no time. */
int gateway_open_access(struct gateway *gateway) __attribute__((warn_unused_result));
/** The port: that it is taken is the commonest mistake, and cheap to find out. */
int gateway_open_listener(struct gateway *gateway) __attribute__((warn_unused_result));
/** Who waits, which keys are known, and which services answer. */
int gateway_open_tables(struct gateway *gateway) __attribute__((warn_unused_result));
/** Kafka: the link, the logs of events, the bus thread. Of these nothing is left open when it fails. */
int gateway_open_bus(struct gateway *gateway) __attribute__((warn_unused_result));
/** What each request goes through, of the parts so far; opens nothing. The two that follow borrow it. */
void gateway_make_flow(struct gateway *gateway);
/** The operators' listener and its thread, if there is to be one. */
int gateway_open_admin(struct gateway *gateway) __attribute__((warn_unused_result));
/** The HTTP threads; with serve-early clients are let in from here on, else once the gateway is ready. */
int gateway_open_http(struct gateway *gateway) __attribute__((warn_unused_result));

#endif
