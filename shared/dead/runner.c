/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Election by a consumer group, and the loop of one job.
 *
 * Jobs take turns of a second, from one checkpoint to the next, so that a slow one does not hold up the others.
 *
 * Each letter: judged -> its command is sent -> acknowledged -> its mark is sent -> acknowledged -> counted. Every second
 * nothing more is sent until all that is on its way has come through; then the progress is written, so that everything before
 * its position has a mark.
 */
#include "dead/runner.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "bus/consumer.h"
#include "clock.h"
#include "dead/desk.h"
#include "dead/forget.h"
#include "log.h"

#define GROUP            "roundtrip-dead-letters"
#define STEP_NS          (100 * CLOCK_NS_PER_MS)
#define STEP_MS          100
#define CHECKPOINT_NS    (1000 * CLOCK_NS_PER_MS)
#define CHECKPOINT_COUNT 2000 /* letters acted on */
#define PAUSE_NS         (5000 * CLOCK_NS_PER_MS)
#define FORGET_NS        (INT64_C(3600) * 1000 * CLOCK_NS_PER_MS)
#define FLIGHTS_MAX      512
#define TOO_LARGE        "it is larger than its commands topic takes (max.message.bytes)"

struct dead_runner {
    struct dead_runner_options options;
    struct consumer *consumer;
    bool elected;
    struct dead_desk desk; /* open while elected */
    bool desk_open;
    int64_t pause_until_ns; /* after something went wrong */
    int64_t forget_ns;      /* when to look for marks of letters that are gone; only without a job */
    struct dead_error error;

    /* the job, if there is one */
    struct dead_job *job;  /* the book's */
    struct dead_job *last; /* the one that gave way to it, or NULL */
    struct dead_scan scan;
    struct dead_progress now; /* true once nothing is on its way */
    int64_t checkpoint_ns;
    int on_way, since_checkpoint;
    bool stumbled; /* something was not written: back to the last checkpoint */
};

/* One letter on its way. */
struct flight {
    struct dead_write write; /* first: found by its address */
    struct dead_runner *runner;
    struct dead_id id;
    bool marking; /* its command is in the log */
};

/* ---- one letter ---- */

static void land(struct flight *flight, bool done)
{
    struct dead_runner *runner = flight->runner;
    runner->on_way--;
    if (done)
        runner->now.done++;
    free(flight);
}

static void stumble(struct dead_runner *runner, const char *error)
{
    runner->stumbled = true;
    snprintf(runner->now.error, sizeof(runner->now.error), "%.*s", (int)sizeof(runner->now.error) - 1, error);
}

static void send_mark(struct flight *flight)
{
    struct dead_runner *runner = flight->runner;
    const struct dead_order *order = &runner->job->order;
    struct dead_mark mark = {.state = order->action == DEAD_DISCARD ? DEAD_DISCARDED : DEAD_REDRIVEN, .at_ms = clock_wall_ms()};
    struct buf text = {0};
    char name[DEAD_ID_SIZE];
    snprintf(mark.job, sizeof(mark.job), "%s", runner->job->id);
    memcpy(mark.reason, order->reason, sizeof(mark.reason));
    dead_id_write(&flight->id, name);
    dead_book_write_mark(&text, &mark);
    flight->marking = true;
    int err = buf_ok(&text) ? dead_desk_write(&runner->desk, "mark", name, buf_slice(&text), &flight->write) : -ENOMEM;
    buf_done(&text);
    if (!err)
        return;
    stumble(runner, strerror(-err));
    land(flight, false);
}

static void leave_unfit(struct dead_runner *runner, const char *why)
{
    runner->now.unfit++;
    snprintf(runner->now.error, sizeof(runner->now.error), "%.*s", (int)sizeof(runner->now.error) - 1, why);
}

static void settled(struct dead_write *write, const char *error)
{
    struct flight *flight = (struct flight *)write;
    if (error && write->too_large && !flight->marking && flight->runner->job->alone) {
        leave_unfit(flight->runner, TOO_LARGE);
        land(flight, false);
    } else if (error) {
        flight->runner->job->alone |= write->too_large; /* it is, or those that were sent with it */
        stumble(flight->runner, error);
        land(flight, false);
    } else if (flight->marking) {
        land(flight, true);
    } else {
        send_mark(flight);
    }
}

