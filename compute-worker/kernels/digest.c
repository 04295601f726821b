/* SPDX-License-Identifier: Apache-2.0 */
/* The merging t-digest: sort, merge what the scale function lets be one, interpolate. */
#include "kernels/digest.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define TWO_PI 6.283185307179586

/* ---- sorting ---- */

static void merge_runs(const struct centroid *from, size_t left, size_t middle, size_t right, struct centroid *to)
{
    size_t a = left, b = middle;
    for (size_t i = left; i < right; i++) {
        bool take_left = a < middle && (b >= right || from[a].mean <= from[b].mean);
        to[i] = from[take_left ? a++ : b++];
    }
}

/* Bottom up, and without a word to malloc(), as qsort() would have. */
void digest_sort(struct centroid *list, size_t count, struct centroid *scratch)
{
    struct centroid *from = list, *to = scratch;
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t left = 0; left < count; left += 2 * width) {
            size_t middle = left + width < count ? left + width : count;
            size_t right = left + 2 * width < count ? left + 2 * width : count;
            merge_runs(from, left, middle, right, to);
        }
        struct centroid *sorted = to;
        to = from;
        from = sorted;
    }
    if (from != list)
        memcpy(list, from, count * sizeof(*list));
}

/* ---- merging ---- */

/* The quantile that is 1 further on the scale than `q`: k1(q) is DIGEST_COMPRESSION / 2 pi asin(2 q - 1). */
static double next_limit(double q)
{
    double angle = asin(fmin(2 * q - 1, 1)) + TWO_PI / DIGEST_COMPRESSION;
    return angle >= TWO_PI / 4 ? 1 : (sin(angle) + 1) / 2;
}

static void add(struct centroid *to, const struct centroid *more)
{
    to->weight += more->weight;
    to->mean += (more->mean - to->mean) * more->weight / to->weight;
}

size_t digest_compress(struct centroid *list, size_t count)
{
    double total = 0, before = 0, limit = next_limit(0);
    size_t last = 0;
    for (size_t i = 0; i < count; i++)
        total += list[i].weight;
    for (size_t i = 1; i < count; i++) {
        if ((before + list[last].weight + list[i].weight) / total <= limit) {
            add(&list[last], &list[i]);
        } else {
            before += list[last].weight;
            limit = next_limit(before / total);
            list[++last] = list[i];
        }
    }
    return count ? last + 1 : 0;
}

/* ---- quantiles ---- */

static double between(double low, double high, double share)
{
    return fmin(fmax(low + (high - low) * share, low), high);
}

/* Centroid i stands in the middle of the ranks of its numbers; the least and the greatest number stand at the ends. */
double digest_quantile(const struct centroid *list, size_t count, double min, double max, double q)
{
    double total = 0;
    for (size_t i = 0; i < count; i++)
        total += list[i].weight;
    double rank = (total - 1) * q, low_rank = 0, low = min, before = 0;
    for (size_t i = 0; i < count; i++) {
        double at = before + (list[i].weight - 1) / 2;
        if (rank <= at)
            return at > low_rank ? between(low, list[i].mean, (rank - low_rank) / (at - low_rank)) : list[i].mean;
        before += list[i].weight;
        low_rank = at;
        low = list[i].mean;
    }
    return total - 1 > low_rank ? between(low, max, (rank - low_rank) / (total - 1 - low_rank)) : max;
}
