/* SPDX-License-Identifier: Apache-2.0 */
/* Putting the operators' listener together, and who may use it. */
#include "admin.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "console.h"
#include "dead/runner.h"
#include "dead_letters.h"
#include "debug.h"
#include "http.h"
#include "listener.h"
#include "log.h"
#include "ops/guard.h"
#include "ops/pages.h"
#include "pool.h"

#define THREADS         2
#define CONNECTIONS_MAX 64
#define IDLE_TIMEOUT_S  60
#define READ_TIMEOUT_MS 20000
#define BODY_MAX        (256 * 1024)
#define HEADER_MAX      (16 * 1024)
#define STOP_NS         (INT64_C(500) * CLOCK_NS_PER_MS)

const struct config_key admin_keys[] = {
    {"admin-port", CONFIG_INT, "-1", -1, 65535, "port of the operators' listener; 0: any that is free; -1: none"},
    {"admin-listen", CONFIG_STRING, "127.0.0.1", 0, 0, "its address; one beyond this machine needs admin-token"},
    {"admin-token", CONFIG_SECRET, "", 0, 0,
     "what its callers must send as \"Authorization: Bearer TOKEN\"; @FILE reads it from a file"},
    {"control-topic", CONFIG_STRING, "control", 0, 0, "topic of what operators do about dead letters"},
    {NULL, CONFIG_STRING, NULL, 0, 0, NULL},
};

#define ROWS_MAX 32

/* The context of all routes: those of dead letters know its first member only. */
struct admin {
    struct dead_letters letters;
    struct metrics_sources *metrics; /* borrowed */
    struct route rows[ROWS_MAX];
    struct route_table routes;
    struct flow flow;
    struct stats stats;
    struct pool *pool;
    struct listener listener;
    struct dead_runner *runner;
    pthread_t thread;
    _Atomic bool stop;
};

/* ---- who may ---- */

bool admin_allows(const char *token, const struct request *req, struct answer *ret_answer)
{
    switch (guard_check(token, request_header(req, "Host"), request_header(req, "Origin"), request_header(req, "Authorization"))) {
    case GUARD_PASSES:
        return true;
    case GUARD_WANTS_TOKEN:
        answer_problem(ret_answer, 401, GUARD_TOKEN_TEXT);
        answer_header(ret_answer, "WWW-Authenticate", SLICE("Bearer"));
        return false;
    case GUARD_WANTS_LOCAL:
        break;
    }
    answer_problem(ret_answer, 403, GUARD_LOCAL_TEXT);
    return false;
}

/* For supervisors and orchestrators, that have no token: as on a worker's listener. */
static bool is_probe(const struct request *req)
{
    bool reads = req->method == METHOD_GET || req->method == METHOD_HEAD;
    return reads && req->segment_count == 2 && slice_is(req->segments[0], "health");
}

static bool guard(void *context, const struct request *req, struct answer *ret_answer)
{
    const struct admin *admin = context;
    if (is_probe(req) || (*admin->letters.token && console_is_page(req)))
        return true;
    return admin_allows(admin->letters.token, req, ret_answer);
}

/* ---- jobs ---- */

static void *run_jobs(void *arg)
{
    struct admin *admin = arg;
    while (!atomic_load(&admin->stop) && !dead_runner_fatal(admin->runner))
        dead_runner_step(admin->runner);
    if (dead_runner_fatal(admin->runner))
        log_error("dead letters: this gateway runs no more jobs; restart it", "error=\"%s\"", dead_runner_fatal(admin->runner));
    return NULL;
}

static int start_runner(struct admin *admin, const struct admin_options *options)
{
    struct dead_error error;
    const struct dead_runner_options runner = {
        .bus = options->bus, .control = config_string(options->config, "control-topic"), .name = options->instance};
    int err = dead_runner_open(&runner, &admin->runner, &error);
    if (err) {
        log_error("cannot run jobs about dead letters", "error=\"%s\"", error.text);
        return err;
    }
    err = -pthread_create(&admin->thread, NULL, run_jobs, admin);
    if (err) {
        dead_runner_close(admin->runner);
        admin->runner = NULL;
    }
    return err;
}

/* ---- metrics, health, log levels, debugging ---- */

static void show_metrics(void *context, const struct request *req, struct answer *answer)
{
    const struct admin *admin = context;
    const struct process_identity identity = {admin->metrics->service, admin->metrics->instance};
    buf_clear(&answer->own_body);
    const char *type = pages_metrics(request_header(req, "Accept"), &identity, metrics_page_write, admin->metrics, &answer->own_body);
    answer->status = 200;
    answer_header(answer, "Content-Type", slice_of(type));
    answer_header(answer, "Cache-Control", SLICE("no-store"));
}

static void show_live(void *context, const struct request *req, struct answer *answer)
{
    const struct admin *admin = context;
    health_live((void *)admin->letters.health, req, answer);
}

static void show_ready(void *context, const struct request *req, struct answer *answer)
{
    const struct admin *admin = context;
    health_ready((void *)admin->letters.health, req, answer);
}

/* As it stands now; frees the text. */
static void answer_now(struct answer *answer, struct buf *text)
{
    answer_json(answer, 200, buf_slice(text));
    answer_header(answer, "Cache-Control", SLICE("no-store"));
    buf_done(text);
}

