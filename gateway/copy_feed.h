/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a service's log of events to the copy (copy.h): by the journal's rule only valid events change it.
 *
 * A gateway begins somewhere in the log, so the claim in force there is not known until the next one is met. Until then
 * the writer of the first event is taken for the owner, because void records are rare; a record by anybody else
 * makes its key unknown: of the two writers one is deposed, and nobody can say which. Void records that were taken so are
 * repaired by the true owner (ARCHITECTURE.md, rule 5), whose record then removes them here.
 *
 * One thread only (the bus thread).
 */
#ifndef ROUNDTRIP_GATEWAY_COPY_FEED_H
#define ROUNDTRIP_GATEWAY_COPY_FEED_H

#include "copy.h"
#include "journal.h"
#include "record.h"

struct copy_feed {
    struct copy *copy;
    const char *service; /* static */
    int32_t partitions;
    struct copy_feed_log {
        struct journal_reader reader;
        bool guessed;      /* its claim was not met, but taken from an event */
        int64_t next;      /* offset */
    } *logs; /* of each partition */
};

/** Zero-initialised but for `copy` and `service` is valid. */
void copy_feed_done(struct copy_feed *feed);
/** A record of "<service>.events", in the order of its partition's log. */
void copy_feed_take(struct copy_feed *feed, const struct record *rec);

#endif
