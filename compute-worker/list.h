/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compute.list: the computations of a partition, newest first.
 *
 * Body: {"limit":1 … LIST_MAX,"state":"pending"|"running"|"succeeded"|"failed","after":"<cursor>"}, all of it optional. Answer:
 * {"computations":[…],"until":"<cursor>"|null}; what is older than `until` was not looked at, null: there is nothing older. A cursor is
 * "<time in ms>.<id of the operation>", and the order is by these two.
 *
 * There are those that are not decided, with the time at which Kafka had them; and those whose outcome is kept (the dedupe window), with
 * the time at which they ended. Of a caller who is known: his own.
 */
#ifndef ROUNDTRIP_COMPUTE_LIST_H
#define ROUNDTRIP_COMPUTE_LIST_H

#include "json.h"
#include "worker/service.h"

#define LIST_MAX       100
#define LIST_DEFAULT   20
#define LIST_BYTES_MAX (512 * 1024)
/** Commands that one question looks at, at most: others wait meanwhile. */
#define LIST_LOOKS_MAX 1000

/** The body's members. */
#define LIST_MEMBERS 3
extern const struct json_member list_members[LIST_MEMBERS];

handler_fn list_handle;

#endif
