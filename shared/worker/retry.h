/* SPDX-License-Identifier: Apache-2.0 */
/* When a command whose handler met a transient fault is tried again. Pure. */
#ifndef ROUNDTRIP_WORKER_RETRY_H
#define ROUNDTRIP_WORKER_RETRY_H

#include "worker/service.h"

#define RETRY_NEVER INT64_C(-1)

/** The operation's policy, or RETRY_DEFAULT where it has none. */
struct retry_policy retry_policy_of(const struct operation *op);
/**
 * Milliseconds until the next attempt after `failures` failed ones, the first of them `since_ms` ago; RETRY_NEVER when there is none.
 * `chance` is any 64 random bits: they choose between 0 and the backoff (full jitter).
 */
int64_t retry_delay_ms(const struct retry_policy *policy, int failures, int64_t since_ms, uint64_t chance);

#endif
