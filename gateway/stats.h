/* SPDX-License-Identifier: Apache-2.0 */
/* What happened since the start, for the metrics page and one log line at the end. Any thread adds. */
#ifndef ROUNDTRIP_GATEWAY_STATS_H
#define ROUNDTRIP_GATEWAY_STATS_H

#include <stdatomic.h>
#include <stdint.h>

struct stats {
    _Atomic uint64_t requests;  /* whose headers were read */
    _Atomic uint64_t refused;   /* answered without sending a command: wrong, or this gateway was not able */
    _Atomic uint64_t commands;  /* sent */
    _Atomic uint64_t matched;   /* replies that somebody waited for */
    _Atomic uint64_t late;      /* replies to requests that were answered already */
    _Atomic uint64_t foreign;   /* replies to another process that shares the partition */
    _Atomic uint64_t duplicate; /* replies that came before */
    _Atomic uint64_t malformed; /* replies that cannot be read */
    _Atomic uint64_t expired;   /* requests whose deadline came first */
    _Atomic uint64_t undelivered; /* commands that Kafka did not take or did not confirm */
    _Atomic uint64_t bound;       /* events seen that tell what an Idempotency-Key was used for */
    _Atomic uint64_t left;        /* requests whose client left while they waited */
    _Atomic uint64_t slow;        /* connections whose request was not complete in time */
    _Atomic uint64_t turned_away; /* connections beyond the limit */
    _Atomic uint64_t throttled;   /* requests of clients that ask too often */
    _Atomic uint64_t shed;        /* requests that would not have been answered in time */
    _Atomic uint64_t repeated;    /* commands sent again because Kafka did not take them */
    _Atomic uint64_t breaker_opened;  /* circuit breakers, from closed or half open */
    _Atomic uint64_t breaker_refused; /* requests, 503 */
    _Atomic uint64_t stale;           /* requests answered from the copy */
    _Atomic uint64_t reused;          /* requests answered with an answer that was there already */
    _Atomic uint64_t unable;          /* requests refused since this gateway is not ready */
    _Atomic uint64_t full;            /* and since as many wait as may */
};

static inline void stats_add(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/** Writes the line. */
void stats_log(struct stats *stats);

#endif
