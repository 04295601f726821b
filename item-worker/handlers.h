/* SPDX-License-Identifier: Apache-2.0 */
/* The item service's operations, for main.c and the tests. */
#ifndef ROUNDTRIP_ITEM_WORKER_HANDLERS_H
#define ROUNDTRIP_ITEM_WORKER_HANDLERS_H

#include "json.h"
#include "worker/service.h"

/* Bounds, in bytes of UTF-8. */
#define ITEM_NAME_MAX        200
#define ITEM_DESCRIPTION_MAX 10000
/* One page of item.list, in items and in bytes: a reply must stay below Kafka's message.max.bytes (1 MB). */
#define ITEM_LIST_MAX       1000
#define ITEM_LIST_DEFAULT   100
#define ITEM_LIST_BYTES_MAX (512 * 1024)

/* What the bodies of commands have: as described in gateway/web/openapi.json and asyncapi.json. */
#define ITEM_CREATE_MEMBERS 3
#define ITEM_PUT_MEMBERS    3
#define ITEM_LIST_MEMBERS   2
extern const struct json_member item_create_members[ITEM_CREATE_MEMBERS], item_put_members[ITEM_PUT_MEMBERS],
    item_list_members[ITEM_LIST_MEMBERS];

extern const struct service item_service;

#endif
