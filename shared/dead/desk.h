/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where dead letters are looked at: the topics of dead letters and the control topic, read and written.
 *
 * It needs Kafka and nothing else, so a gateway and a command-line program do the same by it. Calls wait for the broker, for
 * DEAD_TIMEOUT_MS each time; one thread at a time.
 */
#ifndef ROUNDTRIP_DEAD_DESK_H
#define ROUNDTRIP_DEAD_DESK_H

#include "bus/producer.h"
#include "bus/reader.h"
#include "dead/book.h"

#define DEAD_TIMEOUT_MS   5000
#define DEAD_LIST_DEFAULT 50
#define DEAD_LIST_MAX     1000
/** Topics of dead letters that are looked at. */
#define DEAD_SERVICES_MAX 24

struct dead_desk {
    const char *control; /* topic; borrowed */
    struct reader *news;   /* of the control topic: its records must not wait behind letters */
    struct reader *reader; /* of what is walked over, one partition at a time */
    struct reader *places; /* of single records, also in the middle of a walk */
    struct producer *producer;
    struct dead_book *book;
    int64_t control_next; /* offset behind the last record that was read; -1: not begun */
};

/** What became of a write to the control topic or to a commands topic. Zero-initialised; lives until `settled`. */
struct dead_write {
    void (*settled)(struct dead_write *write, const char *error); /* `error` NULL: it is in the log */
    bool too_large; /* with an error: the topic takes no record of that size, and never will */
};

/** Waits for nothing. 0 or -errno and `ret_error`. */
int dead_desk_open(struct dead_desk *desk, const struct bus_settings *bus, const char *control, struct dead_error *ret_error)
    __attribute__((warn_unused_result));
void dead_desk_close(struct dead_desk *desk);

/** Reads what has been written to the control topic by now. 0 or -errno and `ret_error`. */
int dead_desk_refresh(struct dead_desk *desk, struct dead_error *ret_error) __attribute__((warn_unused_result));
/** Waits for news on the control topic and takes them. 0, or -ENOMEM. */
int dead_desk_follow(struct dead_desk *desk, int timeout_ms) __attribute__((warn_unused_result));

/** The letters there are now, of one service ("": of all), in the order of service, partition, offset. */
int dead_desk_spans(struct dead_desk *desk, const char *service, struct dead_spans *ret_spans, struct dead_error *ret_error)
    __attribute__((warn_unused_result));

/** A walk over spans, which it borrows. Starts at `span`, `offset`. */
struct dead_scan {
    const struct dead_spans *spans;
    size_t span;
    int64_t offset; /* the next one's, or less */
    bool reading;
    int64_t heard_ns; /* when a record came last */
};
/**
 * The next letter in `ret_msg` (the caller's): 1; 0 at the end; -EAGAIN: none within `timeout_ms`; else -errno and `ret_error`. Takes
 * news of the control topic too. Letters that Kafka has deleted meanwhile are passed over.
 */
int dead_desk_next(struct dead_desk *desk, struct dead_scan *scan, int timeout_ms, struct message **ret_msg,
                   struct dead_error *ret_error) __attribute__((warn_unused_result));
/** Ends a walk before its end. */
void dead_desk_stop(struct dead_desk *desk, struct dead_scan *scan);

/** The record at one place of any topic: the caller's, or NULL and `ret_error`. */
struct message *dead_desk_record(struct dead_desk *desk, const char *topic, int32_t partition, int64_t offset,
                                 struct dead_error *ret_error);
/** What `letter` was, if it is bare: the caller's. NULL and `ret_error`: it is gone. */
struct message *dead_desk_original(struct dead_desk *desk, const struct dead_letter *letter, struct dead_error *ret_error);

typedef bool dead_letter_fn(void *arg, const struct dead_letter *letter, const struct dead_mark *mark);
/**
 * Shows the letters that match, at most `limit`, behind the one named `after` (NULL: from the first). `ret_next`: the last one
 * shown, when there may be more; else its service is "". 0 or -errno and `ret_error`.
 */
int dead_desk_list(struct dead_desk *desk, const struct dead_filter *filter, const struct dead_id *after, size_t limit,
                   dead_letter_fn *show, void *arg, struct dead_id *ret_next, struct dead_error *ret_error)
    __attribute__((warn_unused_result));
/** Appends one letter as JSON, with the others of the same command as its history. -ENOENT: there is none of that name. */
int dead_desk_read(struct dead_desk *desk, const struct dead_id *id, struct buf *out, struct dead_error *ret_error)
    __attribute__((warn_unused_result));

/** What a job would do: counts in `ret_progress` (done: what it would act on), the first `limit` shown. */
int dead_desk_rehearse(struct dead_desk *desk, const struct dead_job *job, size_t limit, dead_letter_fn *show, void *arg,
                       struct dead_progress *ret_progress, struct dead_error *ret_error) __attribute__((warn_unused_result));
/** A job for `order`, which must have passed dead_order_check(), over the letters there are now: the caller's. */
int dead_desk_prepare(struct dead_desk *desk, const struct dead_order *order, struct dead_job **ret_job,
                      struct dead_error *ret_error) __attribute__((warn_unused_result));
/** Makes it known; it runs when a runner has time. */
int dead_desk_submit(struct dead_desk *desk, const struct dead_job *job, struct dead_error *ret_error)
    __attribute__((warn_unused_result));
/** Asks a job to end. -ENOENT: there is none of that id; -EALREADY: it is over. */
int dead_desk_cancel(struct dead_desk *desk, struct slice job_id, struct dead_error *ret_error)
    __attribute__((warn_unused_result));

/** Sends to the control topic without waiting; `write` may be NULL. */
int dead_desk_write(struct dead_desk *desk, const char *kind, const char *name, struct slice value, struct dead_write *write)
    __attribute__((warn_unused_result));

#endif
