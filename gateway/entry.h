/* SPDX-License-Identifier: Apache-2.0 */
/* What can be said of a request before its body is here: is it one, is there such a route, who asks, how often, how long it waits. */
#ifndef ROUNDTRIP_GATEWAY_ENTRY_H
#define ROUNDTRIP_GATEWAY_ENTRY_H

#include "flow.h"

/** False: the answer is set. True: the exchange has its route, its principal and its times. */
bool entry_check(struct flow *flow, struct exchange *x, int64_t now_ns) __attribute__((warn_unused_result));

#endif
