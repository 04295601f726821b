/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests that wait for a worker: a bounded table that owns every deadline.
 *
 * Who may do what: any thread puts a request in (pending_open) and may ask that it end early (pending_fail);
 * only the bus thread takes one out, by its last reply (pending_match) or its deadline (pending_expire). So
 * each is taken out exactly once, and whoever gets the owner back is alone with it.
 *
 * The correlation id says where a request stands, so finding it needs no hash: it is text, so that it can be
 * read in logs and by any client, and of fixed length: <16 hex: this process><8 hex: slot><8 hex: the slot's
 * generation><4 hex: part> A reply of another process, or of a request that was answered before, is thereby
 * known as such.
 *
 * Time is a parameter: clock_mono_ns().
 */
#ifndef ROUNDTRIP_GATEWAY_PENDING_H
#define ROUNDTRIP_GATEWAY_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "slice.h"

#define PENDING_CORRELATION_LEN 36
/** Replies one request can wait for: one of each partition. */
#define PENDING_PARTS_MAX 256

struct pending;

/** One waiting request; fits a pointer (pending_ticket_pack), for the producer's opaque. */
struct ticket {
    uint32_t slot, generation;
};

/** 0 or -ENOMEM. `epoch` is random: two processes must not have the same. */
int pending_new(size_t capacity, uint64_t epoch, struct pending **ret_pending)
    __attribute__((warn_unused_result));
/** NULL is allowed. Nothing may wait any more. */
void pending_free(struct pending *pending);

#define PENDING_NEVER INT64_MAX
/**
 * Puts `owner` in, to wait for `parts` (1..PENDING_PARTS_MAX) replies until `deadline_ns`; or only until `accept_ns`
 * once Kafka has its command (PENDING_NEVER: not). 0; -ENOBUFS: the table is full; -ESHUTDOWN: pending_close() was called. From here on `owner` belongs to the bus thread until
 * it is taken out.
 */
int pending_open(struct pending *pending, void *owner, uint32_t parts, int64_t deadline_ns, int64_t accept_ns,
                 struct ticket *ret_ticket) __attribute__((warn_unused_result));
/** Asks that the request end as soon as the bus thread looks: pending_expire() gives it back with `why`. False: it is out already. */
bool pending_fail(struct pending *pending, struct ticket ticket, enum outcome why);
/** Who waits with this ticket; NULL: nobody any more. Bus thread only. */
void *pending_owner(struct pending *pending, struct ticket ticket);
/** Kafka has the command: one with an `accept_ns` waits until then, and ends with OUTCOME_ACCEPTED. */
void pending_accept(struct pending *pending, struct ticket ticket);
/** Nothing may be opened any more, and all that waits is to end with `why` (OUTCOME_NONE: at its own
 * deadline). */
void pending_close(struct pending *pending, enum outcome why);

size_t pending_count(struct pending *pending);
struct pending_seen {
    void *owner;         /* only what is not changed while it waits may be looked at */
    int64_t deadline_ns; /* INT64_MIN: asked to end */
    uint32_t parts_left;
};
typedef void pending_visit_fn(void *arg, const struct pending_seen *seen);
/**
 * Shows up to `max` of those that wait, roughly the nearest deadline first, with the table locked: nobody can be taken out
 * meanwhile, and every request waits for this, so `visit` is quick. Any thread.
 */
void pending_visit(struct pending *pending, size_t max, pending_visit_fn *visit, void *arg);
/** When pending_expire() has something to give back at the earliest; INT64_MAX: nothing waits. */
int64_t pending_due_ns(struct pending *pending);

/** Writes PENDING_CORRELATION_LEN characters. */
void pending_correlation(const struct pending *pending, struct ticket ticket, uint32_t part, char *ret_text);

enum match {
    MATCH_LAST,      /* the owner is taken out: it has all its parts */
    MATCH_PART,      /* one of its parts; the owner stays in */
    MATCH_FOREIGN,   /* not a correlation id of this process */
    MATCH_LATE,      /* its request is not waiting any more */
    MATCH_DUPLICATE, /* that part was here before */
};
/** Bus thread only. `*ret_owner` and `*ret_part` are set for MATCH_LAST and MATCH_PART. */
enum match pending_match(struct pending *pending, struct slice correlation, void **ret_owner,
                         uint32_t *ret_part);
/** Bus thread only: takes out one request that is due at `now_ns`; NULL when none is. */
void *pending_expire(struct pending *pending, int64_t now_ns, enum outcome *ret_why);

/* The highest bit says whether pending_accept() is wanted, so that the others need not look. */
#define PENDING_ACCEPTS (UINT64_C(1) << 63)

static inline void *pending_ticket_pack(struct ticket ticket, bool accepts)
{
    return (void *)(uintptr_t)((accepts ? PENDING_ACCEPTS : 0) | (uint64_t)ticket.slot << 32 | ticket.generation);
}

static inline struct ticket pending_ticket_unpack(const void *opaque, bool *ret_accepts)
{
    uint64_t bits = (uint64_t)(uintptr_t)opaque;
    *ret_accepts = bits & PENDING_ACCEPTS;
    return (struct ticket){(uint32_t)((bits & ~PENDING_ACCEPTS) >> 32), (uint32_t)bits};
}

#endif
