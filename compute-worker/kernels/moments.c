/* SPDX-License-Identifier: Apache-2.0 */
/* Moments without the cancellation that sums of squares suffer. */
#include "kernels/moments.h"

#include <math.h>

struct moments moments_of(const double *values, size_t count)
{
    struct moments m = {0};
    for (size_t i = 0; i < count; i++) {
        double from_before = values[i] - m.mean;
        m.count++;
        m.mean += from_before / m.count;
        m.squares += from_before * (values[i] - m.mean);
        m.min = i ? fmin(m.min, values[i]) : values[i];
        m.max = i ? fmax(m.max, values[i]) : values[i];
    }
    return m;
}

void moments_add(struct moments *all, const struct moments *more)
{
    if (all->count == 0) {
        *all = *more;
        return;
    }
    double count = all->count + more->count, apart = more->mean - all->mean;
    all->mean += apart * (more->count / count);
    all->squares += more->squares + apart * apart * (all->count * more->count / count);
    all->count = count;
    all->min = fmin(all->min, more->min);
    all->max = fmax(all->max, more->max);
}
