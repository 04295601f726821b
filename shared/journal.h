/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who owns a partition of an event log, decided by the log's own order. Pure: no clock, no broker.
 *
 * An owner appends a claim and may then append events that carry the claim's id. An event is valid iff its claim is the
 * last claim before it in the log; every reader of the log comes to the same answer. The owner is the only writer, so
 * its acknowledged offsets are contiguous: an event acknowledged at exactly the next offset is valid and final. Any other
 * offset means that somebody else wrote: the owner gives up its claim, claims again if the group still assigns it the
 * partition, and replays. ARCHITECTURE.md, "The journal", has the argument.
 */
#ifndef ROUNDTRIP_JOURNAL_H
#define ROUNDTRIP_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

#define JOURNAL_CLAIM_MAX 64

/** A claim id by value. */
struct journal_claim {
    char id[JOURNAL_CLAIM_MAX];
    size_t len; /* 0: none */
};

void journal_claim_set(struct journal_claim *claim, struct slice id);
bool journal_claim_is(const struct journal_claim *claim, struct slice id);

/** Reading: the claim in force at the present point of the log. Zero-initialised: before the first claim. */
struct journal_reader {
    struct journal_claim last;
};

void journal_read_claim(struct journal_reader *reader, struct slice claim_id);
/** Is an event with this writer's claim id, read at this point, valid? */
bool journal_event_valid(const struct journal_reader *reader, struct slice claim_id);

/** Writing: the claim held and the offset the next acknowledged event must have. */
struct journal_writer {
    struct journal_claim claim;
    int64_t next_offset;
    bool held;
};

/** The claim was acknowledged at `offset`. */
void journal_writer_hold(struct journal_writer *writer, int64_t offset);

enum journal_verdict {
    JOURNAL_FINAL,   /* the event is valid and may be answered */
    JOURNAL_UNKNOWN, /* somebody else may have written: nothing appended since the last FINAL may be answered */
};
/** An event was acknowledged at `offset` (-1: acknowledged, offset not known). JOURNAL_UNKNOWN ends the claim. */
enum journal_verdict journal_writer_acknowledged(struct journal_writer *writer, int64_t offset);

/** Does the log's high watermark show records that are not ours? For an idle owner with nothing in flight. */
bool journal_writer_overtaken(const struct journal_writer *writer, int64_t high_watermark);

/** Where to replay from, given the local checkpoint (next offset to apply; -1: none), the log's low watermark and the claim's offset. */
enum journal_replay {
    JOURNAL_REPLAY_ON,        /* from the checkpoint */
    JOURNAL_REPLAY_FRESH,     /* from the log's beginning, into an empty state */
    JOURNAL_REPLAY_REBUILD,   /* the checkpoint lies beyond the log's end: another log; wipe, then from its beginning */
    JOURNAL_REPLAY_TRUNCATED, /* records between the checkpoint and the log's beginning are gone: retention is wrong */
};
enum journal_replay journal_replay_plan(int64_t checkpoint, int64_t low_watermark, int64_t claim_offset,
                                        int64_t *ret_from);

#endif
