/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving a request to the bus thread: suspended, in the pending table, its command sent; or parked until there is news of another.
 *
 * After waiting_ask() and waiting_park() the exchange is not the caller's any more, whatever became of it: it comes back by flow_end()
 * or flow_stream().
 */
#ifndef ROUNDTRIP_GATEWAY_WAITING_H
#define ROUNDTRIP_GATEWAY_WAITING_H

#include "flow.h"

/** Enters the request's Idempotency-Key in the index, if it has one. False: the answer is set. */
bool waiting_enter_key(struct flow *flow, struct exchange *x) __attribute__((warn_unused_result));
/** Sends the draft's command, or one to each of `parts` partitions, and waits for the replies until `deadline_ns`; once Kafka has it, only
 * until `accept_ns` (PENDING_NEVER: not). */
void waiting_ask(struct flow *flow, struct exchange *x, uint32_t parts, int64_t deadline_ns, int64_t accept_ns);
/** The same question once more. It gets time of its own: that of the first may be over. */
void waiting_ask_again(struct flow *flow, struct exchange *x, int64_t until_ns);
/** Waits for news of the command it watches. */
void waiting_park(struct flow *flow, struct exchange *x, int64_t until_ns);

#endif
