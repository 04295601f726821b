/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between libmicrohttpd and the flow of a request.
 *
 * libmicrohttpd calls on_request several times for one request: once with its headers, once for each piece of
 * its body, once when it is complete, and once more after each resume, until a response is queued. A response
 * queued at the first of these calls closes the connection, so refusals wait for the complete request unless
 * there is no telling where it ends, or it is not worth reading.
 *
 * The loop around it is ours (pool.c): libmicrohttpd's own threads take at most 128 events at a time and
 * then, when there were exactly that many, wait for more with their full time-out before they look at any
 * (0.9.75 and 1.0.1, MHD_epoll): with 128 busy connections a thread stands still. Run from outside it never
 * waits.
 */
#include "http.h"

#include <microhttpd.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "bypass.h"
#include "clock.h"
#include "log.h"

/** A refused body up to this is read, so that the client gets to see the answer; beyond it the connection is
 * cut. */
#define DROPPED_MAX ((size_t)1024 * 1024)
/** Bytes of a streamed body that are handed over at a time. */
#define STREAM_BLOCK 4096
#define RESULT_BLOCK 32768
/** With up to so many query parameters rules.c has a look at the request. */
#define QUERIES_TAKEN_MAX 64
/** libmicrohttpd's memory for a connection: headers as they came, its records of them (72 bytes each in 1.0), and the answer's headers. It
 * clears all of it after each request, used or not, which also empties the core's first cache: so no more than that takes. */
#define CONNECTION_MEMORY(header_bytes) ((header_bytes) + (size_t)12 * 1024)

struct http {
    struct http_options options; /* fixed */
    struct MHD_Daemon *daemon;
    bool plain;   /* not encrypted */
    bool started; /* on_connection has seen the connection that is being added */
    LIST_HEAD(, exchange) begun; /* exchanges whose request is not over */
};

/* The path as it came: rules.c decodes it, strictly. Called for the path and for each query parameter. */
static size_t leave_escaped(void *cls, struct MHD_Connection *connection, char *text)
{
    return strlen(text);
}

/* Reading the head: where the next header's name must be if nothing is hidden between it and the one before.
 */
struct head {
    struct request *req;
    const char *behind; /* the end of what came before */
    bool gap;
};

/* One line end lies between two fields: CR LF, or LF alone. */
static bool line_end_between(const char *behind, const char *next)
{
    return next - behind == 1 || next - behind == 2;
}

static enum MHD_Result add_header(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                  const char *value, size_t value_len)
{
    struct head *head = cls;
    struct slice text = slice_make(value ? value : "", value ? value_len : 0);
    head->gap |= !line_end_between(head->behind, name);
    head->behind = text.p + text.len;
    request_add_header(head->req, slice_make(name, name_len), text);
    return MHD_YES;
}

static enum MHD_Result add_query(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                 const char *value, size_t value_len)
{
    request_add_query(cls, slice_make(name, name_len), slice_make(value ? value : "", value ? value_len : 0));
    return MHD_YES;
}

/* Where the connection comes from. */
static void note_address(struct exchange *x)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;
    if (address && address->sa_family == AF_INET) {
        x->address_len = sizeof(struct in_addr);
        memcpy(x->address, &((const struct sockaddr_in *)address)->sin_addr, x->address_len);
    } else if (address && address->sa_family == AF_INET6) {
        const struct in6_addr *in6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
        size_t skip = IN6_IS_ADDR_V4MAPPED(in6) ? 12 : 0; /* an IPv4 client of a socket for both */
        x->address_len = sizeof(*in6) - skip;
        memcpy(x->address, in6->s6_addr + skip, x->address_len);
    }
}

/* The exchange of the connection, made for its first request. */
static struct exchange *exchange_of(struct http *http, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct peer *peer = info ? info->socket_context : NULL;
    if (!peer)
        return NULL;
    if (!peer->exchange && (peer->exchange = exchange_new(connection, http->options.arg)))
        note_address(peer->exchange);
    if (peer->exchange) {
        peer->exchange->server = http;
        peer->exchange->peer = peer;
    }
    return peer->exchange;
}

