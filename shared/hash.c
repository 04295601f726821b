/* SPDX-License-Identifier: Apache-2.0 */
/* XXH3 behind our own name. */
#include "hash.h"

#include <xxhash.h>

uint64_t hash_slice(struct slice s)
{
    return XXH3_64bits(s.p ? s.p : "", s.len);
}

struct hash128 hash_slice_128(struct slice s, uint64_t seed)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(s.p ? s.p : "", s.len, seed);
    return (struct hash128){hash.low64, hash.high64};
}
