/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations: a command as something that can be looked at and given up, by any gateway, for as long as its outcome is kept.
 *
 * Its id says all there is to know to ask its worker: base64url (RFC 4648 section 5, without padding) of
 * "<service>\\n<command id>\\n<key>". So whoever has produced a command directly can write it too. Pure.
 */
#ifndef ROUNDTRIP_GATEWAY_OPERATION_H
#define ROUNDTRIP_GATEWAY_OPERATION_H

#include "routes.h"

#define OPERATION_NAME_MAX (64 + ENVELOPE_ID_MAX + ENVELOPE_KEY_MAX + 2)
#define OPERATION_ID_MAX   ((OPERATION_NAME_MAX * 4 + 2) / 3)

struct operation_name {
    struct slice service, command_id, key;
    char text[OPERATION_NAME_MAX]; /* what the slices point into, when it was parsed */
};
bool operation_parse(struct slice id, struct operation_name *ret_name) __attribute__((warn_unused_result));
/** Appends the id. */
void operation_write(struct buf *out, struct slice service, struct slice command_id, struct slice key);

/** 202 for a command that Kafka has and whose caller does not wait (any longer). */
void operation_accepted(struct answer *answer, const struct draft *draft);

/** Is this the answer about a command that is not decided? */
bool operation_is_open(const struct received *received);

/** Does it run, so that progress may come? */
bool operation_is_running(const struct received *received);

/** Appends it as a server-sent event (HTML Living Standard, section 9.2). */
void operation_event(struct buf *out, const struct request *req, const struct received *received);

build_fn operation_build_get, operation_build_cancel;
finish_fn operation_finish, operation_finish_stream;

#endif
