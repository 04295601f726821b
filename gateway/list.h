/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One page of items out of every partition's page. Pure.
 *
 * Each partition answers {"items":[…],"more":bool}, its items in id order; together they are
 * {"items":[…],"next":…}. Items are copied byte for byte, never re-written. A partition that has more may not
 * be run past: what it would show next could belong before another partition's next item.
 */
#ifndef ROUNDTRIP_GATEWAY_LIST_H
#define ROUNDTRIP_GATEWAY_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "answer.h"
#include "buf.h"
#include "pending.h"
#include "slice.h"

/**
 * Appends {"items":[at most `limit`],"next":"<last id>"|null} to `out`. `count` <= PENDING_PARTS_MAX. False
 * when a page is not of that shape; what was appended is then incomplete.
 */
bool list_merge(const struct slice *pages, size_t count, int64_t limit, struct buf *out)
    __attribute__((warn_unused_result));

/** What makes one page of those of all partitions; as list_merge(). */
typedef bool list_merge_fn(const struct slice *pages, size_t count, int64_t limit, struct buf *out);
/** The answer from all partitions' replies; `what` they list. */
void list_finish(const struct received *parts, size_t count, int64_t limit, list_merge_fn *merge, const char *what,
                 struct answer *ret_answer);

#endif
