/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes for tables in memory: XXH3 of some bytes. The only file besides envelope's fingerprint that needs xxhash. */
#ifndef ROUNDTRIP_HASH_H
#define ROUNDTRIP_HASH_H

#include <stdint.h>

#include "slice.h"

/** The same on every machine. Not against an adversary: tables that use it must be bounded. */
uint64_t hash_slice(struct slice s);

struct hash128 {
    uint64_t low, high;
};
/** Wide enough to stand for the bytes themselves; with a random `seed` nobody outside can choose what collides by trial. */
struct hash128 hash_slice_128(struct slice s, uint64_t seed);

#endif
