/* SPDX-License-Identifier: Apache-2.0 */
/* One loop: look at the job, say what changed, do a step of it if nobody else does. */
#include "dead-letters/follow.h"

#include <inttypes.h>
#include <stdio.h>

#include "clock.h"
#include "dead/runner.h"
#include "lifecycle.h"

/* So long a runner elsewhere may say nothing before this process offers itself: the group takes a while to move the work. */
#define SILENCE_MS 2500
#define LINE_MS    1000

struct follow {
    const struct follow_options *options;
    const char *id;
    struct dead_runner *runner; /* ours, once it was needed */
    int64_t heard_ms;           /* when this job moved, or another: somebody runs them */
    struct dead_progress shown;
    int64_t others_ms;          /* of the newest progress of another */
    int64_t waits_ms;           /* when it was said that it waits for that one */
};

static void show_line(const struct dead_job *job)
{
    const struct dead_progress *at = &job->progress;
    int64_t total = dead_spans_total(&job->spans);
    fprintf(stderr, "%s: %" PRId64 " of %" PRId64 " looked at (%d %%), %" PRId64 " %s%s", dead_phase_name(at->phase), at->examined,
            total, total ? (int)(at->examined * 100 / total) : 100, at->done,
            job->order.action == DEAD_REDRIVE ? "redriven" : "discarded", job->cancelled && at->phase < DEAD_DONE ? ", cancelling" : "");
    if (at->already)
        fprintf(stderr, ", %" PRId64 " left alone: redriven or discarded before (--state)", at->already);
    if (at->too_often)
        fprintf(stderr, ", %" PRId64 " left alone after %d rounds", at->too_often, job->order.max_rounds);
    if (at->unfit)
        fprintf(stderr, ", %" PRId64 " cannot be sent", at->unfit);
    if (at->error[0])
        fprintf(stderr, " (%s)", at->error);
    fputc('\n', stderr);
}

/* Jobs take turns. One that waits is not forgotten: somebody is at work on another. */
static void look_at_others(struct follow *follow, const struct dead_job *job)
{
    const struct dead_job *other = dead_book_newest(follow->options->desk->book);
    int64_t now_ms = clock_wall_ms();
    if (!other || other == job || other->progress.updated_ms == follow->others_ms)
        return;
    bool moved = follow->others_ms != 0; /* what was found at first may be old */
    follow->others_ms = other->progress.updated_ms;
    if (!moved)
        return;
    follow->heard_ms = now_ms;
    if (now_ms - follow->waits_ms < LINE_MS)
        return;
    follow->waits_ms = now_ms;
    fprintf(stderr, "%s: it is the turn of job %s, %" PRId64 " of %" PRId64 " looked at\n", dead_phase_name(job->progress.phase), other->id,
            other->progress.examined, dead_spans_total(&other->spans));
}

/* True when the job is over. */
static bool look(struct follow *follow, const struct dead_job *job)
{
    const struct dead_progress *at = &job->progress;
    int64_t now_ms = clock_wall_ms();
    if (at->updated_ms != follow->shown.updated_ms || at->phase != follow->shown.phase) {
        follow->heard_ms = now_ms;
        follow->shown = *at;
        show_line(job);
    }
    look_at_others(follow, job);
    return at->phase >= DEAD_DONE;
}

static bool offer_ourselves(struct follow *follow)
{
    struct dead_error error;
    const struct dead_runner_options runner = {
        .bus = follow->options->bus, .control = follow->options->control, .name = follow->options->name};
    if (follow->runner || clock_wall_ms() - follow->heard_ms < SILENCE_MS)
        return true;
    fprintf(stderr, "nobody is at work on jobs: running it here\n");
    if (dead_runner_open(&runner, &follow->runner, &error) == 0)
        return true;
    fprintf(stderr, "roundtrip-dead-letters: %s\n", error.text);
    return false;
}

/* 1: over, 0: goes on, -1: it cannot. */
static int turn(struct follow *follow, const struct dead_job *job)
{
    if (look(follow, job))
        return 1;
    if (!offer_ourselves(follow))
        return -1;
    if (follow->runner && dead_runner_fatal(follow->runner)) {
        fprintf(stderr, "roundtrip-dead-letters: %s\n", dead_runner_fatal(follow->runner));
        return -1;
    }
    if (follow->runner)
        dead_runner_step(follow->runner);
    return dead_desk_follow(follow->options->desk, follow->runner ? 0 : 100) == 0 ? 0 : -1;
}

int follow_job(const struct follow_options *options, const char *job_id)
{
    struct follow follow = {.options = options, .id = job_id, .heard_ms = clock_wall_ms()};
    struct lifecycle life;
    const struct dead_job *job = dead_book_job(options->desk->book, slice_of(job_id));
    if (!job) {
        fprintf(stderr, "roundtrip-dead-letters: there is no job %s; \"roundtrip-dead-letters jobs\" lists them\n", job_id);
        return 1;
    }
    if (lifecycle_open(&life, "") != 0)
        return 1;
    int over = 0;
    while (over == 0 && !lifecycle_stopping(&life)) {
        over = turn(&follow, job);
        lifecycle_check(&life);
    }
    dead_runner_close(follow.runner);
    lifecycle_close(&life);
    if (over == 1) {
        struct buf text = {0};
        dead_job_show(&text, job);
        printf("%.*s\n", SLICE_ARG(buf_slice(&text)));
        buf_done(&text);
        return job->progress.phase == DEAD_DONE ? 0 : 1;
    }
    fprintf(stderr, "The job is not over. It goes on at a gateway with an admin-port, or by: roundtrip-dead-letters follow %s\n"
                    "It ends by: roundtrip-dead-letters cancel %s\n", job_id, job_id);
    return 1;
}
