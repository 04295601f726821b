/* SPDX-License-Identifier: Apache-2.0 */
/* What every process says of itself at /debug/state: the program and its memory. Each program adds what it is doing. */
#ifndef ROUNDTRIP_OPS_DEBUG_H
#define ROUNDTRIP_OPS_DEBUG_H

#include "buf.h"
#include "ops/process.h"

/**
 * `{"process":{...}` without the closing brace, to which the caller adds members. Bytes throughout; `heap` is the C library's
 * (mallinfo2(3)): what is in use, what it keeps for later, what it has by mmap(2). Any thread; takes the allocator's locks for
 * a moment.
 */
void debug_process(struct buf *out, const struct process_identity *identity);

#endif
