/* SPDX-License-Identifier: Apache-2.0 */
/* Internal to worker/. From assigned to serving, and away. */
#ifndef ROUNDTRIP_WORKER_RECOVER_H
#define ROUNDTRIP_WORKER_RECOVER_H

#include "worker/runtime.h"

void recover_assigned(struct partition *p, int64_t committed);
/** Gives the claim up; claims again after `delay_ns` unless the partition is revoked meanwhile. */
void recover_restart(struct partition *p, const char *why, int64_t delay_ns);
void recover_revoked(struct partition *p);
void recover_tick(struct partition *p, int64_t now_ns);
void recover_claimed(struct work *work, const struct delivery *delivery);
void recover_repaired(struct partition *p);
/** A record of the event log; takes `msg` over. */
void recover_replay(struct worker *worker, struct message *msg);

#endif
