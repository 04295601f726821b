/* SPDX-License-Identifier: Apache-2.0 */
/* Showing how far a job is, and running it here when no gateway does. */
#ifndef ROUNDTRIP_DEPLOY_FOLLOW_H
#define ROUNDTRIP_DEPLOY_FOLLOW_H

#include "bus/bus.h"
#include "dead/desk.h"

struct follow_options {
    const struct bus_settings *bus;
    const char *control, *name;
    struct dead_desk *desk;
};
/**
 * Follows a job until it is over or SIGINT or SIGTERM comes: lines on stderr, the job as JSON on stdout. The exit status: 0 done,
 * 1 not.
 */
int follow_job(const struct follow_options *options, const char *job_id);

#endif
