/* SPDX-License-Identifier: Apache-2.0 */
/* Internal to worker/. What to do with a command. */
#ifndef ROUNDTRIP_WORKER_DISPATCH_H
#define ROUNDTRIP_WORKER_DISPATCH_H

#include "worker/runtime.h"

void dispatch_command(struct work *work);
/** Runs a partition-scoped read on the local copy, now that everything before it is final. */
void dispatch_scan(struct work *work);
/** The handler has decided: status, precondition, effect, answer. */
void dispatch_settle(struct work *work);
/** To the dead letter topic, and a problem of that status to whoever waits. */
void dispatch_bury(struct work *work, int status, const char *detail);
/** The event of a write does not fit a record: refuses the write instead. */
void dispatch_too_large(struct work *work);
/** Its answer does not: says so instead. */
void dispatch_answer_too_large(struct work *work);
/** Starts a command that is in its right place, or queues it behind others of its key. */
void dispatch_admitted(struct work *work);
/** Runs a command again that was put aside. */
void dispatch_again(struct work *work);
/** Settles a command that was put aside and will not be run. */
void dispatch_undone(struct work *work);
/** Starts what waited behind a command that is decided now. */
void dispatch_wake_waiting(struct partition *p);
/** A pooled handler ended. */
void dispatch_pool_done(void *arg, bool ran);

#endif
