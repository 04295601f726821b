/* SPDX-License-Identifier: Apache-2.0 */
/*
 * roundtrip-bench-load: HTTP requests at a fixed rate, whatever becomes of them; prints one line of JSON.
 *
 * An open loop: a request is due at its time, and its latency counts from then, also while it waits here for a free connection,
 * so a server that stands still is not spared the requests it would have got (no coordinated omission). wrk, which tests/bench/run
 * uses for closed loops, cannot do that; wrk2 and the like are not packaged. One thread, epoll. Rate 0: a closed loop.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "histogram.h"

#define QUEUE_MAX   (1 << 20)
#define ANSWER_MAX  (64 * 1024)
#define REQUEST_MAX 2048
#define DRAIN_NS    (INT64_C(12000) * CLOCK_NS_PER_MS)
#define NS_PER_S    INT64_C(1000000000)

static const char usage[] =
    "Usage: roundtrip-bench-load --port N [options]\n"
    "  --rate N         requests a second (default 0: as fast as the connections answer)\n"
    "  --connections N  (default 64)\n"
    "  --seconds N      how long to send (default 5); the first --warmup seconds are not counted (default 1)\n"
    "  --method M --path P --body B --header H   what to send (default GET /health/live); {n} in path and body is a number\n"
    "  --first N        the first {n} (default 1)\n"
    "  --spread N       {n} starts again after so many (default: never)\n"
    "  --stride N       {n} grows by so much, modulo --spread (default 1): far apart, no two requests meet in a cache\n"
    "  --tell           says \"counting\" on standard error when the warm-up is over: for who measures others meanwhile\n";

struct options {
    int port, connections;
    double seconds, warmup;
    int64_t rate, first, spread, stride;
    bool tell;
    const char *method, *path, *body, *header;
};

enum kind { KIND_GOOD, KIND_REFUSED, KIND_LATE, KIND_OTHER, KINDS }; /* 2xx, 429 and 503, 504, anything else */

struct connection {
    int fd;
    bool busy, counts;
    int64_t due_ns; /* of the request under way */
    size_t sent, length, have;
    char request[REQUEST_MAX], answer[ANSWER_MAX];
};

struct load {
    struct options options;
    int epoll;
    struct connection *connections;
    int *idle, idle_count; /* indexes of those that are free */
    int64_t *queue;        /* due times of those that wait for one */
    unsigned head, tail;
    int64_t next_number, began_ns, counted_ns, ends_ns;
    struct histogram latency[KINDS];
    int64_t count[KINDS], after, offered, broken, longest_queue, worst_ns;
};

static int64_t now(void)
{
    return clock_mono_ns();
}

static bool connect_one(struct load *load, int index)
{
    struct connection *c = &load->connections[index];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)load->options.port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        return false;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.u32 = (uint32_t)index};
    return epoll_ctl(load->epoll, EPOLL_CTL_ADD, c->fd, &event) == 0;
}

/* Appends `text` with each {n} replaced. */
static size_t fill(char *to, size_t room, const char *text, int64_t n)
{
    size_t len = 0;
    for (; *text && len + 24 < room; text++) {
        if (strncmp(text, "{n}", 3) == 0) {
            len += (size_t)snprintf(to + len, room - len, "%" PRId64, n);
            text += 2;
        } else {
            to[len++] = *text;
        }
    }
    to[len] = '\0';
    return len;
}

static void write_request(struct load *load, struct connection *c)
{
    const struct options *o = &load->options;
    char path[512], body[1024];
    int64_t n = o->spread ? o->first + (load->next_number - o->first) % o->spread : load->next_number;
    load->next_number += o->stride;
    fill(path, sizeof(path), o->path, n);
    size_t body_len = o->body ? fill(body, sizeof(body), o->body, n) : 0;
    body[body_len] = '\0';
    int len = snprintf(c->request, sizeof(c->request), "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s%s", o->method, path,
                       o->header ? o->header : "", o->header ? "\r\n" : "");
    if (o->body)
        len += snprintf(c->request + len, sizeof(c->request) - (size_t)len, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body_len);
    len += snprintf(c->request + len, sizeof(c->request) - (size_t)len, "\r\n%s", body);
    c->length = (size_t)len;
    c->sent = c->have = 0;
}

