/* SPDX-License-Identifier: Apache-2.0 */
/* Internal to worker/. A command whose id was seen before. */
#ifndef ROUNDTRIP_WORKER_REPEAT_H
#define ROUNDTRIP_WORKER_REPEAT_H

#include "worker/runtime.h"

/** The outcome of the command with that id, which is decided; borrowed until anything is decided or applied. False: there is none. */
bool repeat_outcome(struct partition *p, struct slice id, struct state_outcome *ret_outcome);
/** True when the command is a repetition and is answered with its outcome, or refused since it is another command. */
bool repeat_answer(struct work *work);

/** Would repeat_answer() deal with it? */
bool repeat_is_known(const struct work *work);

#endif
