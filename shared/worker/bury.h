/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internal to worker/. A command becomes a dead letter: whole, or without what makes it too large.
 *
 * The producer knows its own limit, the topic's (max.message.bytes) only the broker; and that one counts for all records that were sent
 * together. So when the broker finds letters too large, they go out one at a time, and only what is too large by itself is cut.
 */
#ifndef ROUNDTRIP_WORKER_BURY_H
#define ROUNDTRIP_WORKER_BURY_H

#include "worker/runtime.h"

/** The work is answered when the letter is in the log. `reason` is static, or the work's. */
void bury(struct work *work, struct slice reason);
/** What became of the letter. */
void bury_delivered(struct work *work, const struct delivery *delivery);

/** The static text of that class, of those that follow an event; NULL: it is none. */
const char *bury_class(struct slice name);

#endif