static void show_levels(void *context, const struct request *req, struct answer *answer)
{
    struct buf text = {0};
    pages_show_levels(&text);
    answer_now(answer, &text);
}

static void set_levels(void *context, const struct request *req, struct answer *answer)
{
    char wrong[PAGES_WRONG_SIZE];
    if (pages_set_levels(buf_slice(&req->body), wrong))
        show_levels(context, req, answer);
    else
        answer_problem(answer, 422, "%s", wrong);
}

static void show_debug(void *context, const struct request *req, struct answer *answer)
{
    const struct admin *admin = context;
    struct buf text = {0};
    debug_page_write(admin->metrics, &text);
    answer_now(answer, &text);
}

static const struct route own_rows[] = {
    {METHOD_GET, "/metrics", .local = show_metrics},         {METHOD_GET, "/health/live", .local = show_live},
    {METHOD_GET, "/health/ready", .local = show_ready},      {METHOD_GET, "/log-levels", .local = show_levels},
    {METHOD_PUT, "/log-levels", .local = set_levels},        {METHOD_GET, "/debug/state", .local = show_debug},
};

static void make_routes(struct admin *admin)
{
    const size_t own = sizeof(own_rows) / sizeof(own_rows[0]);
    assert(own + dead_letters_routes.count + CONSOLE_ROWS_MAX <= ROWS_MAX);
    memcpy(admin->rows, own_rows, sizeof(own_rows));
    memcpy(admin->rows + own, dead_letters_routes.rows, dead_letters_routes.count * sizeof(admin->rows[0]));
    const size_t console = console_routes(admin->rows + own + dead_letters_routes.count);
    admin->routes = (struct route_table){admin->rows, own + dead_letters_routes.count + console,
                                         "Try /console, /metrics, /health/ready, /log-levels, /debug/state, /dead-letters, /dead-letters/{id}, "
                                         "/dead-letters/jobs, /breakers."};
}

/* ---- opening ---- */

static int listen_on(struct admin *admin, const struct config *config)
{
    const char *host = config_string(config, "admin-listen");
    int port = (int)config_int(config, "admin-port");
    if (!guard_is_loopback(host) && !*admin->letters.token) {
        log_error("the operators' listener is reachable from elsewhere and has no admin-token: set one, or admin-listen to 127.0.0.1",
                  "address=%s", host);
        return -EACCES;
    }
    int err = listener_open(&admin->listener, host, (uint16_t)port);
    if (err)
        log_error("cannot listen for operators; choose another with --admin-listen and --admin-port",
                  "address=%s port=%d error=\"%s\"", host, port, strerror(-err));
    return err;
}

static int start_serving(struct admin *admin, const struct flow *clients)
{
    admin->flow = *clients; /* what it takes to ask a worker; the rest is ours */
    admin->flow.routes = &admin->routes;
    admin->flow.local_context = admin;
    admin->flow.guard = guard;
    admin->flow.access = NULL;
    admin->flow.cors = (struct cors){.on = false};
    admin->flow.limits = (struct rules_limits){HEADER_MAX, BODY_MAX};
    admin->flow.caching.known_callers = true;
    admin->flow.stats = &admin->stats;
    admin->flow.measures = NULL;
    const struct pool_options pool = {.flow = &admin->flow,
                                      .threads = THREADS,
                                      .max_connections = CONNECTIONS_MAX,
                                      .idle_timeout_s = IDLE_TIMEOUT_S,
                                      .read_timeout_ms = READ_TIMEOUT_MS,
                                      .stats = &admin->stats};
    int err = pool_start(&pool, &admin->pool);
    if (!err)
        err = listener_start(&admin->listener, pool_adopt, admin->pool);
    if (err)
        listener_close(&admin->listener);
    return err;
}

int admin_open(const struct admin_options *options, struct admin **ret_admin)
{
    *ret_admin = NULL;
    if (config_int(options->config, "admin-port") < 0)
        return 0;
    struct admin *admin = calloc(1, sizeof(*admin));
    if (!admin)
        return -ENOMEM;
    dead_letters_init(&admin->letters, options->bus, options->health, options->instance,
                      config_string(options->config, "control-topic"), config_string(options->config, "admin-token"));
    admin->metrics = options->metrics;
    make_routes(admin);
    int err = listen_on(admin, options->config);
    if (err) {
        dead_letters_done(&admin->letters);
        free(admin);
        return err;
    }
    err = start_serving(admin, options->flow);
    if (err)
        goto fail;
    err = start_runner(admin, options);
    if (err) {
        listener_stop(&admin->listener);
        goto fail;
    }
    log_info("listening for operators", "url=%s", admin->listener.url);
    *ret_admin = admin;
    return 0;
fail:
    pool_stop(admin->pool);
    dead_letters_done(&admin->letters);
    free(admin);
    return err;
}

void admin_close(struct admin *admin)
{
    if (!admin)
        return;
    atomic_store(&admin->stop, true);
    listener_stop(&admin->listener);
    (void)pool_wait_idle(admin->pool, clock_mono_ns() + STOP_NS);
    pool_stop(admin->pool);
    pthread_join(admin->thread, NULL);
    dead_runner_close(admin->runner);
    dead_letters_done(&admin->letters);
    free(admin);
}

const char *admin_url(const struct admin *admin)
{
    return admin ? admin->listener.url : NULL;
}
