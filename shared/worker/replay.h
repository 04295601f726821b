/* SPDX-License-Identifier: Apache-2.0 */
/* Internal to worker/. What a record of an event log does to the local copy. */
#ifndef ROUNDTRIP_WORKER_REPLAY_H
#define ROUNDTRIP_WORKER_REPLAY_H

#include "worker/runtime.h"

/**
 * Reads the next record of partition `p`'s log: moves the claim in force, and says what to apply. The change
 * borrows from the record. False: nothing to apply.
 */
bool replay_change(struct partition *p, const struct record *rec, struct state_change *ret_change);

#endif
