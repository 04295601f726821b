/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Marks of letters that have left their topic (retention) get their tombstones, so that neither the control topic nor anybody's memory keeps
 * them for longer than the letters.
 */
#ifndef ROUNDTRIP_DEAD_FORGET_H
#define ROUNDTRIP_DEAD_FORGET_H

#include "dead/desk.h"

/**
 * Looks at all marks there are, and sends those tombstones, without waiting for them. How many, or -errno and `ret_error`; what was not come to
 * is for the next time. Asks the broker once for each partition that has marks.
 */
int dead_forget(struct dead_desk *desk, struct dead_error *ret_error);

#endif
