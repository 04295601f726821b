/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was done about each letter, 24 bytes a mark: there may be millions, and every gateway has them in memory. Pure but for memory.
 *
 * A hash table of places (service, partition, offset) with linear probing, at most three quarters full. The job and the reason stand once for
 * all marks that have both, and names of services once.
 */
#ifndef ROUNDTRIP_DEAD_MARKS_H
#define ROUNDTRIP_DEAD_MARKS_H

#include "dead/letter.h"

/** Services and partitions a table knows; marks of others are left out. */
#define DEAD_MARK_SERVICES   1024
#define DEAD_MARK_PARTITIONS (1 << 20)

struct dead_marks;
struct dead_marks *dead_marks_new(void); /* NULL: out of memory */
void dead_marks_free(struct dead_marks *marks); /* NULL is allowed */

/** False when memory is out. */
bool dead_marks_put(struct dead_marks *marks, const struct dead_id *id, const struct dead_mark *mark) __attribute__((warn_unused_result));
void dead_marks_remove(struct dead_marks *marks, const struct dead_id *id);
/** False: the letter is open. */
bool dead_marks_find(const struct dead_marks *marks, const struct dead_id *id, struct dead_mark *ret_mark);
size_t dead_marks_count(const struct dead_marks *marks);
/** Walks over all marks: starts at 0, false at the end. A table that changes meanwhile may skip or repeat some. */
bool dead_marks_next(const struct dead_marks *marks, size_t *cursor, struct dead_id *ret_id);

#endif
