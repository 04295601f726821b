/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker is: a table of operations, each a pure function from (entity before, command) to a decision.
 *
 * To add a worker: a folder with handlers.c, a `struct service` literal in main.c that calls worker_main(), one line in
 * CMake, a row in the gateway's routes, a stanza in docker-compose.yml. The runtime does the rest: decoding, partition
 * check, expiry, idempotency, If-Match, versions, events, replies, offsets, dead letters.
 */
#ifndef ROUNDTRIP_WORKER_SERVICE_H
#define ROUNDTRIP_WORKER_SERVICE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "config.h"
#include "envelope.h"
#include "worker/lane.h"

/** An entity as it was before the command: exists, or was deleted (version > 0), or never was (version 0). */
struct entity {
    bool exists;
    int64_t version;
    struct slice state; /* JSON; empty when it does not exist */
};

/** A running computation's hold on the world. Shared with the runtime: only these members, only by these rules. */
struct job {
    _Atomic bool stop;     /* set by the runtime: deadline passed or shutting down; the handler must return within 100 ms */
    int64_t deadline_ns;   /* clock_mono_ns(); INT64_MAX: none */
    _Atomic uint32_t done; /* job_progress()'s: parts of JOB_PARTS that are done, and 1; 0: nothing was said */
    _Atomic size_t memory, memory_peak; /* job_memory()'s */
    _Atomic bool cancelled; /* set by the runtime before `stop`: somebody asked that it end */
    _Atomic bool waits;     /* set by the handler while it does nothing but wait for commands it has sent: LANE_COORDINATE */
};
#define JOB_PARTS 10000

/** Must the handler return now? Asked at least every 50 ms of work. NULL: never. */
bool job_stopping(const struct job *job);
/**
 * `done` of `total` parts of the work are done: what is said of the command while it runs (inquire.h). Any thread, as often as
 * it likes: a few instructions, no memory. It never goes back. Ignored: `total` 0, and a NULL job.
 */
void job_progress(struct job *job, uint64_t done, uint64_t total);
/** Bytes that the job holds now, and at most until now: said of the command while it runs. Ignored: a NULL job. */
void job_memory(struct job *job, size_t now, size_t peak);

/** Walks the entities of the command's partition in key order; for partition-scoped reads. */
struct scan;
/** Moves to the first existing entity with a key greater than `after` (absent: from the start); false at the end. */
bool scan_seek(struct scan *scan, struct slice after);
/** Moves to the next one; false at the end. */
bool scan_next(struct scan *scan);
struct slice scan_key(const struct scan *scan);
struct slice scan_state(const struct scan *scan);

/** A write, as its partition knows it. */
enum known_state { KNOWN_PENDING, KNOWN_RUNNING, KNOWN_CANCELLING, KNOWN_SUCCEEDED, KNOWN_FAILED };
struct known {
    enum known_state state;
    struct slice id, key;
    struct slice owner;  /* who asked; absent: nobody who is known */
    struct slice type;   /* while it is not decided its own; then its event's: its own where it had no effect */
    int64_t time_ms;     /* when it was decided; before that, when Kafka had it */
    unsigned progress;   /* as in struct job */
    int status;          /* decided: of its answer, */
    bool exists;         /* whether the entity exists after it, */
    struct slice body;   /* and the answer */
};
/**
 * The newest that is older than (`before_ms`, `before_id`), by time and then by id; INT64_MAX for the first. Those are known that are not
 * decided, and outcomes for as long as they are kept. Borrowed until the handler returns. False: no more.
 */
bool scan_older(struct scan *scan, int64_t before_ms, struct slice before_id, struct known *ret_known);

/** One call of a handler. Everything is borrowed until the handler returns. */
struct call {
    const struct command *cmd;
    struct entity before;
    bool running;      /* a pooled write of the same key is running now */
    int64_t now_ms;    /* wall clock */
    struct scan *scan; /* partition-scoped operations only, else NULL */
    struct job *job;   /* pooled operations only, else NULL */
    void *context;     /* what service->open() made; shared by all threads */
};

enum effect { EFFECT_NONE, EFFECT_PUT, EFFECT_DELETE };

/** Why a handler could not do what was asked, when that is not the caller's fault (those are decisions like any other). */
enum fault {
    FAULT_NONE,
    FAULT_TRANSIENT, /* a dependency failed: another attempt may succeed; made by the operation's retry policy */
    FAULT_PERMANENT, /* no attempt will ever succeed: a dead letter */
    FAULT_BUSY,      /* this process has no room for it now: another attempt soon, as often as it takes; no attempt counts, no breaker */
};