/* libmicrohttpd 0.9 does not answer at all when its memory does not hold what it makes of them. */
static void refuse_queries(struct exchange *x)
{
    struct answer answer = {0};
    answer_problem(&answer, 400, "More than %d query parameters: send fewer.", REQUEST_QUERIES_MAX);
    peers_cut(x->peer, &answer);
    answer_done(&answer);
}

static size_t count_ampersands(const char *target)
{
    size_t count = 0;
    while ((target = strchr(target, '&'))) {
        count++;
        target++;
    }
    return count;
}

/* The path and query as they came, before they are taken apart: their length, up to a NUL. */
static void *note_target(void *cls, const char *target, struct MHD_Connection *connection)
{
    struct exchange *x = exchange_of(cls, connection);
    if (x) {
        x->target_len = strlen(target);
        if (count_ampersands(target) > QUERIES_TAKEN_MAX)
            refuse_queries(x);
    }
    return NULL;
}

/*
 * libmicrohttpd 0.9 ends texts at a NUL wherever it comes from, and takes a folded line for a part of the
 * header's *name*: what it then shows is not what the client sent, nor what a proxy before us understood. In
 * its memory the request still lies in one piece, with each separator overwritten by NUL, so whatever was
 * hidden shows as a gap. 1.0 refuses all that.
 */
static void read_head(struct exchange *x, const char *url, const char *method, const char *version)
{
    struct MHD_Connection *connection = x->connection;
    const union MHD_ConnectionInfo *size =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    x->req.method = request_method_of(slice_of(method));
    x->req.http11 = strcmp(version, "HTTP/1.0") != 0;
    x->req.target = slice_of(url);
    x->req.header_bytes = size ? size->header_size : 0;
    struct head head = {.req = &x->req, .behind = version + strlen(version)};
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, add_header, &head);
#if MHD_VERSION < 0x01000000
    /* the head ends with an empty line */
    const char *end = method + x->req.header_bytes;
    bool hidden =
        version - 1 - url != (ptrdiff_t)x->target_len || end - head.behind < 2 || end - head.behind > 4;
    x->req.broken_head = head.gap || hidden;
#endif
    MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, add_query, &x->req);
}

/* More of a body that goes on: libmicrohttpd has sent all it was given, or the connection was resumed. */
static ssize_t read_stream(void *cls, uint64_t at, char *to, size_t max)
{
    struct exchange *x = cls;
    struct http *http = x->server;
    struct slice body = answer_body(&x->answer);
    if (x->streamed == body.len) {
        buf_clear(&x->answer.own_body);
        x->answer.borrowed_body = SLICE_NONE;
        x->streamed = 0;
        switch (flow_stream(http->options.flow, x, clock_mono_ns())) {
        case FLOW_WAITS:
            return 0; /* suspended */
        case FLOW_OVER:
            return MHD_CONTENT_READER_END_OF_STREAM;
        case FLOW_BROKEN:
            return MHD_CONTENT_READER_END_WITH_ERROR;
        case FLOW_MORE:
            break;
        }
        body = answer_body(&x->answer);
    }
    if (!buf_ok(&x->answer.own_body))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t left = body.len - x->streamed, n = left < max ? left : max;
    memcpy(to, body.p + x->streamed, n);
    x->streamed += n;
    return (ssize_t)n;
}

static struct MHD_Response *make_response(struct exchange *x, struct slice body)
{
    if (x->download.parts > 0)
        return MHD_create_response_from_callback((uint64_t)x->download.bytes, RESULT_BLOCK, read_stream, x, NULL);
    if (x->streaming)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, x, NULL);
    return MHD_create_response_from_buffer(body.len, (void *)body.p, MHD_RESPMEM_PERSISTENT);
}

/* Gives the answer to libmicrohttpd. Its body stays in the exchange, which outlives the response. */
static enum MHD_Result give_answer(struct http *http, struct exchange *x)
{
    flow_seal(http->options.flow, x);
    struct answer *answer = &x->answer;
    struct slice body = answer_body(answer);
    if (!buf_ok(&answer->own_body) || !buf_ok(&answer->text) || answer->status == 0)
        return MHD_NO; /* out of memory: closing is all that can be done */
    caching_say(&http->options.flow->caching, x->route, &x->req, answer);
    struct MHD_Response *response = make_response(x, body);
    if (!response)
        return MHD_NO;
    bool ok = true;
    cors_mark(&http->options.flow->cors, &x->req, answer);
    for (size_t i = 0; i < answer->header_count; i++)
        ok &= MHD_add_response_header(response, answer->headers[i].name, answer_header_value(answer, i)) ==
              MHD_YES;
    if (!ok)
        log_debug("a header was left out of an answer", "status=%d", answer->status);
    if (answer->close || !health_has(http->options.flow->health, HEALTH_STAYS))
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    exchange_move(x, EXCHANGE_ANSWERED);
    enum MHD_Result result = MHD_queue_response(x->connection, (unsigned)answer->status, response);
    MHD_destroy_response(response);
    return result;
}

