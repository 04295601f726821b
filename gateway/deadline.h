/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is left of a request's time when its body is here: the caller's clock runs from the head on, so a body that was sent
 * slowly has used some of it. Pure.
 */
#ifndef ROUNDTRIP_GATEWAY_DEADLINE_H
#define ROUNDTRIP_GATEWAY_DEADLINE_H

#include "exchange.h"

struct deadline {
    int64_t until_ns;  /* for the answer; clock_mono_ns() */
    int64_t accept_ns; /* 202 from then on, once Kafka has the command; PENDING_NEVER: not asked for */
    int64_t expiry_ms; /* of the work, a computation's a little before `until_ns`; clock_wall_ms() */
};

/**
 * Of the request's wait_ms, accept_ms and work_ms, at `now_ns` (and `now_ms` by the wall). A caller who does not wait has only
 * bounded the work: for Kafka to take the command there are `kafka_ms` in any case. False: nothing is left, nothing may be sent;
 * 408 (RFC 9110 section 15.5.9) is the answer.
 */
bool deadline_left(const struct exchange *x, int64_t kafka_ms, int64_t now_ns, int64_t now_ms, struct deadline *ret_deadline,
                   struct answer *ret_answer) __attribute__((warn_unused_result));

#endif
