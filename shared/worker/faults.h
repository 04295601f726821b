/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internal to worker/. What becomes of a command whose handler met a fault: another attempt, a dead letter, or an answer
 * in time that says to come again.
 *
 * Attempts are counted in the log (counts.h); only failures cost a record. While a command waits for its next attempt, later ones of its key wait behind it.
 */
#ifndef ROUNDTRIP_WORKER_FAULTS_H
#define ROUNDTRIP_WORKER_FAULTS_H

#include "worker/runtime.h"

/** May a command of that operation run now? False: it was put aside until its breaker lets it, or is gone with its claim. */
bool faults_admit(struct work *work);
/** A handler has ended. True: the work waits for another attempt, or is gone with its claim. False: settle what was decided. */
bool faults_postpone(struct work *work);
/** A read of a whole partition met a fault: it holds up nobody and has changed nothing, so its caller hears at once. */
void faults_answer(struct work *work);
/** The work ends, or its claim does, and nobody will know how it would have gone. */
void faults_abandon(struct work *work);
/** Runs what is due. */
void faults_tick(struct partition *p, int64_t now_ns);
/** A command waits in p->waiting now. */
void faults_queued(const struct work *work);
/** Answers those in p->waiting that stand behind one that is tried again, and whose deadline comes near. */
void faults_hurry(struct partition *p, int64_t now_ns);

#endif
