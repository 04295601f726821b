/* SPDX-License-Identifier: Apache-2.0 */
/* The innermost step of a matrix product: one small tile of it, a piece of the way. */
#ifndef ROUNDTRIP_COMPUTE_PRODUCT_H
#define ROUNDTRIP_COMPUTE_PRODUCT_H

#include <stddef.h>

/** A tile is so many rows and columns: with 16 vector registers the fastest that was measured. */
#define PRODUCT_ROWS    4
#define PRODUCT_COLUMNS 8
/** So many steps at a time, for which the strip of B (16 KiB) stays in the first cache. */
#define PRODUCT_DEPTH 256

/**
 * c += a * b. `a` has `depth` times PRODUCT_ROWS entries, of one column after the other; `b` has `depth` times PRODUCT_COLUMNS, of
 * one row after the other; a row of `c` has `stride` entries. `b`, `c` and `stride` in multiples of 64 bytes.
 */
void product_tile(const double *a, const double *b, size_t depth, double *c, size_t stride);

#endif
