/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold, whatever happens; each breach is a sim_violation().
 *
 *   - each valid event follows from the one before it of its entity: versions without a gap, states that build on each other
 *   - no command has two effects; every write that stands in the command log gets its event
 *   - a write is answered only with what its valid event says, and only once that is in the log
 *   - a read shows the entity after some number of valid events, not fewer than any caller knew of when it was asked
 *   - what is told about a command is what its valid event says, and not older than what any caller knew of when it was asked
 *   - a local copy takes in what the log says, no more and nothing else, and at its checkpoint equals it
 *   - in the end everybody who still waits is answered, and the compacted log, read from its beginning, gives the same states
 */
#ifndef ROUNDTRIP_SIM_CHECKS_H
#define ROUNDTRIP_SIM_CHECKS_H

#include "broker.h"
#include "state.h"

/** Sums over a schedule; only sums, so that several can be added. */
struct tally {
    long answers, reads, replayed, expired, events, void_events, claims, repairs, removals, attempts, inquiries, results;
};
extern struct tally tally;

void checks_begin(void);
void checks_end(void);
void checks_event(int32_t partition, const struct entry *entry);
void checks_reply(const struct record *rec);
void checks_apply(struct state *state, const struct state_change *changes, size_t count, int64_t next_offset);
/** How many valid events of a partition any caller knows of. */
size_t checks_known(int32_t partition);
/** With all processes ended: their local copies, and the log. */
void checks_finish(void);

#endif
