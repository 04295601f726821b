/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who waits for a command to be decided: a bounded table from command ids to waiting requests.
 *
 * A request is entered before its worker is asked how the command stands, so that a decision in between is not missed: it
 * fires the entry, whether its request is parked already or not. Ids are kept as hashes; a false hit only means that the
 * worker is asked once more. Any thread; one lock, under which pending_fail() is called.
 */
#ifndef ROUNDTRIP_GATEWAY_WATCH_H
#define ROUNDTRIP_GATEWAY_WATCH_H

#include "pending.h"

struct watch;
/** An entry; 0: none. */
typedef uint32_t watch_id;

/** For as many entries as `pending` has slots. 0 or -ENOMEM. Borrows `pending`. */
int watch_new(struct pending *pending, size_t capacity, struct watch **ret_watch) __attribute__((warn_unused_result));
void watch_free(struct watch *watch); /* NULL is allowed */

/** Enters a request that will wait for this command; 0: there is no room. */
watch_id watch_enter(struct watch *watch, struct slice command_id);
/** Takes it out again, once; 0 is allowed. */
void watch_leave(struct watch *watch, watch_id id);
/** The request is parked under `ticket`: ends it with OUTCOME_NEWS when the command is decided, at once if it was fired meanwhile. */
void watch_park(struct watch *watch, watch_id id, struct ticket ticket);
/** A command was decided. Cheap when nobody watches. */
void watch_fire(struct watch *watch, struct slice command_id);
/** Ends what is parked, and from now on what parks, with OUTCOME_DRAINED: this process stops, waiting for news is over. */
void watch_close(struct watch *watch);

#endif
