/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP exchange: the request, the command made of it, the replies, the answer, and who owns it now.
 *
 * It belongs to the HTTP thread of its connection, except while WAITING: then it belongs to the bus thread,
 * which writes `parts` and `outcome` and hands it back by resuming the connection. One per connection, used
 * again for its next request.
 */
#ifndef ROUNDTRIP_GATEWAY_EXCHANGE_H
#define ROUNDTRIP_GATEWAY_EXCHANGE_H

#include <sys/queue.h>

#include "admission.h"
#include "answer.h"
#include "circuit.h"
#include "command.h"
#include "download.h"
#include "request.h"
#include "routes.h"
#include "spans.h"
#include "stream.h"
#include "watch.h"

enum exchange_state {
    EXCHANGE_IDLE,     /* between two requests */
    EXCHANGE_READING,  /* the body is coming */
    EXCHANGE_REFUSED,  /* the answer is known; the rest of the body is read and dropped */
    EXCHANGE_WAITING,  /* in the pending table: the bus thread's */
    EXCHANGE_ENDED,    /* out of it, `outcome` says why; being resumed */
    EXCHANGE_ANSWERED, /* the answer is with libmicrohttpd; one that streams may wait again */
};

struct peer;

struct exchange {
    enum exchange_state state; /* changed by exchange_move() only */
    void *home;                /* its shard of its HTTP thread; pool.c's, as the next one */
    struct exchange *next;
    void *connection;  /* http.c's, as the next ones */
    LIST_ENTRY(exchange) beside; /* the others of its shard whose request has begun and is not over */
    bool cut;          /* answered before its body was here: the rest is dropped */
    struct peer *peer; /* the client (peers.h) */
    size_t target_len; /* of path and query as they came */
    struct request req;
    const struct route *route;
    struct draft draft;
    int64_t started_ns, sent_ns, ended_ns; /* its head was here; its first command was sent; its last wait ended */
    int64_t wait_ms;
    bool preferred; /* wait_ms was asked for by Prefer */
    bool async;     /* a write whose caller takes 202 after accept_ms */
    int64_t accept_ms, work_ms; /* work_ms: how long the worker has */
    struct ticket ticket; /* of its wait, for its HTTP thread to end it; the bus thread does not look at it */
    watch_id watch;   /* it is about another command, and waits until that is decided */
    int64_t until_ns; /* for at most so long */
    bool parked;      /* it waits for news, not for a reply */
    bool looked;      /* it was asked about once more, shortly before that time */
    bool streaming;   /* the answer's body goes on */
    struct stream stream;
    struct download download; /* what streams is a result in parts */
    size_t streamed;  /* bytes of the body that are with libmicrohttpd */
    void *server;     /* http.c's */
    unsigned char address[16]; /* the client's, IPv4 or IPv6 */
    size_t address_len;
    struct throttle_verdict throttled; /* as far as `limited` */
    bool limited;
    struct permit permit;
    int repeats; /* of a command whose sending failed */
    bool uncertain; /* Kafka may have it from an earlier time */
    bool spent;     /* its body went with it, and is not here to be sent again */
    bool keyed;     /* its command id is entered in the key index */
    struct circuit_call call; /* its command, as its service's circuit breaker counts it: degrade.h */
    struct request_trace trace;
    size_t dropped; /* bytes of a refused body */
    enum outcome outcome;
    struct received *parts;
    size_t part_count, part_capacity;
    struct answer answer;
};

struct exchange *exchange_new(void *connection, void *home);
void exchange_free(struct exchange *x);
/** Ready for the connection's next request. */
void exchange_clear(struct exchange *x);

/** The only function that changes the state; asserts that the step is one of the table in exchange.c. */
void exchange_move(struct exchange *x, enum exchange_state to);
/** Makes room for `count` empty replies. */
bool exchange_expect(struct exchange *x, size_t count) __attribute__((warn_unused_result));

/** Lines of the log that this thread writes from here on are about its command. Ends with log_about_nothing(). */
void exchange_log_about(const struct exchange *x);

#endif
