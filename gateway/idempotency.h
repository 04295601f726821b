/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key index: which entity an Idempotency-Key was used for, and whether a request with it is running here.
 *
 * Workers see to it that one command id has one effect, but each partition for itself. Where the body names
 * the entity (POST /items/), one key can meet two partitions; this index refuses the second. It knows what is
 * in flight at this gateway and, for as long as there is room, what was answered here or seen in the log of
 * events. It is not the truth: a gateway that does not know a key lets the request through.
 *
 * A key is *running* from idempotency_enter() to idempotency_leave(), *bound* from an outcome that binds
 * until the dedupe window has passed. Of the bound ones that are not running the longest unused gives way.
 * Ids and entities are kept as hashes: 60 to 70 bytes an entry, whatever their length.
 *
 * Any thread; one lock. Time is a parameter: clock_wall_ms().
 */
#ifndef ROUNDTRIP_GATEWAY_IDEMPOTENCY_H
#define ROUNDTRIP_GATEWAY_IDEMPOTENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"

struct idempotency;

struct idempotency_options {
    size_t bound_max;   /* keys to remember */
    size_t running_max; /* requests that run at one time */
    int64_t window_ms;  /* how long an outcome binds */
    uint64_t seed;      /* random */
};

/** 0 or -ENOMEM. */
int idempotency_new(const struct idempotency_options *options, struct idempotency **ret_index)
    __attribute__((warn_unused_result));
/** NULL is allowed. */
void idempotency_free(struct idempotency *index);

enum idempotency_verdict {
    IDEMPOTENCY_ENTERED, /* it runs: idempotency_leave() must follow, once */
    IDEMPOTENCY_RUNNING, /* the same is running here, and the caller does not wait */
    IDEMPOTENCY_OTHER,   /* the key is another entity's, by an outcome or by a request that is running here */
    IDEMPOTENCY_FULL,    /* more than `running_max` */
};
/** A request with this command id is about to be sent, for this entity. `waits`: also behind one that runs.
 */
enum idempotency_verdict idempotency_enter(struct idempotency *index, struct slice id, struct slice entity,
                                           bool waits, int64_t now_ms) __attribute__((warn_unused_result));
/** The request is answered. `binds`: by an outcome that keeps its id. Else the id is as free as before. */
void idempotency_leave(struct idempotency *index, struct slice id, bool binds, int64_t now_ms);
/** An event says that the id's outcome is this entity's, since `event_ms`. What was bound first stays. */
void idempotency_bind(struct idempotency *index, struct slice id, struct slice entity, int64_t event_ms,
                      int64_t now_ms);

/** Does a worker keep an outcome of this status for its command's id? False where only its event can tell. */
bool idempotency_status_binds(int status);

/** Entries in use, running and bound. */
size_t idempotency_count(struct idempotency *index);

#endif
