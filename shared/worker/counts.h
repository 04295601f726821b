/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internal to worker/. How often a command was tried, and how many processes ended over it: records of the event log with the key
 * "__attempts/<command id>", so that they survive the process and move with the partition. Who appends may lose its claim by it, and the
 * work be gone.
 */
#ifndef ROUNDTRIP_WORKER_COUNTS_H
#define ROUNDTRIP_WORKER_COUNTS_H

#include "worker/runtime.h"

/** Appends the work's count. */
void counts_note(struct work *work);
/** Appends the end of the work's count, if it has one and is not convicted. */
void counts_forget(struct work *work);
/** Appends the end of a command's count. */
void counts_remove(struct partition *p, struct slice id);
/** What the log, as far as it is known, counts of the work's command. False: nothing. */
bool counts_find(const struct work *work, struct state_count *ret_count);
/** Appends the count of a command anew before its partition serves: a repair. */
void counts_correct(struct partition *p, struct slice id, const struct state_count *count);

#endif