static void lose(struct load *load, int index)
{
    struct connection *c = &load->connections[index];
    close(c->fd);
    c->fd = -1;
    if (c->busy) {
        load->broken += c->counts;
        c->busy = false;
    }
    if (!connect_one(load, index)) {
        fprintf(stderr, "roundtrip-bench-load: cannot connect to port %d: %s\n", load->options.port, strerror(errno));
        exit(1);
    }
}

static void begin(struct load *load, int index, int64_t due_ns)
{
    struct connection *c = &load->connections[index];
    write_request(load, c);
    c->busy = true;
    c->due_ns = due_ns;
    c->counts = due_ns >= load->counted_ns;
    load->offered += c->counts;
    for (int tries = 0; tries < 2; tries++) { /* requests are small: written at once, or the connection is gone */
        if (send(c->fd, c->request, c->length, MSG_NOSIGNAL) == (ssize_t)c->length)
            return;
        c->busy = false;
        lose(load, index);
        c->busy = true;
    }
}

static enum kind kind_of(int status)
{
    return status / 100 == 2 ? KIND_GOOD : status == 503 || status == 429 ? KIND_REFUSED : status == 504 ? KIND_LATE : KIND_OTHER;
}

/* The length of the whole answer, as far as it can be told; 0: not yet. */
static size_t answer_length(const struct connection *c)
{
    const char *end = memmem(c->answer, c->have, "\r\n\r\n", 4);
    if (!end)
        return 0;
    size_t head = (size_t)(end - c->answer) + 4;
    const char *length = strcasestr(c->answer, "\r\nContent-Length:");
    return head + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
}

static void finish(struct load *load, int index)
{
    struct connection *c = &load->connections[index];
    int64_t now_ns = now(), took_ns = now_ns - c->due_ns;
    enum kind kind = kind_of(atoi(c->answer + 9));
    if (c->counts && now_ns > load->ends_ns) {
        load->after++; /* no throughput of the time that is measured */
    } else if (c->counts) {
        load->count[kind]++;
        histogram_add(&load->latency[kind], took_ns);
        if (kind == KIND_GOOD && took_ns > load->worst_ns)
            load->worst_ns = took_ns;
    }
    c->busy = false;
    if (strcasestr(c->answer, "\r\nConnection: close"))
        lose(load, index);
    load->idle[load->idle_count++] = index;
}

static void receive(struct load *load, int index)
{
    struct connection *c = &load->connections[index];
    for (;;) {
        ssize_t n = recv(c->fd, c->answer + c->have, sizeof(c->answer) - 1 - c->have, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            bool was_busy = c->busy;
            lose(load, index);
            if (was_busy)
                load->idle[load->idle_count++] = index;
            return;
        }
        c->have += (size_t)n;
        c->answer[c->have] = '\0';
        size_t length = c->busy ? answer_length(c) : 0;
        if (length && c->have >= length) {
            finish(load, index);
            return;
        }
    }
}

/* What is due goes out on free connections; what finds none waits. */
static void send_due(struct load *load, int64_t now_ns, int64_t *next_due_ns)
{
    const struct options *o = &load->options;
    while (o->rate && *next_due_ns <= now_ns && *next_due_ns < load->ends_ns) {
        if (load->tail - load->head < QUEUE_MAX)
            load->queue[load->tail++ % QUEUE_MAX] = *next_due_ns;
        *next_due_ns += NS_PER_S / o->rate;
    }
    if ((int64_t)(load->tail - load->head) > load->longest_queue)
        load->longest_queue = load->tail - load->head;
    while (load->idle_count && (o->rate ? load->head != load->tail : now_ns < load->ends_ns)) {
        int index = load->idle[--load->idle_count];
        begin(load, index, o->rate ? load->queue[load->head++ % QUEUE_MAX] : now_ns);
    }
}

static void run(struct load *load)
{
    struct epoll_event events[256];
    int64_t next_due_ns = load->began_ns;
    bool tell = load->options.tell;
    for (;;) {
        int64_t now_ns = now();
        if (tell && now_ns >= load->counted_ns) {
            fputs("counting\n", stderr);
            tell = false;
        }
        send_due(load, now_ns, &next_due_ns);
        bool sending = now_ns < load->ends_ns || load->head != load->tail;
        bool waiting = load->idle_count < load->options.connections;
        if ((!sending && !waiting) || now_ns > load->ends_ns + DRAIN_NS)
            return;
        int64_t until_ns = next_due_ns < load->ends_ns && load->options.rate ? next_due_ns : now_ns + NS_PER_S / 10;
        int64_t wait_ns = until_ns > now_ns ? until_ns - now_ns : 0;
        struct timespec wait = {wait_ns / NS_PER_S, wait_ns % NS_PER_S};
        int n = epoll_pwait2(load->epoll, events, 256, &wait, NULL);
        for (int i = 0; i < n; i++)
            receive(load, (int)events[i].data.u32);
    }
}

