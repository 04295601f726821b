/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service that fails on demand. Its dependency is the folder TRIAL_DIR:
 *
 *   down         exists: every command meets a transient fault
 *   fail-<key>   a number of transient faults still to come for that key; it counts down
 *   broken-<key> exists: a permanent fault; broken: for every key
 *   hang-<key>   exists: the handler never returns
 *   crash-<key>  exists: the process ends at once, as by a segmentation fault
 *   share-<key>  a number of percent: trial.pooled works, and reports that share, until the file is gone
 *   calls        one line "<key> <body>" for each call of a handler
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker/service.h"

#define PATH_SIZE 512

static void path_of(char path[PATH_SIZE], const char *prefix, struct slice key)
{
    snprintf(path, PATH_SIZE, "%s/%s%.*s", getenv("TRIAL_DIR"), prefix, SLICE_ARG(key));
}

static bool there(const char *prefix, struct slice key)
{
    char path[PATH_SIZE];
    path_of(path, prefix, key);
    return access(path, F_OK) == 0;
}

static void note_call(const struct call *call)
{
    char path[PATH_SIZE];
    path_of(path, "calls", SLICE_NONE);
    FILE *f = fopen(path, "a");
    if (!f)
        abort();
    fprintf(f, "%.*s %.*s\n", SLICE_ARG(call->cmd->key), SLICE_ARG(call->cmd->body));
    fclose(f);
}

static bool count_down(struct slice key)
{
    char path[PATH_SIZE];
    long left = 0;
    path_of(path, "fail-", key);
    FILE *f = fopen(path, "r+");
    if (!f)
        return false;
    bool some = fscanf(f, "%ld", &left) == 1 && left > 0;
    if (some) {
        rewind(f);
        fprintf(f, "%ld\n", left - 1);
    }
    fclose(f);
    return some;
}

static bool fails(const struct call *call, struct decision *d)
{
    note_call(call);
    while (there("hang-", call->cmd->key))
        sleep(1);
    if (there("crash-", call->cmd->key))
        __builtin_trap(); /* a fault of its own: pool threads block signals that are sent */
    if (there("broken-", call->cmd->key) || there("broken", SLICE_NONE))
        decide_fault(d, FAULT_PERMANENT, "the dependency refuses this for good");
    else if (there("down", SLICE_NONE) || count_down(call->cmd->key))
        decide_fault(d, FAULT_TRANSIENT, "the dependency does not answer");
    return d->fault != FAULT_NONE;
}

/* Works for as long as the test likes; false: it was told to stop. */
static bool work(const struct call *call)
{
    char path[PATH_SIZE];
    path_of(path, "share-", call->cmd->key);
    while (!job_stopping(call->job)) {
        unsigned percent;
        FILE *f = fopen(path, "r");
        if (!f)
            return true;
        if (fscanf(f, "%u", &percent) == 1)
            job_progress(call->job, percent, 100);
        fclose(f);
        usleep(5000);
    }
    return false;
}

static void put(const struct call *call, struct decision *d)
{
    if (fails(call, d))
        return;
    if (call->job && !work(call)) {
        decide_problem(d, 504, "It was stopped before it was done");
        return;
    }
    buf_append_slice(&d->state, call->cmd->body);
    decide_put(d, 200);
}

static void get(const struct call *call, struct decision *d)
{
    if (call->before.exists)
        decide_state(d, call);
    else
        decide_problem(d, 404, "Trial not found");
}

/* About a partition, but it fails on demand as if it were about the command's key. */
static void list(const struct call *call, struct decision *d)
{
    if (!fails(call, d))
        decide_status(d, 204);
}

static const struct operation operations[] = {
    {.type = "trial.put",
     .kind = OPERATION_WRITE,
     .handler = put,
     .event_type = "trial.updated",
     .retry = {.attempts = 5, .base_ms = 100, .cap_ms = 400}},
    {.type = "trial.slow", /* time enough to be killed between attempts */
     .kind = OPERATION_WRITE,
     .handler = put,
     .event_type = "trial.updated",
     .retry = {.attempts = 6, .base_ms = 2000, .cap_ms = 2000}},
    {.type = "trial.pooled",
     .kind = OPERATION_WRITE,
     .place = RUN_POOL,
     .handler = put,
     .event_type = "trial.updated",
     .retry = {.attempts = 5, .base_ms = 100, .cap_ms = 400}},
    {.type = "trial.list", .kind = OPERATION_READ, .scope = SCOPE_PARTITION, .handler = list},
    {.type = "trial.look", .kind = OPERATION_READ, .handler = get},
    {.type = NULL},
};

int main(int argc, char **argv)
{
    static const struct service service = {
        .name = "trial", .summary = "Fails on demand, for tests.", .key_order = KEY_TEXT, .operations = operations};
    if (!getenv("TRIAL_DIR")) {
        fputs("roundtrip-trial-worker: set TRIAL_DIR to the folder that is its dependency\n", stderr);
        return 2;
    }
    return worker_main(&service, argc, argv);
}
