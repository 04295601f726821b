/* SPDX-License-Identifier: Apache-2.0 */
/* A dead letter as a worker writes it, for the tests of dead/. */
#ifndef ROUNDTRIP_TEST_DEAD_SUPPORT_H
#define ROUNDTRIP_TEST_DEAD_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dead/job.h"

#define assert_slice(s, text) assert_true(slice_is(s, text))

/* `headers` must live as long as the record. */
static inline struct record a_record(struct headers *headers)
{
    headers_init(headers);
    headers_add(headers, "__dlq.errors.topic", SLICE("item.commands"));
    headers_add(headers, "__dlq.errors.partition", SLICE("2"));
    headers_add(headers, "__dlq.errors.offset", SLICE("71"));
    headers_add(headers, "__dlq.errors.group", SLICE("item-workers"));
    headers_add(headers, "__dlq.errors.delivery.count", SLICE("1"));
    headers_add(headers, "__dlq.errors.message", SLICE("the disk is gone"));
    headers_add(headers, "__dlq.errors.class", SLICE("exhausted"));
    headers_add(headers, "ce_type", SLICE("item.put"));
    headers_add(headers, "ce_id", SLICE("id-1"));
    headers_add(headers, "ce_expirytime", SLICE("2026-01-31T12:00:00Z"));
    headers_add(headers, "x-own", SLICE_NONE);
    headers_add(headers, "x-other", SLICE("kept"));
    return (struct record){.topic = "dlq.item.commands",
                           .partition = 3,
                           .offset = 9,
                           .timestamp_ms = INT64_C(1769860800000), /* 2026-01-31T12:00:00Z */
                           .key = SLICE("7"),
                           .value = SLICE("{\"name\":\"x\"}"),
                           .headers = headers->list,
                           .header_count = headers->count};
}

static inline bool text_has(const struct buf *text, const char *part)
{
    return memmem(text->data, text->len, part, strlen(part)) != NULL;
}

#endif
