/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The records a worker writes: events, claims, replies, forwarded commands, dead letters. Pure.
 *
 * `ret_rec` and `ret_headers` borrow from the work and from each other: send them before the work changes.
 */
#ifndef ROUNDTRIP_WORKER_LETTERS_H
#define ROUNDTRIP_WORKER_LETTERS_H

#include "worker/runtime.h"

/** ce_type of an event that only repeats a key's true state. */
#define LETTERS_REPAIR "roundtrip.repaired"

/** Header of a dead letter that is not all of its command: "value" or "all". Where the command lies the others say. */
#define LETTERS_OMITTED "__dlq.errors.omitted"

/** ce_type of a command's event: the command's own where it had no effect. */
struct slice letters_event_type(const struct work *work);
void letters_event(struct work *work, struct headers *ret_headers, struct record *ret_rec);
/** The tombstone of an entity or a claim that the window has passed; the key is the work's. */
void letters_removal(struct work *work, struct headers *ret_headers, struct record *ret_rec);
/** How often the work's command was tried in vain; its state says why. */
void letters_attempts(struct work *work, struct headers *ret_headers, struct record *ret_rec);
/** A part of a result; its bytes are the work's state. */
void letters_part(struct work *work, struct headers *ret_headers, struct record *ret_rec);
/** That its owner stops in good order; the key is the work's. */
void letters_left(struct work *work, struct headers *ret_headers, struct record *ret_rec);
/** `id` is the claim's, and must live as long as the record. Key: "__claim/<id>", in work->id. */
void letters_claim(struct work *work, struct slice id, struct headers *ret_headers, struct record *ret_rec);
/** False when nobody is to be answered: no address, or a topic that `allowed` (comma-separated, trailing * for a prefix) lacks. */
bool letters_reply(struct work *work, const char *allowed, struct headers *ret_headers, struct record *ret_rec);
/** The command as it came, with its id fixed, for partition `to`. */
void letters_forward(struct work *work, int32_t to, struct headers *ret_headers, struct record *ret_rec);
/** The command as it came, with KIP-1191's headers. A record that was a dead letter before keeps its first origin. */
void letters_dead(struct work *work, const char *group, const char *topic, struct slice reason,
                  struct headers *ret_headers, struct record *ret_rec);

/** A dead letter that only says where the command lies: for one whose own headers leave no room. */
void letters_dead_bare(struct work *work, const char *group, const char *topic, struct slice reason,
                       struct headers *ret_headers, struct record *ret_rec);

/** For the control topic: what the breaker of the work's operation does now. `key` and `value` are empty, and hold the texts. */
void letters_breaker(const struct work *work, const struct breaker *breaker, int64_t now_ns, int64_t now_ms, struct buf *key,
                     struct buf *value, struct headers *ret_headers, struct record *ret_rec);

/** Is `topic` on the allow-list? */
bool letters_topic_allowed(const char *allowed, struct slice topic);

#endif
