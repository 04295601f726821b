/* SPDX-License-Identifier: Apache-2.0 */
/* What all handlers of this process share: memory, and how computations are cut and spread. */
#ifndef ROUNDTRIP_COMPUTE_COMPUTE_H
#define ROUNDTRIP_COMPUTE_COMPUTE_H

#include "arena.h"
#include "fan.h"

struct compute {
    struct budget budget;   /* of what computes; first, for code that needs no more */
    struct budget gathered; /* of outcomes that jobs hold while their other parts are computed: apart, so that these never wait for those */
    uint64_t short_cost;    /* as kind->cost() says it: up to this a computation is short */
    uint64_t part_cost;     /* and beyond this it is cut into parts of at most as much */
    size_t in_flight;       /* parts of one job that are under way at a time */
    struct fan *fan;        /* NULL: nothing is cut */
};

#endif
