/* SPDX-License-Identifier: Apache-2.0 */
/* The table of kinds. */
#include "kernels/kernels.h"

static const struct kind kinds[] = {
    {"primes", primes_params, sizeof(primes_params) / sizeof(primes_params[0]), primes_run},
    {"pi", pi_params, sizeof(pi_params) / sizeof(pi_params[0]), pi_run},
};

const struct kind *kind_find(struct slice name)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (slice_is(name, kinds[i].name))
            return &kinds[i];
    }
    return NULL;
}

void kind_list(struct buf *out)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        buf_printf(out, "%s%s", i ? ", " : "", kinds[i].name);
}
