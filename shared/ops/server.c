/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd's own thread, and from a request to its route. */
#include "ops/server.h"

#include <microhttpd.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "ops/guard.h"
#include "problem.h"

#define CONNECTIONS_MAX 32
#define TIMEOUT_S       10
#define BODY_MAX        ((size_t)16 * 1024)

const struct config_key ops_keys[] = {
    {"admin-port", CONFIG_INT, "-1", -1, 65535, "port of the operators' listener (/metrics, /health/ready); 0: any that is free; -1: none"},
    {"admin-listen", CONFIG_STRING, "127.0.0.1", 0, 0, "its address; one beyond this machine needs admin-token"},
    {"admin-token", CONFIG_SECRET, "", 0, 0,
     "what its callers must send as \"Authorization: Bearer TOKEN\", but for /health; @FILE reads it from a file"},
    {NULL, CONFIG_STRING, NULL, 0, 0, NULL},
};

struct ops_server {
    struct ops_options options; /* fixed */
    struct MHD_Daemon *daemon;
    char url[128];
};

/* One request, from its headers to its end. */
struct call {
    struct buf body;
    struct ops_answer answer;
    bool too_large;
};

void ops_problem(struct ops_answer *answer, int status, const char *detail)
{
    buf_clear(&answer->body);
    answer->status = status;
    answer->content_type = PROBLEM_CONTENT_TYPE;
    problem_write(&answer->body, status, slice_of(detail));
}

static struct slice header_of(struct MHD_Connection *connection, const char *name)
{
    return slice_of(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name));
}

