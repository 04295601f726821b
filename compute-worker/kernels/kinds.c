/* SPDX-License-Identifier: Apache-2.0 */
/* The table of kinds. */
#include "kernels/kernels.h"

static const struct kind *const kinds[] = {&kind_primes, &kind_pi, &kind_matrix, &kind_mandelbrot, &kind_statistics};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

const struct kind *kind_find(struct slice name)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (slice_is(name, kinds[i]->name))
            return kinds[i];
    }
    return NULL;
}

void kind_list(struct buf *out)
{
    for (size_t i = 0; i < KINDS; i++)
        buf_printf(out, "%s%s", i ? ", " : "", kinds[i]->name);
}