static double ms(int64_t ns)
{
    return (double)ns / 1e6;
}

static void report(const struct load *load)
{
    static const char *const names[KINDS] = {"good", "refused", "late", "other"};
    double seconds = (double)(load->ends_ns - load->counted_ns) / 1e9;
    int64_t unanswered = load->offered - load->broken - load->after;
    printf("{\"offered\":%.1f", (double)load->offered / seconds);
    for (int kind = 0; kind < KINDS; kind++) {
        const struct histogram *h = &load->latency[kind];
        unanswered -= load->count[kind];
        printf(",\"%s\":{\"rate\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f}", names[kind], (double)load->count[kind] / seconds,
               ms(histogram_quantile(h, 0.5)), ms(histogram_quantile(h, 0.99)), ms(histogram_quantile(h, 0.999)));
    }
    printf(",\"worst_ms\":%.3f,\"after\":%" PRId64 ",\"broken\":%" PRId64 ",\"unanswered\":%" PRId64 ",\"longest_queue\":%" PRId64 "}\n", ms(load->worst_ns),
           load->after, load->broken, unanswered, load->longest_queue);
}

static struct options parse(int argc, char **argv)
{
    static const struct option known[] = {
        {"port", 1, NULL, 'p'},   {"rate", 1, NULL, 'r'},   {"connections", 1, NULL, 'c'}, {"seconds", 1, NULL, 's'},
        {"warmup", 1, NULL, 'w'}, {"method", 1, NULL, 'm'}, {"path", 1, NULL, 'P'},        {"body", 1, NULL, 'b'},
        {"header", 1, NULL, 'H'}, {"first", 1, NULL, 'f'},  {"spread", 1, NULL, 'S'},      {"stride", 1, NULL, 't'},
        {"tell", 0, NULL, 'T'},   {"help", 0, NULL, 'h'},   {NULL, 0, NULL, 0}};
    struct options o = {.connections = 64, .seconds = 5, .warmup = 1, .first = 1, .stride = 1, .method = "GET", .path = "/health/live"};
    int c;
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (c) {
        case 'p': o.port = atoi(optarg); break;
        case 'r': o.rate = atoll(optarg); break;
        case 'c': o.connections = atoi(optarg); break;
        case 's': o.seconds = atof(optarg); break;
        case 'w': o.warmup = atof(optarg); break;
        case 'm': o.method = optarg; break;
        case 'P': o.path = optarg; break;
        case 'b': o.body = optarg; break;
        case 'H': o.header = optarg; break;
        case 'f': o.first = atoll(optarg); break;
        case 'S': o.spread = atoll(optarg); break;
        case 't': o.stride = atoll(optarg); break;
        case 'T': o.tell = true; break;
        default: fputs(usage, c == 'h' ? stdout : stderr); exit(c == 'h' ? 0 : 2);
        }
    }
    if (o.port <= 0 || o.connections <= 0 || o.seconds <= o.warmup || o.rate < 0 || o.stride < 1) {
        fputs(usage, stderr);
        exit(2);
    }
    return o;
}

int main(int argc, char **argv)
{
    struct load *load = calloc(1, sizeof(*load));
    if (!load)
        return 1;
    load->options = parse(argc, argv);
    int count = load->options.connections;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    load->connections = calloc((size_t)count, sizeof(*load->connections));
    load->idle = calloc((size_t)count, sizeof(*load->idle));
    load->queue = calloc(QUEUE_MAX, sizeof(*load->queue));
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!load->connections || !load->idle || !load->queue || load->epoll < 0)
        return 1;
    for (int i = 0; i < count; i++) {
        if (!connect_one(load, i)) {
            fprintf(stderr, "roundtrip-bench-load: cannot connect to port %d: %s\n", load->options.port, strerror(errno));
            return 1;
        }
        load->idle[load->idle_count++] = i;
    }
    load->next_number = load->options.first;
    load->began_ns = now();
    load->counted_ns = load->began_ns + (int64_t)(load->options.warmup * 1e9);
    load->ends_ns = load->began_ns + (int64_t)(load->options.seconds * 1e9);
    run(load);
    report(load);
    return 0;
}
