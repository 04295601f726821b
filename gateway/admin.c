/* SPDX-License-Identifier: Apache-2.0 */
/* Putting the operators' listener together, and who may use it. */
#include "admin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "dead/runner.h"
#include "dead_letters.h"
#include "http.h"
#include "listener.h"
#include "log.h"
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

struct admin {
    struct dead_letters letters;
    const char *token;
    struct flow flow;
    struct stats stats;
    struct pool *pool;
    struct listener listener;
    struct dead_runner *runner;
    pthread_t thread;
    _Atomic bool stop;
};

/* ---- who may ---- */

static bool same_secret(struct slice given, const char *token)
{
    size_t len = strlen(token);
    unsigned char differs = given.len != len;
    for (size_t i = 0; i < len && given.len == len; i++) /* in a time that does not tell where */
        differs |= (unsigned char)(given.p[i] ^ token[i]);
    return differs == 0;
}

/* "127.0.0.1:8081", "[::1]", "localhost": not a name that somebody else's DNS could lead here. */
static bool is_literal_host(struct slice host)
{
    char name[64];
    unsigned char address[sizeof(struct in6_addr)];
    bool brackets = host.len > 0 && host.p[0] == '[';
    const char *end = host.len ? memchr(host.p, brackets ? ']' : ':', host.len) : NULL;
    size_t skip = brackets ? 1 : 0, len = (end ? (size_t)(end - host.p) : host.len) - skip;
    if (host.len <= skip || len == 0 || len >= sizeof(name))
        return false;
    snprintf(name, sizeof(name), "%.*s", (int)len, host.p + skip);
    return strcmp(name, "localhost") == 0 || inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

/* A page of ours is at "http://<Host>"; any other must not make its reader's browser act here. */
static bool is_foreign_page(const struct request *req, struct slice host)
{
    const char http[] = "http://";
    struct slice origin = request_header(req, "Origin");
    if (!origin.p)
        return false;
    return origin.len < sizeof(http) - 1 || memcmp(origin.p, http, sizeof(http) - 1) != 0 ||
           !slice_equal(slice_make(origin.p + sizeof(http) - 1, origin.len - sizeof(http) + 1), host);
}

bool admin_allows(const char *token, const struct request *req, struct answer *ret_answer)
{
    const char bearer[] = "Bearer ";
    const size_t scheme = sizeof(bearer) - 2; /* its case does not matter (RFC 9110 section 11.1) */
    struct slice host = request_header(req, "Host"), given = request_header(req, "Authorization");
    if (*token) {
        size_t skip = sizeof(bearer) - 1;
        if (given.len > skip && given.p[scheme] == ' ' && strncasecmp(given.p, bearer, scheme) == 0 &&
            same_secret(slice_make(given.p + skip, given.len - skip), token))
            return true;
        answer_problem(ret_answer, 401, "Send this gateway's admin-token as \"Authorization: Bearer TOKEN\".");
        answer_header(ret_answer, "WWW-Authenticate", SLICE("Bearer"));
        return false;
    }
    if (is_literal_host(host) && !is_foreign_page(req, host))
        return true;
    answer_problem(ret_answer, 403, "Without an admin-token this is for programs on this machine, not for web pages: ask it "
                                    "by its address, without Origin.");
    return false;
}

static bool guard(void *context, const struct request *req, struct answer *ret_answer)
{
    struct dead_letters *letters = context;
    return admin_allows(letters->token, req, ret_answer);
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

/* ---- opening ---- */

static int listen_on(struct admin *admin, const struct config *config)
{
    const char *host = config_string(config, "admin-listen");
    int port = (int)config_int(config, "admin-port");
    if (!listener_is_loopback(host) && !*admin->letters.token) {
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

static int start_serving(struct admin *admin)
{
    admin->flow = (struct flow){.routes = &dead_letters_routes,
                                .local_context = &admin->letters,
                                .guard = guard,
                                .limits = {HEADER_MAX, BODY_MAX},
                                .deadline_ms = 1000,
                                .max_deadline_ms = 1000,
                                .health = admin->letters.health,
                                .stats = &admin->stats};
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
    int err = listen_on(admin, options->config);
    if (err) {
        dead_letters_done(&admin->letters);
        free(admin);
        return err;
    }
    err = start_serving(admin);
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