/* Is the rest of a refused request not to be read? */
static bool cut_short(const struct exchange *x)
{
    if (x->state != EXCHANGE_REFUSED)
        return false;
    if (x->answer.close && x->answer.status != 413)
        return true; /* nobody knows where it ends */
    return rules_expects_continue(&x->req) || rules_body_length(&x->req) > (int64_t)DROPPED_MAX;
}

static enum MHD_Result begin(struct http *http, struct MHD_Connection *connection, const char *url,
                             const char *method, const char *version, void **con_cls)
{
    struct exchange *x = exchange_of(http, connection);
    if (!x || x->peer->cut)
        return MHD_NO;
    *con_cls = x;
    exchange_move(x, EXCHANGE_READING);
    LIST_INSERT_HEAD(&http->begun, x, beside);
    x->peer->requests++;
    http->options.active(http->options.arg, 1);
    read_head(x, url, method, version);
    flow_begin(http->options.flow, x, clock_mono_ns());
    return cut_short(x) ? give_answer(http, x) : MHD_YES;
}

static enum MHD_Result take_body(struct http *http, struct exchange *x, const char *data, size_t size)
{
    struct flow *flow = http->options.flow;
    if (x->state == EXCHANGE_READING) {
        if (size <= flow->limits.body_bytes - x->req.body.len) {
            buf_append(&x->req.body, data, size);
            return buf_ok(&x->req.body) ? MHD_YES : MHD_NO;
        }
        flow_too_large(flow, x);
    }
    x->dropped += size;
    return x->dropped <= DROPPED_MAX ? MHD_YES : MHD_NO;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload_data,
                                  size_t *upload_data_size, void **con_cls)
{
    struct http *http = cls;
    struct exchange *x = *con_cls;
    if (!x)
        return begin(http, connection, url, method, version, con_cls);
    if (*upload_data_size) {
        size_t size = *upload_data_size;
        *upload_data_size = 0;
        return take_body(http, x, upload_data, size);
    }
    if (x->cut || x->peer->cut)
        return MHD_NO; /* it has its answer: what was refused must have no effect */
    if (x->state == EXCHANGE_READING) {
        if (flow_body(http->options.flow, x, clock_mono_ns()))
            return MHD_YES; /* the bus thread's; not to be looked at until it is resumed */
    } else if (x->outcome == OUTCOME_LEFT) {
        return MHD_NO; /* closes the connection */
    } else if (x->state == EXCHANGE_ENDED && flow_end(http->options.flow, x, clock_mono_ns())) {
        return MHD_YES;
    }
    return give_answer(http, x);
}

/*
 * What is resumed has a time-out of its own: libmicrohttpd looks at such connections before it reads from any. Otherwise it
 * would first read from this one, find nothing, or the end of what a half-closed client sends, and then close it without
 * the answer (0.9.75 and 1.0.1, MHD_epoll).
 */
static void set_apart(struct http *http, struct peer *peer, struct MHD_Connection *connection, bool apart)
{
    if (peer->apart != apart)
        MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, http->options.idle_timeout_s + apart);
    peer->apart = apart;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                         enum MHD_RequestTerminationCode code)
{
    struct http *http = cls;
    struct exchange *x = *con_cls;
    *con_cls = NULL;
    if (!x)
        return;
    LIST_REMOVE(x, beside);
    set_apart(http, x->peer, connection, false);
    flow_over(http->options.flow, x);
    exchange_clear(x);
    http->options.active(http->options.arg, -1);
}

