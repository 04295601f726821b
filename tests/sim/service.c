/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of the simulated service; see service.h. */
#include "service.h"

#include "world.h"

#define STATE_MAX 200
#define RESULT_MIN 12000

static void create(const struct call *call, struct decision *d)
{
    if (call->before.exists) {
        decide_problem(d, 400, "Thing already exists");
        return;
    }
    buf_append_slice(&d->state, call->cmd->body);
    decide_put(d, 201);
}

/* Ends its process, always. */
static void bomb(const struct call *call, struct decision *d)
{
    process_kill(world.current);
    decide_status(d, 200); /* a ghost's decision */
}

static void put(const struct call *call, struct decision *d)
{
    if (!call->before.exists) {
        decide_problem(d, 404, "Thing not found");
        return;
    }
    buf_append_slice(&d->state, call->cmd->body);
    decide_put(d, 200);
}

/* A dependency that fails now and then, and for some things always. */
static bool fails(const struct call *call, struct decision *d)
{
    uint64_t dice = world.healed ? 1000 : sim_below(1000);
    if (dice > world.profile.faulty)
        return false;
    decide_fault(d, dice == 0 ? FAULT_PERMANENT : FAULT_TRANSIENT, "dice say %d", (int)dice);
    return true;
}

static void append(const struct call *call, struct decision *d)
{
    if (fails(call, d))
        return;
    if (call->before.state.len < STATE_MAX) /* then it begins anew */
        buf_append_slice(&d->state, call->before.state);
    buf_append_slice(&d->state, call->cmd->body);
    decide_put(d, 200);
}

/* Now and then with a result of several parts, made of what the command says. */
static void work(const struct call *call, struct decision *d)
{
    struct buf bytes = {0};
    append(call, d);
    if (d->status == 200 && d->fault == FAULT_NONE && call->cmd->body.len > 2 && call->cmd->body.p[call->cmd->body.len - 2] % 4 == 0) {
        while (bytes.len < RESULT_MIN)
            buf_append_slice(&bytes, call->cmd->body);
        decide_result(d, "text/plain", buf_slice(&bytes));
    }
    buf_done(&bytes);
}

static void delete (const struct call *call, struct decision *d)
{
    if (call->before.exists)
        decide_delete(d, 204);
    else
        decide_problem(d, 404, "Thing not found");
}

static void get(const struct call *call, struct decision *d)
{
    if (call->running)
        decide_status(d, 202);
    else if (fails(call, d))
        return;
    else if (call->before.exists)
        decide_state(d, call);
    else
        decide_problem(d, 404, "Thing not found");
}

static const struct operation operations[] = {
    {.type = "thing.create", .kind = OPERATION_WRITE, .handler = create, .event_type = "thing.created"},
    {.type = "thing.put", .kind = OPERATION_WRITE, .handler = put, .event_type = "thing.replaced"},
    {.type = "thing.append", .kind = OPERATION_WRITE, .handler = append, .event_type = "thing.replaced"},
    {.type = "thing.work", .kind = OPERATION_WRITE, .place = RUN_POOL, .handler = work, .event_type = "thing.worked"},
    {.type = "thing.delete", .kind = OPERATION_WRITE, .handler = delete, .event_type = "thing.deleted"},
    {.type = "thing.bomb", .kind = OPERATION_WRITE, .handler = bomb},
    {.type = "thing.get", .kind = OPERATION_READ, .handler = get},
    {.type = NULL},
};

const struct service sim_service = {
    .name = "thing", .summary = "Things.", .key_order = KEY_INT64, .operations = operations};
