/* SPDX-License-Identifier: Apache-2.0 */
/* Internal to worker/. From an admitted command to its committed offset. */
#ifndef ROUNDTRIP_WORKER_PARTITION_H
#define ROUNDTRIP_WORKER_PARTITION_H

#include "worker/runtime.h"

/** Takes a command from the consumer; takes `msg` over. */
void partition_take(struct partition *p, struct message *msg);
/** A delivery of the events or the replies producer; `opaque` is the work. */
void partition_delivered(void *arg, const struct delivery *delivery);
/** Sends the answer if anybody waits for it, then finishes the work. */
void partition_answer(struct work *work);
/** Queues the answer until every event appended so far is final. */
void partition_answer_later(struct work *work);
void partition_forward(struct work *work, int32_t to);
void partition_submit(struct work *work); /* to the pool */
void partition_finish(struct work *work);
/** Appends the tombstone of a key; false: not now, out of memory or the claim ended by it. */
bool partition_remove(struct partition *p, struct slice key, int64_t wall_ms);
/** Appends the event of a decided write or a repair. */
void partition_append(struct work *work);
/** Applies final events to the local copy. */
void partition_apply(struct partition *p);
/** Periodic: applies, pauses and resumes the flow. */
void partition_tick(struct partition *p, int64_t now_ns);
/** The offset that may be committed: below it everything was answered. */
int64_t partition_commit_offset(const struct partition *p);
int64_t partition_due_ns(const struct partition *p);
/** The newest decided write of a key that is not in the local copy yet; the undecided one (running, or waiting
 * for another attempt); or NULL. */
struct work *partition_by_key(const struct partition *p, struct slice key);
struct work *partition_running(const struct partition *p, struct slice key);
/** The newest write with this command id, running or decided, that is not in the local copy yet, or NULL. */
struct work *partition_by_id(const struct partition *p, struct slice id);
/** Is an operation of the key, one that runs inline, waiting for another attempt? */
bool partition_retries(const struct partition *p, struct slice key);
/** Enters a running, waiting or appended work into the tables; takes it out. */
void partition_table(struct work *work);
void partition_untable(struct work *work);

#endif
