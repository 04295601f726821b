/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries out redrives and discards, one job at a time, wherever a process has time for it.
 *
 * All runners of a cluster are members of one consumer group on the control topic's one partition: the group gives that
 * partition, and with it the work, to one of them, and to another when that one ends. A runner goes on from the last progress
 * record. A command that was sent but not marked before its runner died is sent again: it has its id, so that is no harm.
 *
 * One thread.
 */
#ifndef ROUNDTRIP_DEAD_RUNNER_H
#define ROUNDTRIP_DEAD_RUNNER_H

#include "bus/bus.h"
#include "dead/filter.h"

struct dead_runner;

struct dead_runner_options {
    const struct bus_settings *bus; /* all borrowed */
    const char *control; /* topic */
    const char *name;    /* of this process, for progress records */
};

/** Joins the group; waits for nothing. 0 or -errno and `ret_error`. */
int dead_runner_open(const struct dead_runner_options *options, struct dead_runner **ret_runner, struct dead_error *ret_error)
    __attribute__((warn_unused_result));
/** Does what there is to do for some 100 ms, or waits that long for work. */
void dead_runner_step(struct dead_runner *runner);
/** Leaves the group, after having noted how far it is. NULL is allowed. */
void dead_runner_close(struct dead_runner *runner);
/** Non-NULL: it can do no more; close it. */
const char *dead_runner_fatal(struct dead_runner *runner);

#endif
