/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway as a whole: put together, run until it is told to stop, taken apart in order. */
#ifndef ROUNDTRIP_GATEWAY_GATEWAY_H
#define ROUNDTRIP_GATEWAY_GATEWAY_H

#include "config.h"

/** At most so many of the setting http-threads. */
#define GATEWAY_HTTP_THREADS_MAX 64

/** The settings only the gateway has. */
extern const struct config_key gateway_keys[];

/**
 * Serves until SIGTERM or SIGINT, then lets what waits finish for at most 4 s and answers 503 to the rest.
 * The exit status: 0, or 1 when it could not start or its producer can not go on. Call before any other
 * thread is started.
 */
int gateway_run(const struct config *config);

#endif
