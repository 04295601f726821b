/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mergeable sketch of many numbers, for quantiles: the merging t-digest.
 *
 * Dunning and Ertl, Computing Extremely Accurate Quantiles Using t-Digests, arXiv:1902.04023 (2019), with their scale function k1:
 * a centroid stands for neighbouring numbers, for few of them near the ends and for more in the middle. Pure.
 */
#ifndef ROUNDTRIP_COMPUTE_DIGEST_H
#define ROUNDTRIP_COMPUTE_DIGEST_H

#include <stddef.h>

/** More is more accurate: a centroid at quantile q has at most 2 pi sqrt(q (1 - q)) / DIGEST_COMPRESSION of all numbers. */
#define DIGEST_COMPRESSION 400
/** Two neighbours together are more than 1 of the DIGEST_COMPRESSION / 2 that the scale has. */
#define DIGEST_MAX (DIGEST_COMPRESSION + 2)

struct centroid {
    double mean, weight; /* weight: of how many numbers */
};

/** Sorts by mean; equal ones keep their order. `scratch` has room for as many. */
void digest_sort(struct centroid *list, size_t count, struct centroid *scratch);
/** Merges neighbours of a sorted list; how many are left, at most DIGEST_MAX. */
size_t digest_compress(struct centroid *list, size_t count);
/**
 * The quantile `q` (0 to 1), between the two numbers next to rank (n - 1) q (type 7 of Hyndman and Fan, as most programs have
 * it): exact where the centroids there have weight 1. `min` and `max` are of the numbers; count >= 1.
 */
double digest_quantile(const struct centroid *list, size_t count, double min, double max, double q);

#endif