/* Sends the letter's command. A refusal that time does not mend makes it unfit. */
static void send_command(struct dead_runner *runner, struct flight *flight, const struct dead_letter *letter,
                         const struct record *original)
{
    char topic[DEAD_TOPIC_SIZE];
    struct headers headers;
    struct record rec;
    const char *why = NULL;
    dead_commands_topic_of(letter->id.service, topic);
    if (!dead_letter_command(letter, original, topic, slice_of(runner->job->id), &headers, &rec, &why)) {
        leave_unfit(runner, why);
        land(flight, false);
        return;
    }
    int err = producer_send(runner->desk.producer, &rec, &headers, &flight->write);
    if (err == -EMSGSIZE || err == -EINVAL) {
        leave_unfit(runner, TOO_LARGE);
        land(flight, false);
    } else if (err) {
        stumble(runner, strerror(-err));
        land(flight, false);
    }
}

static void act(struct dead_runner *runner, const struct dead_letter *letter)
{
    struct flight *flight = calloc(1, sizeof(*flight));
    if (!flight) {
        stumble(runner, "out of memory");
        return;
    }
    *flight = (struct flight){.write = {.settled = settled}, .runner = runner, .id = letter->id};
    runner->on_way++;
    runner->since_checkpoint++;
    if (runner->job->order.action == DEAD_DISCARD) {
        send_mark(flight);
    } else if (!dead_letter_is_bare(letter)) {
        send_command(runner, flight, letter, letter->rec);
    } else {
        struct dead_error error;
        struct message *original = dead_desk_original(&runner->desk, letter, &error);
        if (original) {
            send_command(runner, flight, letter, &original->rec);
        } else {
            leave_unfit(runner, error.text);
            land(flight, false);
        }
        message_free(original);
    }
}

static void consider(struct dead_runner *runner, const struct record *rec)
{
    struct dead_letter letter;
    dead_letter_read(rec, runner->job->spans.list[runner->scan.span].service, &letter);
    runner->now.examined++;
    switch (dead_job_judge(runner->job, &letter, dead_book_mark(runner->desk.book, &letter.id))) {
    case DEAD_PASS:
        break;
    case DEAD_ALREADY:
        runner->now.already++;
        break;
    case DEAD_COUNTED:
        runner->now.done++;
        break;
    case DEAD_TOO_OFTEN:
        runner->now.too_often++;
        break;
    case DEAD_ACT:
        act(runner, &letter);
        int64_t gap_ns = INT64_C(1000000000) / runner->job->order.rate, at_ns = clock_mono_ns();
        /* a late start is made up for, within a tenth of a second */
        runner->job->send_ns = (runner->job->send_ns > at_ns - STEP_NS ? runner->job->send_ns : at_ns - STEP_NS) + gap_ns;
        break;
    }
}

/* ---- the job ---- */

static void begin_at_progress(struct dead_runner *runner)
{
    const struct dead_progress *progress = &runner->job->progress;
    runner->scan = (struct dead_scan){.spans = &runner->job->spans, .span = progress->span, .offset = progress->offset};
    runner->now = *progress;
    runner->now.phase = DEAD_RUNNING;
    snprintf(runner->now.runner, sizeof(runner->now.runner), "%s", runner->options.name);
    runner->stumbled = false;
    runner->since_checkpoint = 0;
}

static void rest(struct dead_runner *runner)
{
    runner->pause_until_ns = clock_mono_ns() + PAUSE_NS;
}

/* Waits until what is on its way has come through; false when it has not, yet. */
static bool settle(struct dead_runner *runner)
{
    int64_t until_ns = clock_mono_ns() + DEAD_TIMEOUT_MS * CLOCK_NS_PER_MS;
    while (runner->on_way > 0 && clock_mono_ns() < until_ns)
        (void)producer_flush(runner->desk.producer, STEP_MS);
    return runner->on_way == 0;
}

