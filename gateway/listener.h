/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listening socket and the thread that accepts.
 *
 * One thread accepts for all, so that each HTTP thread gets its share (many threads on one socket do not share evenly), and
 * so that stopping is simple: once it has ended and the socket is closed, connecting is refused, and no connection was cut.
 */
#ifndef ROUNDTRIP_GATEWAY_LISTENER_H
#define ROUNDTRIP_GATEWAY_LISTENER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/** Takes over the connected socket, which is non-blocking. On the listener's thread. */
typedef void listener_fn(void *arg, int fd, const struct sockaddr *address, socklen_t length);

struct listener {
    int fd, stop_fd;
    char url[128]; /* how to reach it: http://127.0.0.1:8080 */
    listener_fn *accepted;
    void *arg;
    pthread_t thread;
    bool started;
};

/** Does the address, as one would write it, lead to this machine only? */
bool listener_is_loopback(const char *host);
/** Binds to a numeric address or a host name, and a port (0: any that is free). 0 or -errno. Connections wait
 * until start. */
int listener_open(struct listener *listener, const char *host, uint16_t port)
    __attribute__((warn_unused_result));
/** The same, but connecting is refused until start: the port is only taken. */
int listener_reserve(struct listener *listener, const char *host, uint16_t port)
    __attribute__((warn_unused_result));
/** What comes will be https: says so in the URL. */
void listener_use_tls(struct listener *listener);
/** Begins to accept. 0 or -errno. */
int listener_start(struct listener *listener, listener_fn *accepted, void *arg)
    __attribute__((warn_unused_result));
/** Accepts what had connected by now (0.1 s), ends the thread and closes the socket: from here on connecting is refused. One that was not
 * started is closed. */
void listener_stop(struct listener *listener);
/** Closes a listener that was not started. */
void listener_close(struct listener *listener);

#endif
