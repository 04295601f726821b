/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was done about dead letters, and which jobs there are: the control topic in memory. Pure but for memory.
 *
 * The control topic has one partition and is compacted. Its keys, each written by one side only:
 *   job/<id>       what was ordered            whoever orders
 *   cancel/<id>    that it shall end           whoever wants that
 *   progress/<id>  how far it is               its runner
 *   mark/<letter>  what was done about it      the job's runner
 *   breaker/<service>/<instance>/<operation>   that worker
 */
#ifndef ROUNDTRIP_DEAD_BOOK_H
#define ROUNDTRIP_DEAD_BOOK_H

#include "dead/job.h"
#include "dead/marks.h"

#define DEAD_BOOK_KEY_SIZE (DEAD_ID_SIZE + 16)

struct dead_book;
struct dead_book *dead_book_new(void); /* NULL: out of memory */
void dead_book_free(struct dead_book *book); /* NULL is allowed */

/** Takes one record of the control topic; one that it does not understand is left out. False when memory is out. */
bool dead_book_apply(struct dead_book *book, const struct record *rec) __attribute__((warn_unused_result));
/** NULL: the letter is open. Until the next call of it. */
const struct dead_mark *dead_book_mark(const struct dead_book *book, const struct dead_id *id);
const struct dead_marks *dead_book_marks(const struct dead_book *book);
/** NULL: none. Lives as long as the book. */
struct dead_job *dead_book_job(const struct dead_book *book, struct slice id);
/** The next by age of those that are not over, behind `last` and then from the oldest on (NULL: the oldest); NULL: there is none. */
struct dead_job *dead_book_next(const struct dead_book *book, const struct dead_job *last);
/** The one that was heard of last of those that are not over, or NULL. */
struct dead_job *dead_book_newest(const struct dead_book *book);
/** The job behind `job` (NULL: the newest) by age, newest first; NULL at the end. */
struct dead_job *dead_book_before(const struct dead_book *book, const struct dead_job *job);

/**
 * Appends [{"service":…,"instance":…,"operation":…,"phase":…},…] of the breakers that workers have told of. One that is open and
 * should long have been heard of again (its worker may be gone) has the phase "unheard".
 */
void dead_book_show_breakers(struct buf *out, const struct dead_book *book, int64_t now_ms);

/** The value of a mark. */
void dead_book_write_mark(struct buf *out, const struct dead_mark *mark);
/** "<kind>/<name>". */
void dead_book_key(const char *kind, const char *name, char ret_key[DEAD_BOOK_KEY_SIZE]);

#endif
