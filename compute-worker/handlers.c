/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Computations: start one, read one. Pure but for the time it takes.
 *
 * The state of a computation is {"id","kind","params","state","result","elapsed_ms","memory"}, written once when it has succeeded;
 * "params" without a long text among them (body.h). A result that is no JSON is kept beside it (decide_result()).
 */
#include "handlers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "body.h"
#include "clock.h"
#include "memory_metrics.h"
#include "list.h"
#include "operation_id.h"
#include "utf8.h"

/** Parts a computation is cut into. They are all computed here, one after the other, so one will do. */
#define PARTS 1

static const struct config_key compute_keys[] = {
    {"job-memory", CONFIG_BYTES, "64MiB", 1 << 20, INT64_C(1) << 40, "memory that one computation may have; one that needs more is refused"},
    {"memory", CONFIG_BYTES, "512MiB", 1 << 20, INT64_C(1) << 40, "memory that all computations of this process may have; one for which none is left waits"},
    {NULL, CONFIG_STRING, NULL, 0, 0, NULL},
};

/* The body of a start command; false, and the decision says why. */
static bool parse_start(const struct call *call, struct body *ret_body, struct decision *ret_decision)
{
    struct buf error = {0};
    bool good = body_parse(call->cmd->body, ret_body, &error);
    if (!good)
        decide_problem(ret_decision, 422, "%.*s", SLICE_ARG(buf_slice(&error)));
    buf_done(&error);
    return good;
}

static void refuse_size(struct decision *ret_decision, size_t needed, const struct budget *budget)
{
    decide_problem(ret_decision, 422,
                   "A computation may have %zu bytes of memory (job-memory), and this one needs up to %zu; ask for less",
                   budget->job_max, needed);
}

/* Inline, before a thread is taken: what is wrong is said at once, not behind the computations that wait. */
static void compute_admit(const struct call *call, struct decision *ret_decision)
{
    const struct budget *budget = call->context;
    struct body body;
    if (!utf8_is_text(call->cmd->key)) { /* it becomes a JSON string */
        decide_problem(ret_decision, 422, "The record key, the computation's id, must be UTF-8 without control characters");
        return;
    }
    if (call->before.exists) {
        decide_problem(ret_decision, 409, "There is a computation with this id already; use a new one for each");
        return;
    }
    if (!parse_start(call, &body, ret_decision))
        return;
    size_t needed = body.kind->memory(&body.input);
    if (needed > budget->job_max)
        refuse_size(ret_decision, needed, budget);
    body_done(&body);
}

/* An object, as it is, and behind its members where the bytes are that it is about. */
static void write_result(const struct call *call, const struct task *task, struct slice object, struct buf *out)
{
    if (!task->media_type) {
        buf_append_slice(out, object);
        return;
    }
    buf_append_slice(out, slice_make(object.p, object.len - 1));
    buf_printf(out, ",\"media_type\":\"%s\",\"bytes\":%zu,\"href\":\"/operations/", task->media_type, task->content.len);
    operation_write(out, SLICE("compute"), call->cmd->id, call->cmd->key);
    buf_append_text(out, "/result\"}");
}

/* Where the result begins in the state. */
static size_t write_state(const struct call *call, const struct task *task, const struct buf *result, int64_t elapsed_ms,
                          size_t peak_bytes, struct buf *out)
{
    buf_append_text(out, "{\"id\":");
    buf_append_json(out, call->cmd->key);
    buf_printf(out, ",\"kind\":\"%s\",\"params\":%s,\"state\":\"succeeded\",\"result\":", task->kind->name,
               json_object_to_json_string_ext(task->input->params, JSON_C_TO_STRING_PLAIN));
    size_t at = out->len;
    write_result(call, task, buf_slice(result), out);
    buf_printf(out, ",\"elapsed_ms\":%" PRId64 ",\"memory\":{\"peak_bytes\":%zu}}", elapsed_ms, peak_bytes);
    out->failed |= result->failed;
    return at;
}

