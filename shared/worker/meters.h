/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internal to worker/. What a worker measures, for its operators' listener (ops.h).
 *
 * The loop counts and publishes; the listener's thread reads. All of it is atomic, and a NULL `meters` measures nothing: there
 * is none where nobody can ask.
 */
#ifndef ROUNDTRIP_WORKER_METERS_H
#define ROUNDTRIP_WORKER_METERS_H

#include "metrics.h"
#include "worker/runtime.h"

/** How a command ended, as the label roundtrip_outcome says it. */
enum meter_outcome {
    METER_OK,        /* 1xx to 3xx */
    METER_REFUSED,   /* 4xx: the caller's fault */
    METER_EXPIRED,   /* 504 */
    METER_FAILED,    /* other 5xx */
    METER_REPLAYED,  /* answered from its outcome */
    METER_FORWARDED, /* it stood in the wrong partition */
    METER_OUTCOMES,
};
/** As the label says it. Static. */
const char *meters_outcome_name(enum meter_outcome outcome);

/** Why a command became a dead letter: as bury.h's classes. */
#define METER_DEAD_CLASSES 4
const char *meters_dead_class(int i); /* static */

struct operation_meter {
    struct metrics_histogram handled, waited; /* its handler; from the record's timestamp until it was taken up */
    struct metrics_histogram ended[METER_OUTCOMES]; /* from then until its offset is done */
    _Atomic int breaker;                      /* enum breaker_phase */
};

struct partition_meter {
    _Atomic int phase; /* enum partition_phase */
    _Atomic int64_t lag; /* records; -1: not known */
    _Atomic int64_t commands, queued, retrying;
    _Atomic uint64_t state_used, state_map; /* bytes */
};

struct meters {
    size_t operation_count; /* fixed; one more in `operations`: for commands of no operation of the service's */
    struct operation_meter *operations;
    _Atomic uint64_t dead[METER_DEAD_CLASSES];
    _Atomic(struct partition_meter *) partitions; /* NULL: not known yet how many */
    _Atomic int32_t partition_count;
    _Atomic(struct pool *) pool;                  /* NULL: none yet */
    _Atomic(void *) context;                      /* of the service; NULL: none yet */
    _Atomic bool ready, connected;
    struct look *look;          /* for /debug/state */
    _Atomic int64_t turned_ns;  /* the loop's last turn; 0: it has not begun */
    int64_t publish_ns;         /* the loop's: when to publish next */
};

/** NULL: out of memory. */
struct meters *meters_new(const struct service *service);
void meters_free(struct meters *meters); /* NULL is allowed */

/** The command was taken up; notes when. */
void meters_taken(struct work *work);
/** A handler of the work took so long, or all of it on the pool. */
void meters_handled(const struct work *work, int64_t ns);
/** When a handler begins: 0 where nobody measures. */
static inline int64_t meters_begin(const struct worker *worker)
{
    return worker->meters ? clock_mono_ns() : 0;
}
/** Its offset is done. */
void meters_ended(const struct work *work);
void meters_buried(const struct work *work);
/** What the answer's status, and what was done with the command, come to. Pure. */
enum meter_outcome meters_outcome(int status, bool replayed, bool forwarded);
/** The loop, from time to time: its partitions, pool and breakers as they stand. */
void meters_publish(struct worker *worker, int64_t now_ns);

#endif
