/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a client may take to send a request, and when one that no longer sends counts as gone. Pure: time is a
 * parameter (clock_mono_ns()).
 */
#ifndef ROUNDTRIP_GATEWAY_PATIENCE_H
#define ROUNDTRIP_GATEWAY_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

/** A body may take so much longer for each second's worth of it that has come: below this rate it is cut. */
#define PATIENCE_BYTES_PER_S 4096

/** What is remembered of a connection from one look to the next. Zero-initialised: nothing has come yet. */
struct patience {
    uint32_t requests; /* as they were at the last look */
    uint64_t bytes;
    bool begun; /* a head has begun to come */
    bool shaken; /* encrypted: the handshake is over, */
    uint64_t seen; /* and until then, the bytes at the last look */
    int64_t since_ns;
};

/**
 * A look at a connection between two requests: `bytes` have come over it since it was opened, and `requests` of it have
 * had their head complete. Is the next head overdue: begun, and not complete within `timeout_ns`? Its beginning is
 * noticed at the first look after it, so it gets at most one interval between two looks more. A part that was here
 * already at the first look after a request cannot be told from that request's own bytes, and counts once more of it comes.
 */
bool patience_head_overdue(struct patience *patience, uint32_t requests, uint64_t bytes, int64_t now_ns,
                           int64_t timeout_ns);

/**
 * An encrypted connection, before patience_head_overdue(): its handshake is no head. It is over at the first look by which nothing has
 * come since the one before; what comes after that counts.
 */
void patience_handshake(struct patience *patience, uint32_t requests, uint64_t bytes);

/** Is a body overdue, whose head was complete at `since_ns` and of which `received` bytes are here? */
bool patience_body_overdue(int64_t since_ns, uint64_t received, int64_t now_ns, int64_t timeout_ns);

/** What is known of a client whose request waits. */
struct departure {
    bool reset;       /* its side of the connection is gone */
    bool half_closed; /* it will send nothing more: it has closed, or only its sending side */
    bool asked;       /* PATIENCE_ASK or PATIENCE_NUDGE was done */
    bool may_ask;     /* half-close=ask, and the connection is not encrypted */
    bool http11, streaming;
};

enum patience_step {
    PATIENCE_WAIT,
    PATIENCE_ASK,   /* send it 100 (Continue): a client that has closed answers with a reset */
    PATIENCE_NUDGE, /* its answer has begun: send a part of that, for the same reason */
    PATIENCE_LEFT,  /* end its request */
};
enum patience_step patience_departure(const struct departure *seen);

#endif
