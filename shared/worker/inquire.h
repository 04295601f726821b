/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internal to worker/. What every service is asked about any of its commands: how it stands, and to give it up.
 *
 *   <service>.operation  what became of the command whose id is in ce_subject; the record's key is that command's
 *   <service>.result     its result, as bytes of its own media type: the part {"part":<number>} of it, the first without a body. The reply's
 *                        result-bytes and result-parts say how much there is. Of a command that failed: as .operation
 *   <service>.cancel     it shall end, if it has not; without ce_subject: the write of that key that is under way
 *
 * They stand in the command log behind the command they ask about, so whoever answers has met it: a gateway needs no memory of
 * it, and any gateway can ask. Both are reads: no event, answered when everything before them is final. The answer's status is
 * 202 while the command is not decided, 200 when it is, 404 when there is no such command (any more). Of one that runs on the
 * pool it has "progress", the share that its handler has reported (job_progress()), if it has.
 */
#ifndef ROUNDTRIP_WORKER_INQUIRE_H
#define ROUNDTRIP_WORKER_INQUIRE_H

#include "worker/runtime.h"

/** Is the command one of these? */
bool inquire_is_one(const struct work *work);
/** Answers it. */
void inquire_answer(struct work *work);
/** A command that was cancelled becomes a refusal. */
void inquire_decide_cancelled(struct work *work);

#endif
