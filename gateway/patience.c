/* SPDX-License-Identifier: Apache-2.0 */
/* Slow clients, and clients that leave. */
#include "patience.h"

#include "clock.h"

bool patience_head_overdue(struct patience *patience, uint32_t requests, uint64_t bytes, int64_t now_ns,
                           int64_t timeout_ns)
{
    if (patience->requests != requests) {
        *patience = (struct patience){.requests = requests, .bytes = bytes};
        return false;
    }
    if (!patience->begun && bytes > patience->bytes) {
        patience->begun = true;
        patience->since_ns = now_ns;
    }
    return patience->begun && now_ns - patience->since_ns >= timeout_ns;
}

void patience_handshake(struct patience *patience, uint32_t requests, uint64_t bytes)
{
    if (requests != 0 || patience->shaken)
        return;
    if (bytes > 0 && bytes == patience->seen)
        *patience = (struct patience){.bytes = bytes, .shaken = true};
    patience->seen = bytes;
}

bool patience_body_overdue(int64_t since_ns, uint64_t received, int64_t now_ns, int64_t timeout_ns)
{
    int64_t earned_ms = (int64_t)(received / PATIENCE_BYTES_PER_S * 1000 +
                                  received % PATIENCE_BYTES_PER_S * 1000 / PATIENCE_BYTES_PER_S);
    return now_ns - since_ns >= timeout_ns + earned_ms * CLOCK_NS_PER_MS;
}

enum patience_step patience_departure(const struct departure *seen)
{
    if (seen->reset)
        return PATIENCE_LEFT;
    if (!seen->half_closed)
        return PATIENCE_WAIT;
    if (!seen->may_ask)
        return PATIENCE_LEFT;
    if (seen->asked)
        return PATIENCE_WAIT; /* it reads what it is sent */
    if (seen->streaming)
        return PATIENCE_NUDGE;
    return seen->http11 ? PATIENCE_ASK : PATIENCE_WAIT; /* HTTP/1.0 knows no 100 (RFC 9110 section 15.2) */
}
