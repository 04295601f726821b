/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A redrive or a discard of many letters, as data: what was ordered, which letters were there then, how far it is. Pure.
 *
 * Both are JSON in the control topic (book.h), so that any process can go on with a job where another left it.
 */
#ifndef ROUNDTRIP_DEAD_JOB_H
#define ROUNDTRIP_DEAD_JOB_H

#include <json-c/json_object.h>

#include "dead/filter.h"
#include "envelope.h"

#define DEAD_RATE_DEFAULT   100 /* letters a second */
#define DEAD_RATE_MAX       100000
#define DEAD_ROUNDS_DEFAULT 3
#define DEAD_ROUNDS_MAX     1000
#define DEAD_IDS_MAX        1000

enum dead_action { DEAD_REDRIVE, DEAD_DISCARD };
const char *dead_action_name(enum dead_action action);
enum dead_phase { DEAD_WAITING, DEAD_RUNNING, DEAD_DONE, DEAD_CANCELLED };
const char *dead_phase_name(enum dead_phase phase);

/** What somebody wants. Start with dead_order_init(), end with dead_order_done(). */
struct dead_order {
    enum dead_action action;
    struct dead_filter filter;
    struct dead_id *ids; /* these letters, if there are any, as far as the filter matches them */
    size_t id_count;
    bool all;            /* every open letter is meant: a filter that names nothing is no accident */
    bool dry_run;
    int rate;            /* letters a second */
    int max_rounds;      /* a letter that was redriven as often as this is left alone */
    char reason[256];    /* why they are discarded: kept */
    char by[64];         /* who ordered it */
};
void dead_order_init(struct dead_order *order, enum dead_action action);
void dead_order_done(struct dead_order *order);
bool dead_order_add_id(struct dead_order *order, struct slice id, struct dead_error *ret_error)
    __attribute__((warn_unused_result));
/** Sets rate, max_rounds or reason. */
bool dead_order_set_number(struct dead_order *order, const char *name, int64_t value, struct dead_error *ret_error)
    __attribute__((warn_unused_result));
bool dead_order_set_reason(struct dead_order *order, struct slice reason, struct dead_error *ret_error)
    __attribute__((warn_unused_result));
/** Is it one that can be carried out: letters named, a reason to discard? */
bool dead_order_check(const struct dead_order *order, struct dead_error *ret_error) __attribute__((warn_unused_result));
/** Adds to `order` what a JSON object says: the filter's names, ids, all, dry_run, rate, max_rounds, reason; then checks it. */
bool dead_order_read(struct dead_order *order, struct json_object *object, int64_t now_ms, struct dead_error *ret_error)
    __attribute__((warn_unused_result));

/** Letters of one partition. */
struct dead_span {
    char service[DEAD_SERVICE_SIZE];
    int32_t partition;
    int64_t begin, end; /* offsets [begin, end) */
};
struct dead_spans {
    struct dead_span *list;
    size_t count;
};
void dead_spans_done(struct dead_spans *spans);
/** False when memory is out. */
bool dead_spans_add(struct dead_spans *spans, const char *service, int32_t partition, int64_t begin, int64_t end)
    __attribute__((warn_unused_result));
int64_t dead_spans_total(const struct dead_spans *spans);

/** How far a job is. Everything before the position has its mark. */
struct dead_progress {
    enum dead_phase phase;
    size_t span;           /* the position: */
    int64_t offset;        /* the next letter of that span; before its begin: the begin */
    int64_t examined;      /* letters looked at */
    int64_t done;          /* redriven or discarded by this job */
    int64_t already;       /* left alone: dealt with before, by another job */
    int64_t too_often;     /* left alone: went round max_rounds times */
    int64_t unfit;         /* left alone: cannot be sent; `error` says why the last one */
    int64_t updated_ms;
    char error[128];
    char runner[64];       /* who runs it */
};

struct dead_job {
    char id[ENVELOPE_UUID_SIZE];
    struct dead_order order; /* without ids: they are spans */
    struct dead_spans spans;
    int64_t created_ms;
    bool cancelled; /* somebody wants it to end */
    struct dead_progress progress;
    /* its runner's, while it has it open */
    int64_t send_ns; /* when the next command may go out */
    bool alone;      /* one letter at a time: a topic's max.message.bytes counts for all that is sent together */
};
struct dead_job *dead_job_new(const char *id);
void dead_job_free(struct dead_job *job); /* NULL is allowed */

/** What was ordered, as it is kept: read back by dead_job_read(). */
void dead_job_write(struct buf *out, const struct dead_job *job);
bool dead_job_read(struct dead_job *job, struct slice json) __attribute__((warn_unused_result));
void dead_progress_write(struct buf *out, const struct dead_progress *progress);
/** One that cannot be read leaves it as it is: false. */
bool dead_progress_read(struct dead_progress *progress, struct slice json);
/** As operators see it: order and progress in one object. */
void dead_job_show(struct buf *out, const struct dead_job *job);

enum dead_verdict {
    DEAD_PASS,    /* not meant by the order */
    DEAD_ALREADY, /* meant, but for its state: another job has dealt with it */
    DEAD_ACT,
    DEAD_COUNTED, /* this job has dealt with it already, before it was interrupted */
    DEAD_TOO_OFTEN,
};
/** What to do about one letter; `mark` NULL: it is open. */
enum dead_verdict dead_job_judge(const struct dead_job *job, const struct dead_letter *letter, const struct dead_mark *mark);

#endif