/* A connection's context is its client, who gets an exchange with the first request. */
static void on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *http = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        http->started = true;
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *socket_context = info ? peers_add(http->options.peers, info->connect_fd, http->plain) : NULL;
        return;
    }
    struct peer *peer = *socket_context;
    *socket_context = NULL;
    if (peer) { /* its descriptor is still open */
        exchange_free(peer->exchange);
        peers_remove(http->options.peers, peer);
    }
    http->options.closed(http->options.arg);
}

__attribute__((format(printf, 2, 0))) static void on_log(void *cls, const char *format, va_list args)
{
    char text[256];
    if (!log_enabled(LOG_LEVEL_DEBUG))
        return;
    int n = vsnprintf(text, sizeof(text), format, args);
    while (n > 0 && (size_t)n < sizeof(text) && text[n - 1] == '\n')
        text[--n] = '\0';
    log_debug("libmicrohttpd", "text=\"%s\"", text);
}

int http_open(const struct http_options *options, struct http **ret_http)
{
    struct http *http = calloc(1, sizeof(*http));
    if (!http)
        return -ENOMEM;
    http->options = *options;
    if (options->tls && MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES) {
        log_error("this libmicrohttpd was built without GnuTLS: use Debian's, or leave tls-cert and tls-key out", "version=%s",
                  MHD_get_version());
        free(http);
        return -ENOTSUP;
    }
    size_t memory = CONNECTION_MEMORY(options->flow->limits.header_bytes);
    struct MHD_OptionItem items[] = {
        {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)on_log, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)memory, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, INT32_MAX, NULL}, /* the pool counts */
        {MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)options->idle_timeout_s, NULL},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, http},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, http},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_escaped, NULL},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)note_target, http},
        {options->tls ? MHD_OPTION_HTTPS_MEM_CERT : MHD_OPTION_END, 0, options->tls ? (void *)tls_certificate(options->tls) : NULL},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, options->tls ? (void *)tls_key(options->tls) : NULL},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG;
    if (options->tls)
        flags |= MHD_USE_TLS;
    http->plain = !(flags & MHD_USE_TLS);
    http->daemon =
        MHD_start_daemon(flags, 0, NULL, NULL, on_request, http, MHD_OPTION_ARRAY, items, MHD_OPTION_END);
    if (!http->daemon) {
        free(http);
        return -EIO;
    }
    *ret_http = http;
    return 0;
}

void http_close(struct http *http)
{
    if (!http)
        return;
    MHD_stop_daemon(http->daemon);
    free(http);
}

/* libmicrohttpd takes no answer while a body is coming, so it goes past it. What still comes is read and dropped: closing with
 * something unread would be a reset, which can overtake the answer. One that waits is not ours to look at. */
void http_cut(struct http *http)
{
    struct exchange *x;
    LIST_FOREACH(x, &http->begun, beside) {
        if (x->peer->asleep || x->cut || (x->state != EXCHANGE_READING && x->state != EXCHANGE_REFUSED))
            continue;
        if (x->state == EXCHANGE_READING)
            flow_cut(http->options.flow, x);
        x->cut = true;
        if (http->plain)
            bypass_send(x->peer->fd, &x->answer);
    }
}

int http_fd(const struct http *http)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    return info ? info->epoll_fd : -1;
}

int64_t http_due_ns(const struct http *http, int64_t now_ns)
{
    MHD_UNSIGNED_LONG_LONG ms;
    return MHD_get_timeout(http->daemon, &ms) == MHD_YES ? now_ns + (int64_t)ms * CLOCK_NS_PER_MS : INT64_MAX;
}

void http_run(struct http *http)
{
    MHD_run(http->daemon);
}

bool http_add(struct http *http, int fd, const struct sockaddr *address, socklen_t length)
{
    http->started = false;
    if (MHD_add_connection(http->daemon, fd, address, length) == MHD_YES)
        return true;
    log_debug("a connection could not be added", "error=%d", errno); /* it is closed already */
    return http->started;                                            /* then `closed` was called */
}

void http_suspend(struct exchange *x)
{
    struct http *http = x->server;
    set_apart(http, x->peer, x->connection, true);
    MHD_suspend_connection(x->connection);
    peers_sleep(http->options.peers, x->peer);
}

void http_resume(struct exchange *x)
{
    peers_wake(x->peer);
    MHD_resume_connection(x->connection);
}
