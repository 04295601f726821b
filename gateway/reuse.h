/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same computation again, from the answer it had: a bounded memory of this gateway's latest ones, the least recently used going
 * first. What a computation gives depends on its kind and parameters alone, so it does not matter who had it computed; but where callers are
 * known each has only his own, since an answer says when something was asked.
 *
 * A caller asks for it with what RFC 9111 lets a request say, "Cache-Control: max-age=<seconds>"; with "only-if-cached" nothing else is
 * given. Who says nothing gets a computation of his own. Any thread; one lock. Time is a parameter, clock_mono_ns().
 */
#ifndef ROUNDTRIP_GATEWAY_REUSE_H
#define ROUNDTRIP_GATEWAY_REUSE_H

#include <json-c/json_object.h>

#include "answer.h"
#include "hash.h"
#include "request.h"

struct reuse;

struct reuse_options {
    size_t bytes_max;  /* of memory, all counted */
    int64_t max_age_s; /* of what is given; 0: nothing ever is */
    uint64_t seed;     /* random */
};
/** What is longer is always computed: its text would have to be kept while it is. */
#define REUSE_TEXT_MAX 4096
/** An answer larger than this is not kept: results that are large are not in it. */
#define REUSE_BODY_MAX 65536

/** 0 or -ENOMEM. */
int reuse_new(const struct reuse_options *options, struct reuse **ret_reuse) __attribute__((warn_unused_result));
/** NULL is allowed. */
void reuse_free(struct reuse *reuse);

/** Appends `value` so that equal ones are equal texts: members by their names, no blanks. Pure. */
void reuse_canonical(struct json_object *value, struct buf *out);

enum reuse_wish {
    REUSE_NEVER, /* and not kept for others either, where it says so */
    REUSE_MAY,
    REUSE_MUST, /* only-if-cached */
};
/** What the request says, and the greatest age it takes. One with an Idempotency-Key or If-Match is about a command of its own. Pure. */
enum reuse_wish reuse_wish(const struct request *req, int64_t *ret_max_age_s, bool *ret_keep);

/** Gives the answer to the same computation (`text`: its canonical body), at most `max_age_s` old, with its Age. False: there is none. */
bool reuse_find(struct reuse *reuse, const struct principal *principal, struct slice text, int64_t max_age_s, int64_t now_ns,
                struct answer *ret_answer) __attribute__((warn_unused_result));
/** It was computed just now. */
void reuse_keep(struct reuse *reuse, const struct principal *principal, struct slice text, const struct answer *answer, int64_t now_ns);

/** How many there are, and their bytes. */
size_t reuse_count(struct reuse *reuse, size_t *ret_bytes);

#endif
