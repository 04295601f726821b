/* SPDX-License-Identifier: Apache-2.0 */
/* What handlers say, put into a decision. */
#include "worker/work.h"

#include <inttypes.h>

#include "clock.h"
#include "problem.h"
#include "result.h"

/* A decision says one thing: the last call wins. */
static void answer(struct decision *d, int status, enum effect effect)
{
    d->status = status;
    d->effect = effect;
    d->fault = FAULT_NONE;
    d->content_type = NULL;
    d->result_type = NULL;
    buf_done(&d->result);
    buf_clear(&d->body);
    if (effect != EFFECT_PUT)
        buf_clear(&d->state);
}

void decide_state(struct decision *d, const struct call *call)
{
    answer(d, 200, EFFECT_NONE);
    buf_append_slice(&d->body, call->before.state);
}

void decide_status(struct decision *d, int status)
{
    answer(d, status, EFFECT_NONE);
}

void decide_problem(struct decision *d, int status, const char *format, ...)
{
    struct buf detail = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&detail, format, args);
    va_end(args);
    answer(d, status, EFFECT_NONE);
    problem_write(&d->body, status, buf_slice(&detail));
    d->body.failed |= detail.failed;
    d->content_type = PROBLEM_CONTENT_TYPE;
    buf_done(&detail);
}

/* A half-written state must never become an event. */
void decide_put(struct decision *d, int status)
{
    if (!buf_ok(&d->state))
        decide_problem(d, 503, "The service is out of memory; try again later");
    else
        answer(d, status, EFFECT_PUT);
}

void decide_delete(struct decision *d, int status)
{
    answer(d, status, EFFECT_DELETE);
}

void decide_result(struct decision *d, const char *media_type, struct slice bytes)
{
    if (bytes.len > (size_t)RESULT_BYTES_MAX) {
        decide_problem(d, 413, "The result would be larger than the %" PRId64 " bytes that are kept of one; ask for less", RESULT_BYTES_MAX);
        return;
    }
    d->result_type = media_type;
    buf_append_slice(&d->result, bytes);
    if (!buf_ok(&d->result))
        decide_problem(d, 503, "The service is out of memory; try again later");
}

void decide_result_piece(struct decision *d, const char *media_type, size_t at, size_t len)
{
    d->result_type = media_type;
    d->result_at = at;
    d->result_len = len;
}

void decision_reset(struct decision *d)
{
    answer(d, 0, EFFECT_NONE);
    d->worked_ns = 0;
}

void decide_fault(struct decision *d, enum fault fault, const char *format, ...)
{
    answer(d, 503, EFFECT_NONE);
    va_list args;
    va_start(args, format);
    buf_vprintf(&d->body, format, args);
    va_end(args);
    d->fault = fault;
}

void job_progress(struct job *job, uint64_t done, uint64_t total)
{
    if (!job || total == 0)
        return;
    uint32_t share = 1 + (done >= total ? JOB_PARTS : (uint32_t)((double)done / (double)total * JOB_PARTS));
    uint32_t before = atomic_load_explicit(&job->done, memory_order_relaxed);
    while (share > before &&
           !atomic_compare_exchange_weak_explicit(&job->done, &before, share, memory_order_relaxed, memory_order_relaxed))
        ;
}

void job_memory(struct job *job, size_t now, size_t peak)
{
    if (!job)
        return;
    atomic_store_explicit(&job->memory, now, memory_order_relaxed);
    atomic_store_explicit(&job->memory_peak, peak, memory_order_relaxed);
}

bool job_stopping(const struct job *job)
{
    return job && (atomic_load_explicit(&job->stop, memory_order_relaxed) || clock_mono_ns() >= job->deadline_ns);
}
