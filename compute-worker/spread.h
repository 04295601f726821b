/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which part of a job goes where and when: the bookkeeping of one coordinator. Pure: time is a parameter.
 *
 * Each part has a home, and further places in a fixed order, each of which is a partition. A coordinator that starts again sends each part
 * to where its predecessor did, where its outcome lies. The next part goes to the partition with the fewest outstanding: one of those at
 * home there; when all of them are sent, one of those of the partition that has the most left (a slow one's parts move). They do not move
 * before one was computed: what is silent while all others only repeat outcomes has those, and is between two owners. A part without an
 * answer for twice as long as parts usually take goes to another place as well, with the same meaning: whichever answer comes first
 * counts. At most `in_flight` parts are out at a time.
 */
#ifndef ROUNDTRIP_COMPUTE_SPREAD_H
#define ROUNDTRIP_COMPUTE_SPREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A part is sent to so many partitions at most. */
#define SPREAD_PLACES 4
/** A part that fails so often in a way that may pass fails its job. */
#define SPREAD_FAILURES 3

struct spread_options {
    size_t parts;       /* 1 or more */
    int32_t partitions; /* 1 or more */
    int32_t first;      /* the home of part 0; others follow in turn */
    size_t in_flight;   /* 1 or more */
    int64_t hedge_ns;   /* a part is not sent to another place before it is so old */
    int64_t resend_ns;  /* nor is it sent again to where it was sent, which only helps when an answer was lost */
};

struct spread_part {
    bool done;
    uint8_t sent, open, gone; /* bits: the places it was sent to; those that have not answered; those that never will compute it */
    uint8_t failures;
    int64_t sent_ns, due_ns; /* first sent; when to look at it again */
};

struct spread_partition {
    size_t outstanding; /* sent there and not answered */
    size_t at_home;     /* not sent anywhere */
};

struct spread {
    struct spread_options options;
    struct spread_part *parts;
    struct spread_partition *partitions;
    size_t unsent, out, done; /* out: sent, not done */
    int64_t usual_ns;         /* from sending a part to its answer; 0: not known */
};

/** False: out of memory, and nothing is held. */
bool spread_init(struct spread *spread, const struct spread_options *options) __attribute__((warn_unused_result));
void spread_free(struct spread *spread); /* a zero-initialised one is allowed */

struct spread_order {
    size_t part;
    unsigned place;
    int32_t partition;
};
/** The next one to send now; false: none before spread_due_ns() or an answer. */
bool spread_next(struct spread *spread, int64_t now_ns, struct spread_order *ret_order);
/** When a part that is out is to be looked at again; INT64_MAX: none is. */
int64_t spread_due_ns(const struct spread *spread);
/** An answer of a part from a place. `computed`: just now, not an outcome from before. True: the part's first. */
bool spread_done(struct spread *spread, size_t part, unsigned place, bool computed, int64_t now_ns);
/** It failed there, which may pass: it is sent again at `again_ns`. False: too often. */
bool spread_failed(struct spread *spread, size_t part, unsigned place, int64_t again_ns);
/** It was taken back there, for good, since it was done elsewhere: it goes to another place at once. False: there is none left. */
bool spread_gone(struct spread *spread, size_t part, unsigned place, int64_t now_ns);
/** How many places a part has. */
unsigned spread_places(const struct spread *spread);
/** Where a place of a part is. */
int32_t spread_partition(const struct spread *spread, size_t part, unsigned place);

#endif
