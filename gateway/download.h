/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A result that comes in parts, on its way to its client: which part is asked for next, and what the end of a wait means. Decisions
 * only, flow.c acts.
 *
 * One part is in memory at a time, whatever the client's pace, and only so many clients are served at once. The length is known
 * from the first part, so an answer that must be cut short is seen to be.
 */
#ifndef ROUNDTRIP_GATEWAY_DOWNLOAD_H
#define ROUNDTRIP_GATEWAY_DOWNLOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "answer.h"

/** A part that nobody gives in time is asked for so often in all. */
#define DOWNLOAD_TRIES 3

/** One of them. Zero-initialised: none. Its exchange's owner's. */
struct download {
    bool counted;
    int64_t bytes, parts; /* in all */
    int64_t next;         /* the part to ask for */
    int64_t given;        /* bytes of the parts before it */
    int tries;
    char etag[24];
};

/** Those of a gateway. `max` is fixed; any thread. */
struct downloads {
    uint32_t max;
    _Atomic uint32_t now;
};

/** The first part has come. False: as many as may be are under way; nothing is begun. */
bool download_begin(struct download *download, struct downloads *all, const struct received *part) __attribute__((warn_unused_result));
/** It is over, however; may never have begun. */
void download_end(struct download *download, struct downloads *all);

enum download_step {
    DOWNLOAD_PART,   /* `part` is the next one: give it */
    DOWNLOAD_ASK,    /* ask for part `next` */
    DOWNLOAD_OVER,   /* all was given */
    DOWNLOAD_BROKEN, /* the rest is not to be had: the connection must be cut */
};
/** All that came was sent. */
enum download_step download_next(const struct download *download);
/** The wait for part `next` has ended, by `part` when it was a reply. */
enum download_step download_take(struct download *download, enum outcome outcome, const struct received *part);

#endif