/* Notes how far the job is, with everything before that in the log. */
static bool checkpoint(struct dead_runner *runner, enum dead_phase phase)
{
    struct buf text = {0};
    if (!settle(runner) || runner->stumbled)
        return false;
    runner->now.phase = phase;
    runner->now.span = runner->scan.span;
    runner->now.offset = runner->scan.offset;
    runner->now.updated_ms = clock_wall_ms();
    dead_progress_write(&text, &runner->now);
    bool ok = buf_ok(&text) &&
              dead_desk_write(&runner->desk, "progress", runner->job->id, buf_slice(&text), NULL) == 0 &&
              producer_flush(runner->desk.producer, DEAD_TIMEOUT_MS) == 0;
    buf_done(&text);
    runner->checkpoint_ns = clock_mono_ns();
    runner->since_checkpoint = 0;
    if (ok)
        runner->job->progress = runner->now; /* until it is read again from the topic */
    return ok;
}

static void begin_job(struct dead_runner *runner)
{
    runner->job = dead_book_next(runner->desk.book, runner->last);
    if (!runner->job)
        return;
    bool goes_on = runner->job->send_ns != 0;
    begin_at_progress(runner);
    if (!goes_on)
        log_info("dead letters: a job begins", "id=%s by=\"%s\" letters=%" PRId64 " examined=%" PRId64, runner->job->id,
                 runner->job->order.by, dead_spans_total(&runner->job->spans), runner->now.examined);
    if (!goes_on)
        runner->job->send_ns = clock_mono_ns();
    if (!checkpoint(runner, DEAD_RUNNING))
        rest(runner);
}

/* At a checkpoint. Another one's turn: it must see the marks that this one has made. */
static bool gives_way(struct dead_runner *runner)
{
    if (dead_book_next(runner->desk.book, runner->job) == runner->job)
        return false;
    dead_desk_stop(&runner->desk, &runner->scan);
    if (dead_desk_refresh(&runner->desk, &runner->error) != 0) {
        stumble(runner, runner->error.text);
        return true;
    }
    runner->last = runner->job;
    runner->job = NULL;
    return true;
}

static void end_job(struct dead_runner *runner, enum dead_phase phase)
{
    dead_desk_stop(&runner->desk, &runner->scan);
    if (!checkpoint(runner, phase) || dead_desk_refresh(&runner->desk, &runner->error) != 0) {
        rest(runner); /* and again from the last checkpoint */
        runner->stumbled = true;
        return;
    }
    log_info("dead letters: a job is over", "id=%s %s done=%" PRId64 " too_often=%" PRId64 " unfit=%" PRId64, runner->job->id,
             phase == DEAD_DONE ? "phase=done" : "phase=cancelled", runner->now.done, runner->now.too_often,
             runner->now.unfit);
    runner->last = runner->job;
    runner->job = NULL;
}

/* Something was not written: what has no mark is tried again, a little later. */
static void go_back(struct dead_runner *runner)
{
    char error[sizeof(runner->now.error)];
    if (!settle(runner))
        return;
    memcpy(error, runner->now.error, sizeof(error));
    dead_desk_stop(&runner->desk, &runner->scan);
    log_warn("dead letters: the job is interrupted and goes on soon", "id=%s error=\"%s\"", runner->job->id, error);
    if (dead_desk_refresh(&runner->desk, &runner->error) == 0) {
        begin_at_progress(runner);
        memcpy(runner->now.error, error, sizeof(error));
    }
    rest(runner);
}

static void work(struct dead_runner *runner, int64_t until_ns)
{
    for (int64_t now_ns; !runner->stumbled && (now_ns = clock_mono_ns()) < until_ns;) {
        struct message *msg;
        if (runner->job->cancelled) {
            end_job(runner, DEAD_CANCELLED);
            return;
        }
        producer_serve(runner->desk.producer, now_ns);
        if (now_ns - runner->checkpoint_ns > CHECKPOINT_NS || runner->since_checkpoint >= CHECKPOINT_COUNT) {
            if (!checkpoint(runner, DEAD_RUNNING) || gives_way(runner))
                return;
            continue;
        }
        if (runner->job->send_ns > now_ns || runner->on_way >= (runner->job->alone ? 1 : FLIGHTS_MAX)) {
            if (dead_desk_follow(&runner->desk, 1) != 0)
                stumble(runner, "out of memory");
            continue;
        }
        int got = dead_desk_next(&runner->desk, &runner->scan, 1, &msg, &runner->error);
        if (got == 1) {
            consider(runner, &msg->rec);
            message_free(msg);
        } else if (got == 0) {
            end_job(runner, DEAD_DONE);
            return;
        } else if (got != -EAGAIN) {
            stumble(runner, runner->error.text);
        }
    }
}

