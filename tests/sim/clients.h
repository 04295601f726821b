/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated callers: what they ask, ask again, and give up. */
#ifndef ROUNDTRIP_SIM_CLIENTS_H
#define ROUNDTRIP_SIM_CLIENTS_H

#include "record.h"
#include "world.h"

/** What somebody wants, however often it is sent. */
struct request {
    const char *type;
    int key;
    char id[48], body[16]; /* id "": the position of its only record is its id */
    bool read, unknown, bomb, waits;
    int about; /* thing.operation, thing.cancel: the request they are about; else -1 */
    int32_t home;
    int sends, landed, status; /* status: of the first answer; 0: none */
    int facts, effects, last_fact; /* kept by checks.c: of its valid events */
    bool bound;                    /* also: one of them has an outcome that binds */
    int64_t first_sent;
};

/** One record that was sent for it; its correlation id is "a<number>". */
struct attempt {
    int request;
    bool imposter; /* the same id with another body, sent when the id was bound */
    size_t known; /* valid events of its partition that any client knew of when it was sent */
};

void clients_begin(void);
/** A command stands in the log. */
void clients_landed(const struct record *rec);
/** An answer to that attempt has come. */
void clients_answered(int attempt, int status);
/** The request a command id means, or -1. */
int clients_request_of(struct slice id);
struct request *clients_request(int number);
struct attempt *clients_attempt(struct slice correlation, int *ret_number);
/** Does a record of that attempt stand there, or before? */
bool clients_attempt_before(int partition, int attempt, int64_t offset);
int clients_request_count(void);
/** Violations: who was never answered. */
void clients_check(void);

#endif
