/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs over many letters: made here, rehearsed, made known and cancelled; run by runner.c. */
#include <errno.h>
#include <stdio.h>

#include "clock.h"
#include "dead/desk_own.h"

/* The letters that were named, each a span of its own; one that there is not is a mistake to be told now. */
static int add_named(struct dead_desk *desk, const struct dead_order *order, struct dead_spans *spans,
                     struct dead_error *ret_error)
{
    int64_t low = 0, high = 0;
    for (size_t i = 0; i < order->id_count; i++) {
        const struct dead_id *id = &order->ids[i], *last = i ? id - 1 : NULL;
        char topic[DEAD_TOPIC_SIZE], name[DEAD_ID_SIZE];
        int err = 0;
        dead_topic_of(id->service, topic);
        if (!last || last->partition != id->partition || strcmp(last->service, id->service) != 0)
            err = dead_desk_ends(desk, topic, id->partition, &low, &high, ret_error);
        if (!err && (id->offset < low || id->offset >= high))
            err = -ENOENT;
        if (err == -ENOENT) {
            dead_id_write(id, name);
            dead_error_set(ret_error, "there is no dead letter %.160s (any more)", name);
        }
        if (!err && !dead_spans_add(spans, id->service, id->partition, id->offset, id->offset + 1))
            err = -ENOMEM;
        if (err)
            return err;
    }
    return 0;
}

int dead_desk_prepare(struct dead_desk *desk, const struct dead_order *order, struct dead_job **ret_job,
                      struct dead_error *ret_error)
{
    char id[ENVELOPE_UUID_SIZE];
    int64_t now_ms = clock_wall_ms();
    envelope_new_id(now_ms, id);
    struct dead_job *job = dead_job_new(id);
    int err = job ? dead_desk_refresh(desk, ret_error) : -ENOMEM;
    if (!err && order->id_count == 0)
        err = dead_desk_spans(desk, order->filter.service, &job->spans, ret_error);
    else if (!err)
        err = add_named(desk, order, &job->spans, ret_error);
    if (err) {
        dead_job_free(job);
        return err;
    }
    job->order = *order;
    job->order.ids = NULL;
    job->order.id_count = 0;
    job->created_ms = now_ms;
    *ret_job = job;
    return 0;
}

int dead_desk_rehearse(struct dead_desk *desk, const struct dead_job *job, size_t limit, dead_letter_fn *show, void *arg,
                       struct dead_progress *ret_progress, struct dead_error *ret_error)
{
    struct dead_scan scan = {.spans = &job->spans};
    struct message *msg;
    int got;
    *ret_progress = (struct dead_progress){.phase = DEAD_WAITING};
    while ((got = dead_desk_next_or_fail(desk, &scan, &msg, ret_error)) == 1) {
        struct dead_letter letter;
        dead_letter_read(&msg->rec, job->spans.list[scan.span].service, &letter);
        const struct dead_mark *mark = dead_book_mark(desk->book, &letter.id);
        enum dead_verdict verdict = dead_job_judge(job, &letter, mark);
        ret_progress->examined++;
        ret_progress->already += verdict == DEAD_ALREADY;
        ret_progress->too_often += verdict == DEAD_TOO_OFTEN;
        if (verdict == DEAD_ACT && (size_t)ret_progress->done++ < limit && !show(arg, &letter, mark)) {
            message_free(msg);
            got = -ENOMEM;
            break;
        }
        message_free(msg);
    }
    dead_desk_stop(desk, &scan);
    return got;
}

struct awaited {
    struct dead_write write; /* first: it is found by its address */
    bool done;
    char error[DEAD_ERROR_SIZE - 64];
};

static void note_end(struct dead_write *write, const char *error)
{
    struct awaited *awaited = (struct awaited *)write;
    awaited->done = true;
    snprintf(awaited->error, sizeof(awaited->error), "%s", error ? error : "");
}

/* Writes and waits until it is in the log, and read again from there. */
static int write_through(struct dead_desk *desk, const char *kind, const char *name, struct slice value,
                         struct dead_error *ret_error)
{
    struct awaited awaited = {.write = {.settled = note_end}};
    int err = dead_desk_write(desk, kind, name, value, &awaited.write);
    while (!err && !awaited.done) /* ends with the producer's time-out at the latest */
        (void)producer_flush(desk->producer, DEAD_TIMEOUT_MS);
    if (!err && awaited.error[0])
        err = -EIO;
    if (err) {
        dead_error_set(ret_error, "cannot write to topic %s: %s", desk->control, awaited.error[0] ? awaited.error : strerror(-err));
        return err;
    }
    return dead_desk_refresh(desk, ret_error);
}

int dead_desk_submit(struct dead_desk *desk, const struct dead_job *job, struct dead_error *ret_error)
{
    struct buf text = {0};
    dead_job_write(&text, job);
    int err = buf_ok(&text) ? write_through(desk, "job", job->id, buf_slice(&text), ret_error) : -ENOMEM;
    buf_done(&text);
    return err;
}

int dead_desk_cancel(struct dead_desk *desk, struct slice job_id, struct dead_error *ret_error)
{
    int err = dead_desk_refresh(desk, ret_error);
    struct dead_job *job = err ? NULL : dead_book_job(desk->book, job_id);
    if (err)
        return err;
    if (!job) {
        dead_error_set(ret_error, "there is no job of that id");
        return -ENOENT;
    }
    if (job->progress.phase >= DEAD_DONE) {
        dead_error_set(ret_error, "the job is over already");
        return -EALREADY;
    }
    return write_through(desk, "cancel", job->id, SLICE("{}"), ret_error);
}
