/* SPDX-License-Identifier: Apache-2.0 */
/* Internal to dead/: what the files of the desk share. Thread and errors as in desk.h. */
#ifndef ROUNDTRIP_DEAD_DESK_OWN_H
#define ROUNDTRIP_DEAD_DESK_OWN_H

#include "dead/desk.h"

/** Where the partition begins and ends: 0, -ENOENT when there is none, or -errno; with `ret_error`. Waits for the broker. */
int dead_desk_ends(struct dead_desk *desk, const char *topic, int32_t partition, int64_t *ret_low, int64_t *ret_high,
                   struct dead_error *ret_error) __attribute__((warn_unused_result));
/** As dead_desk_next(), but that nothing comes within DEAD_TIMEOUT_MS is an error, -ETIMEDOUT. */
int dead_desk_next_or_fail(struct dead_desk *desk, struct dead_scan *scan, struct message **ret_msg,
                           struct dead_error *ret_error) __attribute__((warn_unused_result));

#endif
