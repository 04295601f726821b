/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP answer as values, and what the outcome of a wait becomes in HTTP. Pure; http.c puts it on the
 * wire.
 *
 * Every error is problem+json whose detail says what to do about it.
 */
#ifndef ROUNDTRIP_GATEWAY_ANSWER_H
#define ROUNDTRIP_GATEWAY_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "envelope.h"
#include "slice.h"

#define ANSWER_HEADERS_MAX 20

/** Zero-initialised is a valid answer not given yet (status 0). */
struct answer {
    int status;
    struct buf own_body;
    struct slice borrowed_body; /* present: this is the body, not own_body; lives as long as the request */
    bool close;                 /* the connection must not be used again */
    /* names are static; values are NUL-terminated texts at these places of `text` */
    struct {
        const char *name;
        size_t at;
    } headers[ANSWER_HEADERS_MAX];
    size_t header_count;
    struct buf text;
};

/** How a wait for a worker ended. */
enum outcome {
    OUTCOME_NONE,
    OUTCOME_REPLIED,   /* every part has come */
    OUTCOME_DEADLINE,  /* not in time */
    OUTCOME_UNSENT,    /* Kafka does not have the command, and will not */
    OUTCOME_UNCERTAIN, /* Kafka reported a failure, but may have the command */
    OUTCOME_DRAINED,   /* this gateway is shutting down */
    OUTCOME_ACCEPTED,  /* Kafka has the command, and its caller waits no longer: 202 */
    OUTCOME_LEFT,      /* its client has left: nobody is answered */
    OUTCOME_NUDGED,    /* a stream is to say something, to see whether its client is there */
    OUTCOME_NEWS,      /* no reply was awaited, but that the command it is about is decided: it was */
};

/** A copy of a reply: it outlives the record it came in. Zero-initialised is valid and empty. */
struct received {
    int status;
    bool replayed;
    int64_t worked_us; /* how long the worker's handler worked; 0: not said */
    int64_t result_bytes, result_parts; /* as in struct reply */
    struct slice etag, location, retry_after, content_type, body; /* into `bytes` */
    struct buf bytes;
};
/** Copies; false when memory is out. */
bool received_copy(struct received *received, const struct reply *reply) __attribute__((warn_unused_result));
void received_clear(struct received *received);
void received_done(struct received *received);

void answer_clear(struct answer *answer);
void answer_done(struct answer *answer);
/** `name` must be static. A value with control characters is left out: it did not come from us. */
void answer_header(struct answer *answer, const char *name, struct slice value);
struct slice answer_body(const struct answer *answer);
/** The i-th header's value as a text; NULL when memory was out. */
const char *answer_header_value(const struct answer *answer, size_t i);
/** The value of the header of that name, or NULL. */
const char *answer_find(const struct answer *answer, const char *name);

/** Replaces what the answer was. */
void answer_problem(struct answer *answer, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** 503 with Retry-After. */
void answer_unavailable(struct answer *answer, int retry_after_s, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** A body of ours: JSON. */
void answer_json(struct answer *answer, int status, struct slice body);

/** The worker's reply as it is, its body borrowed from `received`; 304 when it is a successful read whose
 * ETag `if_none_match` lists. */
void answer_reply(struct answer *answer, const struct received *received, bool read,
                  struct slice if_none_match);

/** Adds Server-Timing, where the reply says how long its handler worked. */
void answer_timing(struct answer *answer, const struct received *received);

/** What a caller is told when there is no reply; `write`: the command may take effect all the same. */
struct answer_context {
    bool write;
    bool has_idempotency_key;
    long long waited_ms;
    bool harmless; /* a write that may be repeated as it is */
};
void answer_outcome(struct answer *answer, enum outcome outcome, const struct answer_context *context);

#endif