static bool same_method(const char *asked, const struct ops_route *route)
{
    return strcmp(asked, route->method) == 0 || (strcmp(asked, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

/* The route, or NULL; then whether the path is one of ours. */
static const struct ops_route *find(const struct ops_server *server, const char *method, const char *path, bool *ret_known)
{
    *ret_known = false;
    for (const struct ops_route *route = server->options.routes; route->method; route++) {
        if (strcmp(route->path, path) != 0)
            continue;
        *ret_known = true;
        if (same_method(method, route))
            return route;
    }
    return NULL;
}

static void answer_call(struct ops_server *server, struct MHD_Connection *connection, const char *path, const char *method,
                        struct call *call)
{
    bool known;
    const struct ops_route *route = find(server, method, path, &known);
    enum guard_verdict verdict = guard_check(server->options.token, header_of(connection, "Host"), header_of(connection, "Origin"),
                                             header_of(connection, "Authorization"));
    if (route && route->open)
        verdict = GUARD_PASSES;
    if (verdict == GUARD_WANTS_TOKEN)
        ops_problem(&call->answer, 401, GUARD_TOKEN_TEXT);
    else if (verdict == GUARD_WANTS_LOCAL)
        ops_problem(&call->answer, 403, GUARD_LOCAL_TEXT);
    else if (!route && known)
        ops_problem(&call->answer, 405, "This path is asked with another method: GET, or PUT where it can be changed.");
    else if (!route)
        ops_problem(&call->answer, 404, "There is nothing at this path: try /metrics, /health/live, /health/ready, /log-levels.");
    else if (call->too_large)
        ops_problem(&call->answer, 413, "The body is larger than anything that is taken here: send less than 16 KiB.");
    else
        route->handler(server->options.context,
                       &(struct ops_request){method, path, header_of(connection, "Accept"), buf_slice(&call->body)}, &call->answer);
}

static enum MHD_Result queue(struct MHD_Connection *connection, const struct call *call)
{
    struct slice body = buf_slice(&call->answer.body);
    if (!buf_ok(&call->answer.body) || call->answer.status == 0)
        return MHD_NO; /* out of memory: closing is all that can be done */
    struct MHD_Response *response = MHD_create_response_from_buffer(body.len, (void *)body.p, MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    if (call->answer.content_type)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, call->answer.content_type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (call->answer.status == 401)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)call->answer.status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *data, size_t *size, void **con_cls)
{
    struct call *call = *con_cls;
    if (!call) {
        *con_cls = calloc(1, sizeof(*call));
        return *con_cls ? MHD_YES : MHD_NO;
    }
    if (*size) {
        call->too_large |= call->body.len + *size > BODY_MAX;
        if (!call->too_large)
            buf_append(&call->body, data, *size);
        *size = 0;
        return MHD_YES;
    }
    answer_call(cls, connection, path, method, call);
    return queue(connection, call);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls, enum MHD_RequestTerminationCode code)
{
    struct call *call = *con_cls;
    if (!call)
        return;
    buf_done(&call->body);
    buf_done(&call->answer.body);
    free(call);
    *con_cls = NULL;
}

__attribute__((format(printf, 2, 0))) static void on_log(void *cls, const char *format, va_list args)
{
    char text[256];
    if (!log_enabled(LOG_LEVEL_DEBUG))
        return;
    vsnprintf(text, sizeof(text), format, args);
    text[strcspn(text, "\n")] = '\0';
    log_debug("libmicrohttpd", "text=\"%s\"", text);
}

/* ---- listening ---- */

static int bind_one(const struct addrinfo *address)
{
    const int yes = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, CONNECTIONS_MAX) == 0)
        return fd;
    int err = -errno;
    close(fd);
    return err;
}

static int listen_on(const char *host, int port)
{
    char service[8];
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    snprintf(service, sizeof(service), "%d", port);
    if (getaddrinfo(host, service, &hints, &found) != 0)
        return -EADDRNOTAVAIL;
    int fd = -EADDRNOTAVAIL;
    for (const struct addrinfo *address = found; address && fd < 0; address = address->ai_next)
        fd = bind_one(address);
    freeaddrinfo(found);
    return fd;
}

/* A wildcard address cannot be connected to; the loopback one can. */
static void write_url(struct ops_server *server, int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    char host[INET6_ADDRSTRLEN] = "127.0.0.1", service[8] = "0";
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0 ||
        getnameinfo((struct sockaddr *)&address, len, host, sizeof(host), service, sizeof(service), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0)
        snprintf(host, sizeof(host), "127.0.0.1");
    snprintf(server->url, sizeof(server->url), strchr(host, ':') ? "http://[%s]:%s" : "http://%s:%s", host, service);
}

/* Signals are the main thread's to take: libmicrohttpd's thread inherits a full mask. */
static struct MHD_Daemon *start(struct ops_server *server, int fd)
{
    sigset_t all, before;
    const unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_USE_ITC;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    struct MHD_Daemon *daemon =
        MHD_start_daemon(flags, 0, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET,
                         fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S,
                         MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return daemon;
}

int ops_server_open(const struct ops_options *options, struct ops_server **ret_server)
{
    if (!guard_is_loopback(options->host) && !*options->token) {
        log_error("the operators' listener is reachable from elsewhere and has no admin-token: set one, or admin-listen to 127.0.0.1",
                  "address=%s", options->host);
        return -EACCES;
    }
    struct ops_server *server = calloc(1, sizeof(*server));
    if (!server)
        return -ENOMEM;
    server->options = *options;
    int fd = listen_on(options->host, options->port);
    if (fd < 0) {
        log_error("cannot listen for operators; choose another with --admin-listen and --admin-port", "address=%s port=%d error=\"%s\"",
                  options->host, options->port, strerror(-fd));
        free(server);
        return fd;
    }
    write_url(server, fd);
    server->daemon = start(server, fd);
    if (!server->daemon) {
        log_error("cannot start to serve operators; is the limit of open files or threads reached?", "address=%s", options->host);
        close(fd);
        free(server);
        return -EIO;
    }
    log_info("listening for operators", "url=%s", server->url);
    *ret_server = server;
    return 0;
}

void ops_server_close(struct ops_server *server)
{
    if (!server)
        return;
    MHD_stop_daemon(server->daemon); /* closes the socket, too */
    free(server);
}

const char *ops_server_url(const struct ops_server *server)
{
    return server->url;
}
