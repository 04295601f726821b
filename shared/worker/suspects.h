/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internal to worker/. The command that ends its process is found, and its neighbours are not blamed.
 *
 * Each claim says from which command offset its owner goes on. SUSPECTS_CLAIMS claims in a row from the same offset mean
 * that owners come and go without progress; a claim does not count when it follows one of the same process, or one whose owner has said
 * that it stops in good order (key "__left"). Then the commands that were there at the claim, the suspects, run one at a time, each behind a
 * count in the log (key "__attempts/<command id>") that says "started"; those that came later wait meanwhile.
 *
 * Only who ran alone is blamed: whoever finds SUSPECTS_CRASHES counts of that kind for a command makes it a dead letter of the class
 * "crashed". One that works on the pool is let go after SUSPECTS_ALONE_NS: its count becomes one that says "beside others", and blames nobody.
 * A process that ends now leaves such counts behind. In the next one their commands come after the other suspects, begin when none of
 * them runs any more and all else has ended (which is waited for only as long as they are to run alone), and run alone for twice as long, so
 * that what ends its process late is alone at last.
 *
 * What ended otherwise takes its count back: an orderly stop at once, a claim that was lost when its process has the partition again.
 */
#ifndef ROUNDTRIP_WORKER_SUSPECTS_H
#define ROUNDTRIP_WORKER_SUSPECTS_H

#include "worker/runtime.h"

#define SUSPECTS_CLAIMS  3
#define SUSPECTS_CRASHES 2
/** How long a command on the pool runs alone, twice as long for each process that ended while others ran beside it. */
#define SUSPECTS_ALONE_NS  (INT64_C(1000) * 1000000)
#define SUSPECTS_DOUBLINGS 9

/** For how long a command runs alone that was beside others in so many processes that ended. Pure. */
int64_t suspects_alone_ns(int beside);

/** The partition is about to serve: must its first commands be looked at one by one? May ask the broker. */
void suspects_begin(struct partition *p);
/** True: the command waits; it comes back by suspects_tick(). */
bool suspects_hold(struct work *work);
/** A command's count stands in the log: its turn begins, or is over. `note` is the count. */
void suspects_counted(struct work *note);
/**
 * The work has come through, or waits for something else: the next one's turn. True: the log still says that it was at work when its
 * process ended, if this one ends.
 */
bool suspects_passed(struct work *work);
/** Whose turn is it? Runs handlers, so only between deliveries. */
void suspects_tick(struct partition *p, int64_t now_ns);
/** An orderly stop: whoever is at work has not crashed, and the next claim does not count. Appends. */
void suspects_pardon(struct partition *p);
/** The partition's works are about to be dropped: whose counts stand in the log? */
void suspects_clear(struct partition *p);
/** The partition is repaired: takes back the counts of those, for this process has not ended. Appends. */
void suspects_absolve(struct partition *p);
/** Frees what suspects_clear() keeps. */
void suspects_done(struct partition *p);

#endif
