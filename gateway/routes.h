/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of everything that clients can ask: path and method → the command to send and how to answer.
 *
 * To add a worker: a row here for each of its operations. `command_keyed` serves where the entity's id is the
 * second segment of the path and the body goes to the worker as it came; anything else is a build function of
 * one screen, like those in items.c.
 */
#ifndef ROUNDTRIP_GATEWAY_ROUTES_H
#define ROUNDTRIP_GATEWAY_ROUTES_H

#include "answer.h"
#include "command.h"
#include "request.h"

/** Sets key and body of the draft from the request; false: the answer to give. The body is what the client
 * sent. */
typedef bool build_fn(const struct request *req, int64_t now_ms, struct draft *draft,
                      struct answer *ret_answer);
/** The answer from the replies: one, or one of each partition for a route with `every_partition`. */
typedef void finish_fn(const struct request *req, const struct draft *draft, const struct received *parts,
                       size_t count, struct answer *ret_answer);
/** An answer that needs no worker; `context` is the flow's. */
typedef void local_fn(void *context, const struct request *req, struct answer *ret_answer);

struct route {
    enum method method;   /* GET serves HEAD too */
    const char *pattern;  /* segments; "{id}" stands for any one */
    const char *service;  /* commands go to "<service>.commands"; NULL: `local` answers, or `build` names it */
    const char *type;     /* ce_type of the command */
    bool write;           /* it may change something: Idempotency-Key counts, and repeating needs care */
    bool entity_in_body;  /* the path does not say which entity: one Idempotency-Key could be used for two */
    bool follows;         /* with "Prefer: wait" asked again until the command it is about is decided: operation.h */
    bool streams;         /* the same, and each state it has meanwhile is sent: stream.h */
    bool reused;          /* the same again may have the answer of before: reuse.h; `build` leaves its canonical body in body_text */
    bool result;          /* its answer is a result, which may come in parts: download.h */
    bool heavy;           /* its work may take long: it is admitted by what is left of the caller's wait */
    bool open;            /* also to callers nobody knows: access.h */
    bool every_partition; /* sent to each partition, without a key */
    bool copied;          /* its answer is the entity's state: degrade.h has a copy */
    build_fn *build;
    finish_fn *finish;
    local_fn *local;
};

#define ROUTES_SERVICES_MAX 8

/** The rows of one listener. */
struct route_table {
    const struct route *rows;
    size_t count;
    const char *known; /* for who asks for anything else: "Try …" */
};
/** What clients may ask; the context of local answers is the struct health. */
extern const struct route_table routes_public;

/** The row, or NULL: then `*ret_allowed` has the methods the path knows (0: no such path). */
const struct route *routes_find(const struct route_table *table, const struct request *req, unsigned *ret_allowed);
/** The value of Allow, with HEAD and OPTIONS where they follow. */
void routes_allow(unsigned allowed, struct buf *out);
/** The services that rows name, each once; their number. */
size_t routes_services(const char *ret_services[ROUTES_SERVICES_MAX]);
/** The one of them that has this name, as a static text; or NULL. */
const char *routes_service(struct slice name);
/** Has one of the service's rows `copied`? */
bool routes_service_copied(const char *service);
/** Has one of the service's rows `entity_in_body`? */
bool routes_service_binds(const char *service);
/** Is this the command id of a request with an Idempotency-Key to a row with `entity_in_body`? See command.c. */
bool routes_entity_in_body(struct slice command_id);
/** Does a request of this row come with a body to be read as JSON? */
bool routes_takes_body(const struct route *route);

#endif
