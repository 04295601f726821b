/* SPDX-License-Identifier: Apache-2.0 */
/* Walking a partition's entities in key order, for partition-scoped reads. */
#include "worker/scan.h"

static bool move(struct scan *scan, struct slice after)
{
    bool exists;
    struct slice key;
    scan->valid = false;
    while (state_next_entity(scan->state, after, &key, &exists, &scan->value)) {
        if (key.len > sizeof(scan->key))
            return false;
        memmove(scan->key, key.p, key.len);
        scan->key_len = key.len;
        after = slice_make(scan->key, scan->key_len);
        if (exists) {
            scan->valid = true;
            return true;
        }
    }
    return false;
}

bool scan_seek(struct scan *scan, struct slice after)
{
    return move(scan, after);
}

bool scan_next(struct scan *scan)
{
    return scan->valid && move(scan, slice_make(scan->key, scan->key_len));
}

struct slice scan_key(const struct scan *scan)
{
    return slice_make(scan->key, scan->key_len);
}

struct slice scan_state(const struct scan *scan)
{
    return scan->value;
}