/* The bytes, or the object in the state. */
static void decide_done(const struct call *call, const struct task *task, const struct buf *result, int64_t elapsed_ms,
                        struct decision *ret_decision)
{
    size_t at = write_state(call, task, result, elapsed_ms, task->arena->peak, &ret_decision->state);
    decide_put(ret_decision, 200);
    if (ret_decision->status == 200 && task->media_type)
        decide_result(ret_decision, task->media_type, task->content);
    else if (ret_decision->status == 200)
        decide_result_piece(ret_decision, "application/json", at, result->len);
}

/* Its own budget is a limit of the service; that of all is only taken, and given back when others end. */
static void decide_memory(const struct arena *arena, size_t needed, struct decision *ret_decision)
{
    if (arena->refusal == ARENA_JOB_FULL)
        refuse_size(ret_decision, needed > arena->budget->job_max ? needed : arena->budget->job_max + 1, arena->budget);
    else
        decide_fault(ret_decision, FAULT_BUSY, "the %zu bytes of memory for computations (memory) are in use, and this one needs up to %zu",
                     arena->budget->total_max, needed);
}

static void decide_end(const struct call *call, const struct task *task, enum kernel_end end, struct decision *ret_decision)
{
    switch (end) {
    case KERNEL_DONE: /* decide_done() */
        break;
    case KERNEL_STOPPED:
        decide_problem(ret_decision, 504,
                       "The computation did not end before its deadline and was stopped; ask for less, or for more time");
        break;
    case KERNEL_NO_MEMORY:
        decide_memory(task->arena, task->kind->memory(task->input), ret_decision);
        break;
    case KERNEL_REFUSED:
        decide_problem(ret_decision, 422, "%s", task->error);
        break;
    }
}

static void compute_start(const struct call *call, struct decision *ret_decision)
{
    struct body body;
    if (!parse_start(call, &body, ret_decision))
        return;
    struct arena arena;
    struct buf result = {0};
    struct task task = {.kind = body.kind, .input = &body.input, .arena = &arena, .job = call->job};
    int64_t began = clock_mono_ns();
    enum kernel_end end = KERNEL_NO_MEMORY;
    if (arena_open(&arena, call->context, body.kind->memory(&body.input)))
        end = task_run(&task, PARTS, &result);
    if (end == KERNEL_DONE)
        decide_done(call, &task, &result, (clock_mono_ns() - began) / CLOCK_NS_PER_MS, ret_decision);
    decide_end(call, &task, end, ret_decision);
    arena_close(&arena);
    buf_done(&result);
    body_done(&body);
}

static void compute_get(const struct call *call, struct decision *ret_decision)
{
    if (call->before.exists) {
        decide_state(ret_decision, call);
    } else if (call->running) {
        decide_status(ret_decision, 200);
        buf_append_text(&ret_decision->body, "{\"id\":");
        buf_append_json(&ret_decision->body, call->cmd->key);
        buf_append_text(&ret_decision->body, ",\"state\":\"running\"}");
    } else {
        decide_problem(ret_decision, 404, "Computation not found");
    }
}

static const struct operation operations[] = {
    {.type = "compute.start",
     .kind = OPERATION_WRITE,
     .place = RUN_POOL,
     .handler = compute_start,
     .event_type = "compute.succeeded",
     .admit = compute_admit},
    {.type = "compute.list", .kind = OPERATION_READ, .scope = SCOPE_PARTITION, .handler = list_handle},
    {.type = "compute.get", .kind = OPERATION_READ, .handler = compute_get},
    {.type = NULL},
};

static int compute_open(const struct config *config, void **ret_context)
{
    struct budget *budget = calloc(1, sizeof(*budget));
    if (!budget)
        return -ENOMEM;
    budget_init(budget, (size_t)config_int(config, "job-memory"), (size_t)config_int(config, "memory"));
    *ret_context = budget;
    return 0;
}

const struct service compute_service = {
    .name = "compute",
    .summary = "Computes: runs the commands of compute.commands on a thread pool.",
    .key_order = KEY_TEXT,
    .operations = operations,
    .settings = compute_keys,
    .open = compute_open,
    .close = free,
    .metrics = memory_metrics,
};
