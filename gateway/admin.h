/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listener for operators: its own port, its own HTTP threads, its own routes; and a thread that runs their jobs.
 *
 * Without a token only programs on this machine may ask: it binds to a loopback address, and refuses what a web page could make
 * a browser send. Its threads may wait for Kafka; they share nothing with those that serve clients.
 */
#ifndef ROUNDTRIP_GATEWAY_ADMIN_H
#define ROUNDTRIP_GATEWAY_ADMIN_H

#include "bus/bus.h"
#include "config.h"
#include "health.h"
#include "metrics_page.h"
#include "routes.h"

struct admin;

/** The settings of the listener, ended by a NULL name. */
extern const struct config_key admin_keys[];

struct admin_options {
    const struct config *config; /* all borrowed */
    const struct bus_settings *bus;
    const struct health *health;
    const char *instance;
    struct metrics_sources *metrics;
    const struct flow *flow; /* the clients': operators' requests to workers go the same way */
};
/** Listens and serves; NULL in `ret_admin` when it is switched off. 0 or -errno, with a line in the log. */
int admin_open(const struct admin_options *options, struct admin **ret_admin) __attribute__((warn_unused_result));
/** Stops; a job goes on elsewhere or later. NULL is allowed. */
void admin_close(struct admin *admin);
/** How to reach it; NULL when there is none. */
const char *admin_url(const struct admin *admin);

/** May this be asked? `token` "": by programs on this machine only. False: the answer to give. Pure. */
bool admin_allows(const char *token, const struct request *req, struct answer *ret_answer) __attribute__((warn_unused_result));

#endif
