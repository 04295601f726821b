/* SPDX-License-Identifier: Apache-2.0 */
/* Internal to worker/. What a decision means: status, precondition, effect, answer. */
#ifndef ROUNDTRIP_WORKER_SETTLE_H
#define ROUNDTRIP_WORKER_SETTLE_H

#include "worker/runtime.h"

/** The answer is a problem that no handler gave. */
void settle_problem(struct work *work, int status, const char *detail);
/** Has the caller's deadline passed? */
bool settle_expired(const struct work *work);

#endif
