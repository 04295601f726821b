/* SPDX-License-Identifier: Apache-2.0 */
/* One job whose parts are computed by all workers: sending them, gathering their outcomes. On a thread of LANE_COORDINATE. */
#ifndef ROUNDTRIP_COMPUTE_COORDINATE_H
#define ROUNDTRIP_COMPUTE_COORDINATE_H

#include "body.h"
#include "compute.h"

enum coordinate_end {
    COORDINATE_DONE,
    COORDINATE_STOPPED, /* the job was told to stop, or its deadline has passed */
    COORDINATE_DECIDED, /* a part failed for good, or there is no room now: the decision says so */
    COORDINATE_ALONE,   /* replies cannot be read: it is better computed here */
};

/** What the parts gave. Zero-initialised, then gathered_done(). */
struct gathered {
    struct slice *outcomes; /* in the arena */
    size_t parts;
    size_t peak_bytes; /* of the part that took most */
    int64_t worked_ns;  /* on parts, by all workers together */
    int64_t elapsed_ns; /* since the first was sent */
    struct arena arena;
};

/** Cuts into `parts` and returns when all of them are done, or one of the other ends has come. */
enum coordinate_end coordinate(const struct call *call, const struct body *body, size_t parts, struct gathered *ret_gathered,
                               struct decision *ret_decision);
void gathered_done(struct gathered *gathered);

#endif
