/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Computations: start one, compute a part of one, read one. Pure but for the time it takes, and for parts of a large one, which
 * coordinate.h lets others compute.
 *
 * The state of a computation is {"id","kind","params","state","result","elapsed_ms","memory"}, written once when it has succeeded;
 * "params" without a long text among them (body.h). A result that is no JSON is kept beside it (decide_result()).
 */
#include "handlers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "body.h"
#include "clock.h"
#include "coordinate.h"
#include "hash.h"
#include "list.h"
#include "memory_metrics.h"
#include "operation_id.h"
#include "part.h"
#include "utf8.h"

/** A merge for which there is no memory waits so long before it looks again. */
#define ROOM_NS (INT64_C(20) * CLOCK_NS_PER_MS)

static const struct config_key compute_keys[] = {
    {"job-memory", CONFIG_BYTES, "64MiB", 1 << 20, INT64_C(1) << 40, "memory that one computation may have; one that needs more is refused"},
    {"memory", CONFIG_BYTES, "512MiB", 1 << 20, INT64_C(1) << 40, "memory that all computations of this process may have; one for which none is left waits"},
    {"gathered-memory", CONFIG_BYTES, "256MiB", 1 << 20, INT64_C(1) << 40,
     "memory for outcomes of parts that computations of this process hold until all are done; one for which none is left waits"},
    {"short-computation", CONFIG_DURATION, "100ms", 0, 3600000,
     "estimated time up to which a computation is short: it does not wait for longer ones"},
    {"checkpoint-interval", CONFIG_DURATION, "1s", 10, 3600000,
     "a computation estimated to take longer is cut into parts of at most this, which all workers compute; what is done of a part is lost with its worker"},
    {"parts-in-flight", CONFIG_INT, "16", 1, 1024, "parts of one computation that are under way at a time; at least the threads of all workers"},
    {"parts-reply-topic", CONFIG_STRING, "replies", 0, 0, "topic where the answers of parts come back to the worker that cut; one that workers may answer to"},
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

static bool refuse_beyond_budget(const struct call *call, const struct body *body, struct decision *ret_decision)
{
    const struct compute *compute = call->context;
    size_t needed = body->kind->memory(&body->input);
    if (needed > compute->budget.job_max)
        refuse_size(ret_decision, needed, &compute->budget);
    return needed > compute->budget.job_max;
}

static enum lane lane_of(const struct compute *compute, uint64_t cost)
{
    return cost <= compute->short_cost ? LANE_SHORT : LANE_LONG;
}

static size_t parts_of(const struct compute *compute, const struct body *body)
{
    return compute->fan ? part_count(body->kind, &body->input, compute->part_cost) : 1;
}

/* Inline, before a thread is taken: what is wrong is said at once, not behind the computations that wait. */
static void compute_admit(const struct call *call, struct decision *ret_decision)
{
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
    if (!refuse_beyond_budget(call, &body, ret_decision))
        ret_decision->lane = parts_of(call->context, &body) > 1 ? LANE_COORDINATE : lane_of(call->context, body.kind->cost(&body.input));
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

/* Parts that are done are not given up for want of memory: whoever has it will end. */
static bool open_arena(const struct call *call, struct arena *arena, size_t needed, bool patient)
{
    struct compute *compute = call->context;
    while (!arena_open(arena, &compute->budget, needed)) {
        if (!patient || arena->refusal != ARENA_TOTAL_FULL || job_stopping(call->job))
            return false;
        nanosleep(&(struct timespec){.tv_nsec = ROOM_NS}, NULL);
    }
    return true;
}

/* Here, or what all workers have computed is put together here. */
static void compute_whole(const struct call *call, const struct body *body, const struct gathered *gathered, struct decision *ret_decision)
{
    struct arena arena;
    struct buf result = {0};
    struct task task = {.kind = body->kind, .input = &body->input, .arena = &arena, .job = call->job};
    int64_t began = clock_mono_ns();
    enum kernel_end end = KERNEL_NO_MEMORY;
    if (open_arena(call, &arena, body->kind->memory(&body->input), gathered))
        end = gathered ? task_merge(&task, gathered->outcomes, gathered->parts, &result) : task_run(&task, 1, &result);
    int64_t worked_ns = clock_mono_ns() - began, elapsed_ns = worked_ns;
    if (gathered) {
        elapsed_ns += gathered->elapsed_ns;
        ret_decision->worked_ns = worked_ns + gathered->worked_ns;
        arena.peak = arena.peak > gathered->peak_bytes ? arena.peak : gathered->peak_bytes;
    }
    if (end == KERNEL_DONE)
        decide_done(call, &task, &result, elapsed_ns / CLOCK_NS_PER_MS, ret_decision);
    decide_end(call, &task, end, ret_decision);
    arena_close(&arena);
    buf_done(&result);
}

static void compute_start(const struct call *call, struct decision *ret_decision)
{
    struct body body;
    if (!parse_start(call, &body, ret_decision))
        return;
    struct gathered gathered = {.parts = 0};
    size_t parts = parts_of(call->context, &body);
    switch (parts > 1 ? coordinate(call, &body, parts, &gathered, ret_decision) : COORDINATE_ALONE) {
    case COORDINATE_DONE:
        compute_whole(call, &body, &gathered, ret_decision);
        break;
    case COORDINATE_ALONE:
        compute_whole(call, &body, NULL, ret_decision);
        break;
    case COORDINATE_STOPPED:
        decide_end(call, NULL, KERNEL_STOPPED, ret_decision);
        break;
    case COORDINATE_DECIDED:
        break;
    }
    gathered_done(&gathered);
    body_done(&body);
}

static bool parse_part(const struct call *call, struct body *ret_body, size_t *ret_parts, size_t *ret_index, struct decision *ret_decision)
{
    struct buf error = {0};
    bool good = body_parse_part(call->cmd->body, ret_body, ret_parts, ret_index, &error);
    if (!good)
        decide_problem(ret_decision, 422, "%.*s", SLICE_ARG(buf_slice(&error)));
    buf_done(&error);
    return good;
}

/* The parts of one job are one caller. */
static void compute_part_admit(const struct call *call, struct decision *ret_decision)
{
    struct body body;
    size_t parts, index;
    if (!parse_part(call, &body, &parts, &index, ret_decision))
        return;
    if (!refuse_beyond_budget(call, &body, ret_decision)) {
        struct slice key = call->cmd->key;
        ret_decision->lane = lane_of(call->context, body.kind->cost(&body.input) / parts);
        ret_decision->caller = hash_slice(slice_make(key.p, key.len < PART_JOB_LEN ? key.len : PART_JOB_LEN));
    }
    body_done(&body);
}

/* Leaves no entity behind: its outcome is what counts, and that is kept as that of any command is. */
static void compute_part(const struct call *call, struct decision *ret_decision)
{
    struct body body;
    size_t parts, index;
    if (!parse_part(call, &body, &parts, &index, ret_decision))
        return;
    struct arena arena;
    struct slice outcome = SLICE_NONE;
    struct task task = {.kind = body.kind, .input = &body.input, .arena = &arena, .job = call->job};
    enum kernel_end end = KERNEL_NO_MEMORY;
    if (open_arena(call, &arena, body.kind->memory(&body.input), false))
        end = task_compute(&task, parts, index, &outcome);
    if (end == KERNEL_DONE) {
        decide_status(ret_decision, 200);
        part_write_outcome(outcome, arena.peak, &ret_decision->body);
    } else {
        decide_end(call, &task, end, ret_decision);
    }
    arena_close(&arena);
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
    {.type = PART_TYPE, .kind = OPERATION_WRITE, .place = RUN_POOL, .handler = compute_part, .admit = compute_part_admit},
    {.type = "compute.get", .kind = OPERATION_READ, .handler = compute_get},
    {.type = NULL},
};

static int compute_open(const struct config *config, void **ret_context)
{
    struct compute *compute = calloc(1, sizeof(*compute));
    if (!compute)
        return -ENOMEM;
    budget_init(&compute->budget, (size_t)config_int(config, "job-memory"), (size_t)config_int(config, "memory"));
    size_t gathered = (size_t)config_int(config, "gathered-memory");
    budget_init(&compute->gathered, gathered, gathered);
    compute->short_cost = (uint64_t)config_int(config, "short-computation") * CLOCK_NS_PER_MS;
    compute->part_cost = (uint64_t)config_int(config, "checkpoint-interval") * CLOCK_NS_PER_MS;
    compute->in_flight = (size_t)config_int(config, "parts-in-flight");
    int err = fan_open(config, &compute->fan);
    if (err) {
        free(compute);
        return err;
    }
    *ret_context = compute;
    return 0;
}

static void compute_close(void *context)
{
    struct compute *compute = context;
    fan_close(compute->fan);
    free(compute);
}

const struct service compute_service = {
    .name = "compute",
    .summary = "Computes: runs the commands of compute.commands on a thread pool.",
    .key_order = KEY_TEXT,
    .operations = operations,
    .settings = compute_keys,
    .open = compute_open,
    .metrics = memory_metrics,
    .close = compute_close,
};
