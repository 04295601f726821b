/* SPDX-License-Identifier: Apache-2.0 */
/* The file that a counted process writes and tests/bench/allocations reads: COUNTED_ROWS of these, unused ones without a name. */
#ifndef ROUNDTRIP_BENCH_COUNTED_H
#define ROUNDTRIP_BENCH_COUNTED_H

#include <stdatomic.h>
#include <stdint.h>

#define COUNTED_ROWS 32
#define COUNTED_NAME 64

/** Calls that come from one module, the program or a library; 64 + 4 * 8 bytes. */
struct counted_row {
    char module[COUNTED_NAME];
    _Atomic uint64_t allocations, allocated_bytes, copies, copied_bytes;
};

#endif
