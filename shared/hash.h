/* SPDX-License-Identifier: Apache-2.0 */
/* One hash for tables in memory: XXH3 of some bytes. The only file besides envelope's fingerprint that needs xxhash. */
#ifndef ROUNDTRIP_HASH_H
#define ROUNDTRIP_HASH_H

#include <stdint.h>

#include "slice.h"

/** Not for anything that leaves the process, nor against an adversary: tables that use it must be bounded. */
uint64_t hash_slice(struct slice s);

#endif
