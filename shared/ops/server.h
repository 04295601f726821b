/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small HTTP listener for operators and their programs: a table of routes, one thread of its own, by libmicrohttpd.
 *
 * For processes that serve no clients by HTTP. It is away from the path of commands: an answer is made from atomics and
 * short locks, never by the thread that works. A few connections at a time, each with a time limit.
 */
#ifndef ROUNDTRIP_OPS_SERVER_H
#define ROUNDTRIP_OPS_SERVER_H

#include <stdbool.h>

#include "buf.h"
#include "config.h"
#include "slice.h"

/** admin-port, admin-listen and admin-token, ended by a NULL name. */
extern const struct config_key ops_keys[];

struct ops_request {
    const char *method, *path; /* the path without its query, as it came */
    struct slice accept, body; /* accept: absent where not sent */
};

/** Zero-initialised; the server's to free. */
struct ops_answer {
    int status;
    const char *content_type; /* static */
    struct buf body;
};

/** `context` as in ops_options. On the server's thread. */
typedef void ops_handler_fn(void *context, const struct ops_request *req, struct ops_answer *ret_answer);

struct ops_route {
    const char *method, *path; /* GET serves HEAD too */
    bool open;                 /* also without the token: for probes */
    ops_handler_fn *handler;
};

struct ops_options {
    const char *host, *token; /* borrowed, as all here; token "": none, then `host` must be a loopback address */
    int port;                 /* 0: any that is free */
    const struct ops_route *routes; /* ended by a NULL method */
    void *context;
};

struct ops_server;

/** Listens and serves. 0, or -errno with a line in the log that says what to do. */
int ops_server_open(const struct ops_options *options, struct ops_server **ret_server) __attribute__((warn_unused_result));
/** Closes every connection and ends the thread. NULL is allowed. */
void ops_server_close(struct ops_server *server);
/** How to reach it: http://127.0.0.1:9090 */
const char *ops_server_url(const struct ops_server *server);

/** An error as every other of ours: problem+json. */
void ops_problem(struct ops_answer *answer, int status, const char *detail);

#endif
