/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many commands a gateway may send a second time: a share of those it sends, so that trouble is not multiplied.
 *
 * After Finagle's RetryBudget: each command pays in a part of a repetition, a little comes in with time so that a quiet gateway
 * may repeat too, and what was saved is bounded. Time is a parameter (clock_mono_ns()). Thread-safe.
 */
#ifndef ROUNDTRIP_GATEWAY_BUDGET_H
#define ROUNDTRIP_GATEWAY_BUDGET_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct budget {
    int percent; /* fixed: of a repetition, paid in by each command; 0: nothing is repeated */
    /* guarded by lock */
    pthread_mutex_t lock;
    int64_t hundredths; /* of a repetition, saved */
    int64_t paid_ns;    /* until when time has paid */
};

void budget_init(struct budget *budget, int percent, int64_t now_ns);
void budget_done(struct budget *budget);
/** A command was sent. */
void budget_pay(struct budget *budget);
/** May one be sent again? If so it is paid for. */
bool budget_take(struct budget *budget, int64_t now_ns) __attribute__((warn_unused_result));

#endif
