/* SPDX-License-Identifier: Apache-2.0 */
/* Listening and accepting. */
#include "listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

/** When the process is out of descriptors: how long until accepting is tried again. */
#define PAUSE_MS 50
/** At the end: how long connections that have begun may take to be established. More than a round trip. */
#define LAST_MS 100

bool listener_is_loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 || strcmp(host, "localhost") == 0;
}

/* A wildcard address cannot be connected to everywhere; the loopback one can. */
static void write_url(struct listener *listener)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    char host[INET6_ADDRSTRLEN] = "127.0.0.1";
    uint16_t port = 0;
    bool brackets = false;
    if (getsockname(listener->fd, (struct sockaddr *)&address, &length) == 0) {
        if (address.ss_family == AF_INET6) {
            const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address;
            port = ntohs(in6->sin6_port);
            if (!IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr)) {
                inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
                brackets = true;
            }
        } else {
            const struct sockaddr_in *in = (const struct sockaddr_in *)&address;
            port = ntohs(in->sin_port);
            if (in->sin_addr.s_addr != htonl(INADDR_ANY))
                inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        }
    }
    snprintf(listener->url, sizeof(listener->url), brackets ? "http://[%s]:%u" : "http://%s:%u", host, port);
}

void listener_use_tls(struct listener *listener)
{
    char rest[sizeof(listener->url)];
    snprintf(rest, sizeof(rest), "%s", listener->url + strlen("http"));
    snprintf(listener->url, sizeof(listener->url), "https%.*s", (int)sizeof(rest) - 6, rest);
}

static int bind_one(const struct addrinfo *info, bool listens)
{
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    /* inherited by the connections: answers are written whole, waiting for more helps nobody */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && (!listens || listen(fd, SOMAXCONN) == 0))
        return fd;
    int err = -errno;
    close(fd);
    return err;
}

static int open_on(struct listener *listener, const char *host, uint16_t port, bool listens)
{
    char service[8];
    snprintf(service, sizeof(service), "%u", port);
    struct addrinfo *list = NULL, hints = {.ai_family = AF_UNSPEC,
                                           .ai_socktype = SOCK_STREAM,
                                           .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    *listener = (struct listener){.fd = -1, .stop_fd = -1};
    if (getaddrinfo(host, service, &hints, &list) != 0)
        return -EADDRNOTAVAIL;
    int err = -EADDRNOTAVAIL;
    for (struct addrinfo *info = list; info && listener->fd < 0; info = info->ai_next) {
        err = bind_one(info, listens);
        if (err >= 0)
            listener->fd = err;
    }
    freeaddrinfo(list);
    if (listener->fd < 0)
        return err;
    listener->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (listener->stop_fd < 0) {
        err = -errno;
        listener_close(listener);
        return err;
    }
    write_url(listener);
    return 0;
}

void listener_close(struct listener *listener)
{
    if (listener->fd >= 0)
        close(listener->fd);
    if (listener->stop_fd >= 0)
        close(listener->stop_fd);
    listener->fd = listener->stop_fd = -1;
}

/* Accepts all that wait. False when the process cannot have more descriptors now. */
static bool accept_all(struct listener *listener)
{
    for (;;) {
        struct sockaddr_storage address;
        socklen_t length = sizeof(address);
        int fd = accept4(listener->fd, (struct sockaddr *)&address, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            listener->accepted(listener->arg, fd, (const struct sockaddr *)&address, length);
        else if (errno == EAGAIN)
            return true;
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            return false;
        /* else that connection is gone already (ECONNABORTED and the like): the next one */
    }
}

/*
 * Closing a listening socket resets the connections that wait in it to be accepted, and between the last accept and the
 * close there is always time for one more. So first nobody new is let in: the packets that ask for a connection (SYN) are
 * dropped, those of connections that have begun are not. Whoever asks is not refused yet: its kernel asks again
 * after a second, and is then. Where the filter is not to be had the last ones may be reset, as ever.
 */
static void let_nobody_in(int fd)
{
    struct sock_filter no_syn[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13), /* the flags of the TCP header, at which a socket's filter begins */
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12), /* SYN and ACK */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    const struct sock_fprog filter = {.len = sizeof(no_syn) / sizeof(no_syn[0]), .filter = no_syn};
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) != 0)
        log_debug("connections that come while the listener closes may be reset", "error=%d", errno);
}

/* What the kernel has accepted for us is ours to answer. */
static void accept_the_last(struct listener *listener)
{
    int64_t until_ns = clock_mono_ns() + LAST_MS * CLOCK_NS_PER_MS;
    let_nobody_in(listener->fd);
    for (int64_t left_ns; (left_ns = until_ns - clock_mono_ns()) > 0;) {
        struct pollfd wait = {.fd = listener->fd, .events = POLLIN};
        poll(&wait, 1, (int)(left_ns / CLOCK_NS_PER_MS) + 1);
        if (!accept_all(listener))
            poll(NULL, 0, PAUSE_MS); /* until others have closed theirs */
    }
    (void)accept_all(listener);
}

static void *run(void *arg)
{
    struct listener *listener = arg;
    struct pollfd fds[] = {{.fd = listener->stop_fd, .events = POLLIN},
                           {.fd = listener->fd, .events = POLLIN}};
    bool short_of = false;
    for (;;) {
        poll(fds, short_of ? 1 : 2, short_of ? PAUSE_MS : -1);
        if (fds[0].revents) {
            accept_the_last(listener);
            return NULL;
        }
        bool ok = accept_all(listener);
        if (!ok && !short_of)
            log_warn("no descriptor for another connection; accepting again when one is free", "error=%d",
                     errno);
        short_of = !ok;
    }
}

int listener_open(struct listener *listener, const char *host, uint16_t port)
{
    return open_on(listener, host, port, true);
}

int listener_reserve(struct listener *listener, const char *host, uint16_t port)
{
    return open_on(listener, host, port, false);
}

int listener_start(struct listener *listener, listener_fn *accepted, void *arg)
{
    listener->accepted = accepted;
    listener->arg = arg;
    if (listen(listener->fd, SOMAXCONN) != 0)
        return -errno;
    int err = -pthread_create(&listener->thread, NULL, run, listener);
    listener->started = err == 0;
    return err;
}

void listener_stop(struct listener *listener)
{
    if (!listener->started) {
        listener_close(listener);
        return;
    }
    listener->started = false;
    uint64_t one = 1;
    ssize_t n = write(listener->stop_fd, &one, sizeof(one));
    (void)n;
    pthread_join(listener->thread, NULL);
    listener_close(listener);
}
