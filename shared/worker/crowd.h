/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internal to worker/. How many commands wait behind an undecided one of their key, and whether that is too many.
 *
 * Counted by the bucket of the key's hash: O(1), and two busy keys that share one only pause the partition sooner.
 */
#ifndef ROUNDTRIP_WORKER_CROWD_H
#define ROUNDTRIP_WORKER_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CROWD_BUCKETS 1024

/** Zero-initialised: nobody waits. */
struct crowd {
    uint16_t waiting[CROWD_BUCKETS];
    bool crowded[CROWD_BUCKETS];
    int crowds; /* buckets that are crowded */
};

/** A command of the key with this hash begins to wait; `limit` are too many. True: they are now. */
bool crowd_enter(struct crowd *crowd, uint64_t hash, int limit);
/** It waits no more. At half the limit they are few again. */
void crowd_leave(struct crowd *crowd, uint64_t hash, int limit);

#endif
