/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Count, mean, variance and range of numbers, and of two sets of them together. Pure.
 *
 * Welford, Note on a Method for Calculating Corrected Sums of Squares and Products, Technometrics 4 (1962); put together after Chan,
 * Golub and LeVeque, Updating Formulae and a Pairwise Algorithm for Computing Sample Variances, STAN-CS-79-773 (1979).
 */
#ifndef ROUNDTRIP_COMPUTE_MOMENTS_H
#define ROUNDTRIP_COMPUTE_MOMENTS_H

#include <stddef.h>

/** Zero-initialised: of no numbers. */
struct moments {
    double count, mean;
    double squares; /* of the differences from the mean, their sum */
    double min, max;
};

struct moments moments_of(const double *values, size_t count);
void moments_add(struct moments *all, const struct moments *more);

#endif
