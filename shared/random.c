/* SPDX-License-Identifier: Apache-2.0 */
#include "random.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void random_bytes(unsigned char *ret, size_t n)
{
    static _Thread_local unsigned char pool[240]; /* up to 256 bytes come whole, or the kernel has none to give */
    static _Thread_local size_t left;
    if (left < n) {
        if (getrandom(pool, sizeof(pool), 0) != sizeof(pool))
            abort();
        left = sizeof(pool);
    }
    left -= n;
    memcpy(ret, pool + left, n);
}
