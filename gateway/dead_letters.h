/* SPDX-License-Identifier: Apache-2.0 */
/* Dead letters over HTTP, for operators: listed, read, redriven, discarded. */
#ifndef ROUNDTRIP_GATEWAY_DEAD_LETTERS_H
#define ROUNDTRIP_GATEWAY_DEAD_LETTERS_H

#include <pthread.h>

#include "dead/desk.h"
#include "health.h"
#include "routes.h"

/** The context of the routes below. */
struct dead_letters {
    /* fixed after init; borrowed */
    const struct bus_settings *bus;
    const struct health *health;
    const char *instance, *control, *token;
    /* guarded by lock, which is held while Kafka is waited for */
    pthread_mutex_t lock;
    struct dead_desk desk; /* opened by the first who asks */
    bool open;
};
void dead_letters_init(struct dead_letters *letters, const struct bus_settings *bus, const struct health *health,
                       const char *instance, const char *control, const char *token);
void dead_letters_done(struct dead_letters *letters);

extern const struct route_table dead_letters_routes;

#endif
