/* SPDX-License-Identifier: Apache-2.0 */
/* From a checked request to the command that is sent. Pure but for the random ids; times are parameters. */
#ifndef ROUNDTRIP_GATEWAY_COMMAND_H
#define ROUNDTRIP_GATEWAY_COMMAND_H

#include "answer.h"
#include "envelope.h"
#include "request.h"
#include "syntax.h"

struct route;

/**
 * The command id of a request with an Idempotency-Key: "idem:<method>:<path>:<key>", and where it is known who asks
 * "idem:<bytes of the principal>:<principal>:<method>:<path>:<key>". A method does not begin with a digit and the length says
 * where the principal ends, so no two principals have an id in common, nor one with nobody.
 */
#define COMMAND_KEYED_PREFIX "idem:"
/** Takes such an id apart: whose it is (absent: nobody's), and "<method>:<path>:<key>". False: it is none. */
bool command_id_keyed(struct slice id, struct slice *ret_principal, struct slice *ret_rest) __attribute__((warn_unused_result));

/** A command being made. Zero-initialised is valid; draft_clear() between two requests keeps its memory. */
struct draft {
    char id[ENVELOPE_ID_MAX];
    size_t id_len;
    char idempotency_key[SYNTAX_IDEMPOTENCY_KEY_MAX];
    size_t idempotency_len;
    char time[32]; /* RFC 3339 */
    size_t time_len;
    int64_t expiry_ms; /* wall clock */
    const char *service;             /* whose command it is; static. The row's, unless its build function says another */
    char type[ENVELOPE_TYPE_MAX + 1]; /* as well */
    /* set by the route's build function */
    struct slice subject; /* ce_subject */
    struct slice traceparent; /* absent: the request's */
    struct slice key, body; /* into the request, or into the two below */
    char key_text[ENVELOPE_KEY_MAX];
    struct buf body_text;
    char part_text[32]; /* the body of a question about a result */
    int64_t limit; /* of a list */
};
void draft_clear(struct draft *draft);
void draft_done(struct draft *draft);

/** "<service>.<verb>" as the draft's type; false when it is too long. */
bool draft_set_type(struct draft *draft, const char *service, const char *verb) __attribute__((warn_unused_result));
/** Writes a key into the draft; false when it is longer than ENVELOPE_KEY_MAX. */
bool draft_set_key(struct draft *draft, struct slice key) __attribute__((warn_unused_result));
/**
 * A new entity's id as the draft's key: a UUIDv7; or, with an Idempotency-Key, a UUIDv8 that follows from the
 * command's id, so that a repeated request has the same key and meets the same partition.
 */
void draft_new_key(struct draft *draft, int64_t now_ms);

/**
 * The command's identity and times, and what the route makes of the request. False: the answer to give.
 * `now_ms` is wall clock; the command expires at `expiry_ms`.
 */
bool command_prepare(struct draft *draft, const struct request *req, const struct route *route,
                     int64_t now_ms, int64_t expiry_ms, struct answer *ret_answer)
    __attribute__((warn_unused_result));

/** The same command is sent once more, with other times. */
void command_renew(struct draft *draft, int64_t now_ms, int64_t expiry_ms);

/** A route's build function (routes.h): the key is the path's second segment, the body, if any, JSON. */
bool command_keyed(const struct request *req, int64_t now_ms, struct draft *draft, struct answer *ret_answer);

/** Where commands come from and where their replies go. */
struct command_origin {
    const char *source; /* "roundtrip-gateway/<instance>" */
    const char *reply_topic;
    int32_t reply_partition;
};
/** The message; borrows from everything given. */
void command_fill(const struct draft *draft, const struct request *req, const struct route *route,
                  const struct command_origin *origin, struct slice correlation, struct command *ret_cmd);

#endif
