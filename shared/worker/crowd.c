/* SPDX-License-Identifier: Apache-2.0 */
/* Counting who waits; see crowd.h. */
#include "worker/crowd.h"

#include <assert.h>

bool crowd_enter(struct crowd *crowd, uint64_t hash, int limit)
{
    size_t at = hash % CROWD_BUCKETS;
    if (++crowd->waiting[at] < limit || crowd->crowded[at])
        return false;
    crowd->crowded[at] = true;
    crowd->crowds++;
    return true;
}

void crowd_leave(struct crowd *crowd, uint64_t hash, int limit)
{
    size_t at = hash % CROWD_BUCKETS;
    assert(crowd->waiting[at] > 0);
    if (--crowd->waiting[at] > limit / 2 || !crowd->crowded[at])
        return;
    crowd->crowded[at] = false;
    crowd->crowds--;
}
