/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations: a command as something that can be looked at and given up, by any gateway, for as long as its outcome is kept.
 * Its id says all there is to know to ask its worker (operation_id.h). Pure.
 */
#ifndef ROUNDTRIP_GATEWAY_OPERATION_H
#define ROUNDTRIP_GATEWAY_OPERATION_H

#include "operation_id.h"
#include "routes.h"

/** 202 for a command that Kafka has and whose caller does not wait (any longer). */
void operation_accepted(struct answer *answer, const struct draft *draft);

/** Is this the answer about a command that is not decided? */
bool operation_is_open(const struct received *received);

/** Does it run, so that progress may come? */
bool operation_is_running(const struct received *received);

/** Appends it as a server-sent event (HTML Living Standard, section 9.2). */
void operation_event(struct buf *out, const struct request *req, const struct received *received);

/** Which part of a result its command asks for. */
void operation_ask_part(struct draft *draft, int64_t part);

build_fn operation_build_get, operation_build_result, operation_build_cancel;
finish_fn operation_finish, operation_finish_result, operation_finish_stream;

#endif