/** What shall happen. Zero-initialised, status 0, until the handler decides; the runtime owns and frees it. */
struct decision {
    int status;
    enum effect effect;
    struct buf state;    /* EFFECT_PUT: the entity's whole new state */
    struct buf body;     /* the answer's body; empty with EFFECT_PUT: the state is the body */
    const char *content_type; /* static; NULL: application/json */
    const char *result_type;  /* decide_result()'s and decide_result_piece()'s, as the next ones */
    struct buf result;
    size_t result_at, result_len;
    enum fault fault;         /* then `body` is a sentence that says what failed, and nothing else counts */
    /* RUN_POOL */
    enum lane lane;    /* admit's, when it decides nothing else: where the handler runs */
    uint64_t caller;   /* admit's: a hash of who takes turns with others there, where nobody is known to have asked; 0: by the reply address */
    int64_t worked_ns; /* the handler's: work that was done for it elsewhere; instead of its own time when that is not 0 */
};

typedef void handler_fn(const struct call *call, struct decision *ret_decision);

/** The answer is the entity's state (a read), or `status` with an empty body. */
void decide_state(struct decision *d, const struct call *call);
void decide_status(struct decision *d, int status);
/** An error of the caller's: problem+json, no effect. `detail` says what to do. */
void decide_problem(struct decision *d, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/** The entity becomes `d->state`, which the handler has written. */
void decide_put(struct decision *d, int status);
void decide_delete(struct decision *d, int status);
/**
 * Its result is something else than its answer's body, and is asked for apart (inquire.h): these bytes (1 to RESULT_BYTES_MAX,
 * result.h; copied), however large beside a record; or that piece of the body, or of the state where that is the body. After the
 * decision itself. `media_type` is static.
 */
void decide_result(struct decision *d, const char *media_type, struct slice bytes);
void decide_result_piece(struct decision *d, const char *media_type, size_t at, size_t len);
/** It could not be decided: `format` says what failed, for the dead letter and the caller. The runtime does the rest. */
void decide_fault(struct decision *d, enum fault fault, const char *format, ...) __attribute__((format(printf, 3, 4)));

enum operation_kind {
    OPERATION_READ,  /* no event; answered when every write before it is durable */
    OPERATION_WRITE, /* exactly one event, whatever the decision */
};
enum operation_scope {
    SCOPE_KEY,       /* about the entity of the record's key */
    SCOPE_PARTITION, /* about all entities of the partition it was sent to; the key is not looked at; reads only */
};
enum operation_place {
    RUN_INLINE, /* on the loop: microseconds, no blocking */
    RUN_POOL,   /* on a pool thread: may take long; must look at call->job; writes only */
};

/**
 * How often and when a command whose handler meets transient faults is tried again: after a random time between 0 and
 * base_ms * 2^(n-1), at most cap_ms, for the n-th failure ("full jitter", https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter).
 * Meanwhile later commands of the same key wait behind it; all others go on. All zero: RETRY_DEFAULT. Not for SCOPE_PARTITION: its caller is
 * told of a fault at once.
 */
struct retry_policy {
    int attempts;        /* in all; the last one's failure makes a dead letter */
    int base_ms, cap_ms;
    int64_t deadline_ms; /* since the first attempt; then no more are made; 0: none */
};
#define RETRY_DEFAULT ((struct retry_policy){.attempts = 8, .base_ms = 100, .cap_ms = 5000, .deadline_ms = 300000})

struct operation {
    const char *type; /* ce_type of the command: "<service>.<verb>" */
    enum operation_kind kind;
    enum operation_scope scope;
    enum operation_place place;
    handler_fn *handler;
    const char *event_type; /* ce_type of its event when it had an effect: "<service>.<past>" */
    handler_fn *admit;      /* RUN_POOL: asked inline first; when it decides, the handler is not run; else it says the lane. May be NULL */
    struct retry_policy retry;
};

enum key_order {
    KEY_TEXT,  /* any bytes, in byte order */
    KEY_INT64, /* decimal int64 in its only spelling, in numeric order; another key is dead-lettered */
};

struct metrics_page;

struct service {
    const char *name;    /* topics are <name>.commands, <name>.events, dlq.<name>.commands */
    const char *summary; /* one sentence for --help */
    enum key_order key_order;
    const struct operation *operations; /* ended by a row whose type is NULL */
    const struct config_key *settings;  /* of its own, ended by a row whose name is NULL; NULL: none */
    /* Before the first command: 0 and what handlers find in call->context, or -errno. NULL, with `close`: nothing. */
    int (*open)(const struct config *config, void **ret_context);
    void (*close)(void *context); /* when no handler runs any more */
    /* Families of its own on the worker's metrics page (metrics.h), with what open() made; on a thread of its own. May be NULL. */
    void (*metrics)(void *context, struct metrics_page *page);
};

/** Runs the service until SIGTERM or SIGINT: the exit status. */
int worker_main(const struct service *service, int argc, char **argv);

#endif
