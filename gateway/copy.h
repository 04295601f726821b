/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway's copy of entities, as it read them in the logs of events: bounded in bytes, of those that do not fit the
 * longest unused goes first. It is for the time when a service cannot be asked, and is never the truth.
 *
 * Only the bus thread writes; any thread reads. One lock; a reader gets its own bytes.
 */
#ifndef ROUNDTRIP_GATEWAY_COPY_H
#define ROUNDTRIP_GATEWAY_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "slice.h"

struct copy;

/** `bytes_max` counts all memory, 0: it stays empty. `seed` is random: keys are chosen by clients. 0 or -ENOMEM. */
int copy_new(size_t bytes_max, uint64_t seed, struct copy **ret_copy) __attribute__((warn_unused_result));
void copy_free(struct copy *copy); /* NULL is allowed */

/** The entity is now in this version, unless a newer one is known. `service` is a static text. */
void copy_put(struct copy *copy, const char *service, struct slice key, int64_t version, struct slice state);
/** It is not there any more, or it is not known how it stands. */
void copy_remove(struct copy *copy, const char *service, struct slice key);
/** Everything of that service is. */
void copy_forget(struct copy *copy, const char *service);

/** Appends the state to `state`; false: it is not here. */
bool copy_get(struct copy *copy, const char *service, struct slice key, int64_t *ret_version, struct buf *state);

size_t copy_bytes(struct copy *copy);
size_t copy_count(struct copy *copy);

#endif
