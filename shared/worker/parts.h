/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internal to worker/. Results that are kept beside the answer: in parts below a record's size, each a record of the event log with
 * the key "__part/<id of the result>/<index>".
 *
 * They are appended before the command's one event, through the same producer under the same claim; the event names them. So
 * when it is final, they are; when the claim ends in between, it never comes to be, and whoever decides the command anew writes
 * parts under another id. No two records have the same key, so a void one hides nothing. What no outcome names any more goes
 * with the dedupe window (sweep.c).
 */
#ifndef ROUNDTRIP_WORKER_PARTS_H
#define ROUNDTRIP_WORKER_PARTS_H

#include "worker/runtime.h"

/** Says where the result that the handler gave is, in work->result_text. */
void parts_place(struct work *work);
/** Appends the parts of the result, if it has a result of its own. False: the claim ended by it, and with it the work. */
bool parts_append(struct work *work) __attribute__((warn_unused_result));
/** The bytes of a part, final or not, borrowed until the partition changes; false: it is forgotten. */
bool parts_find(struct partition *p, struct slice name, struct slice *ret_bytes);

#endif
