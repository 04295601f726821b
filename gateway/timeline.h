/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One page of computations, newest first, out of every partition's page. Pure.
 *
 * Each partition answers {"computations":[…],"until":"<cursor>"|null} (compute-worker/list.h), and has not looked at what is older
 * than `until`: nothing older may be shown before that partition was asked again. Computations are copied byte for byte.
 */
#ifndef ROUNDTRIP_GATEWAY_TIMELINE_H
#define ROUNDTRIP_GATEWAY_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "pending.h"
#include "slice.h"

/**
 * Appends {"computations":[at most `limit`],"next":"<cursor>"|null} to `out`; it may be that there are none, and a cursor all the same.
 * `count` <= PENDING_PARTS_MAX. False when a page is not of that shape; what was appended is then incomplete.
 */
bool timeline_merge(const struct slice *pages, size_t count, int64_t limit, struct buf *out) __attribute__((warn_unused_result));

/** "<time in ms>.<id of an operation>". */
bool timeline_is_cursor(struct slice text);

#endif