/* ---- election ---- */

static void close_desk(struct dead_runner *runner)
{
    if (!runner->desk_open)
        return;
    if (runner->job && !runner->stumbled)
        (void)checkpoint(runner, DEAD_RUNNING);
    (void)settle(runner); /* what is left of them ends by the producer being closed */
    runner->desk_open = false;
    dead_desk_close(&runner->desk);
    runner->job = runner->last = NULL; /* they were the desk's */
}

static void on_assigned(void *arg, const int32_t *partitions, const int64_t *committed, size_t count)
{
    struct dead_runner *runner = arg;
    runner->elected = count > 0;
}

static void on_revoked(void *arg, const int32_t *partitions, size_t count, bool lost)
{
    struct dead_runner *runner = arg;
    runner->elected = false;
    close_desk(runner);
}

static bool open_desk(struct dead_runner *runner)
{
    if (runner->desk_open)
        return true;
    int err = dead_desk_open(&runner->desk, runner->options.bus, runner->options.control, &runner->error);
    runner->desk_open = !err;
    if (!err)
        err = dead_desk_refresh(&runner->desk, &runner->error);
    if (!err)
        return true;
    log_warn("dead letters: cannot look for jobs", "error=\"%s\"", runner->error.text);
    close_desk(runner);
    rest(runner);
    return false;
}

int dead_runner_open(const struct dead_runner_options *options, struct dead_runner **ret_runner, struct dead_error *ret_error)
{
    struct bus_error error = {""};
    struct dead_runner *runner = calloc(1, sizeof(*runner));
    if (!runner)
        return -ENOMEM;
    runner->options = *options;
    const struct consumer_options consumer = {.settings = options->bus,
                                              .topic = options->control,
                                              .group = GROUP,
                                              .assigned = on_assigned,
                                              .revoked = on_revoked,
                                              .arg = runner};
    int err = consumer_open(&consumer, &runner->consumer, &error);
    if (err) {
        dead_error_set(ret_error, "%s", error.text);
        free(runner);
        return err;
    }
    *ret_runner = runner;
    return 0;
}

void dead_runner_close(struct dead_runner *runner)
{
    if (!runner)
        return;
    consumer_close(runner->consumer); /* revokes, which closes the desk */
    close_desk(runner);
    free(runner);
}

const char *dead_runner_fatal(struct dead_runner *runner)
{
    return consumer_fatal(runner->consumer);
}

static void forget_old_marks(struct dead_runner *runner, int64_t now_ns)
{
    if (now_ns < runner->forget_ns)
        return;
    runner->forget_ns = now_ns + FORGET_NS;
    int count = dead_forget(&runner->desk, &runner->error);
    if (count < 0)
        log_warn("dead letters: marks of letters that are gone stay for now", "error=\"%s\"", runner->error.text);
    else if (count > 0)
        log_info("dead letters: marks of letters that are gone are taken out", "count=%d", count);
}

static void idle(void)
{
    (void)poll(NULL, 0, STEP_MS);
}

void dead_runner_step(struct dead_runner *runner)
{
    int64_t now_ns = clock_mono_ns();
    message_free(consumer_poll(runner->consumer)); /* its partition stays paused: there is none */
    if (!runner->elected || now_ns < runner->pause_until_ns || !open_desk(runner)) {
        idle();
        return;
    }
    if (!runner->job)
        begin_job(runner);
    if (!runner->job) {
        forget_old_marks(runner, now_ns);
        if (dead_desk_follow(&runner->desk, STEP_MS) != 0)
            rest(runner);
    } else if (runner->stumbled) {
        go_back(runner);
    } else if (now_ns >= runner->pause_until_ns) {
        work(runner, now_ns + STEP_NS);
    }
}
