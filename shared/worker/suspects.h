/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internal to worker/. The command that ends its process is found, and its neighbours are not blamed.
 *
 * Each claim says from which command offset its owner goes on. SUSPECTS_CLAIMS claims in a row from the same offset mean
 * that owners come and go without progress. Then the commands of this process, of all its partitions, run one at a time; and
 * those that were there at the claim each behind a count in the log (key "__attempts/<command id>") that says "started".
 * Whoever finds SUSPECTS_CRASHES of those for a command makes it a dead letter of the class "crashed". An orderly stop
 * takes its count back.
 */
#ifndef ROUNDTRIP_WORKER_SUSPECTS_H
#define ROUNDTRIP_WORKER_SUSPECTS_H

#include "worker/runtime.h"

#define SUSPECTS_CLAIMS  3
#define SUSPECTS_CRASHES 2

/** The partition is about to serve: must its first commands be looked at one by one? May ask the broker. */
void suspects_begin(struct partition *p);
/** True: the command waits for its turn; it comes back by suspects_tick(). */
bool suspects_hold(struct work *work);
/** A command's count stands in the log: its turn. `note` is the count. */
void suspects_counted(struct work *note);
/**
 * The work has come through, or waits for something else: the next one's turn. True: the log still says that it was at work when its
 * process ended, if this one ends.
 */
bool suspects_passed(struct work *work);
/** Whose turn is it? Runs handlers, so only between deliveries. */
void suspects_tick(struct partition *p);
/** An orderly stop: whoever is at work has not crashed. Appends. */
void suspects_pardon(struct partition *p);

#endif
