/* SPDX-License-Identifier: Apache-2.0 */
/* A process's start and end as the outside sees them: signals that ask it to stop, the file that says "ready", and what a service
 * manager is told (systemd's Type=notify: READY=1, STOPPING=1 to the socket that NOTIFY_SOCKET names; sd_notify(3)). */
#ifndef ROUNDTRIP_LIFECYCLE_H
#define ROUNDTRIP_LIFECYCLE_H

#include <stdbool.h>

/** One per process; one thread only. */
struct lifecycle {
    int signals;            /* signalfd of SIGTERM and SIGINT */
    const char *ready_file; /* borrowed; NULL or "": none */
    bool stopping, hurried;
};

/**
 * Blocks SIGTERM, SIGINT and SIGUSR1 in this thread and in all it will start, and ignores SIGPIPE: call it before the
 * first other thread, so before any Kafka or HTTP handle. A ready file left by an earlier process is removed.
 * 0 or -errno.
 */
int lifecycle_open(struct lifecycle *life, const char *ready_file) __attribute__((warn_unused_result));
/** Removes the ready file. The signals stay blocked: the process is about to end. */
void lifecycle_close(struct lifecycle *life);

/** Readable when a signal has come: then call lifecycle_check(). */
int lifecycle_fd(const struct lifecycle *life);
/** Takes what signals have come; never blocks. SIGUSR1 switches the log to debug and back. */
void lifecycle_check(struct lifecycle *life);
/** True once lifecycle_check() has seen a signal. */
bool lifecycle_stopping(const struct lifecycle *life);
/** True once it has seen another one after that: whoever sent it does not want to wait. */
bool lifecycle_hurried(const struct lifecycle *life);
/** Waits for a signal, at most `timeout_ms`: a sleep that ends when it is time to stop. True when it is. */
bool lifecycle_stop_within(struct lifecycle *life, int timeout_ms);

/** Says that the process serves: `content` in the ready file, which appears whole or not at all, and READY=1 to the service manager. 0 or -errno, of the file. */
int lifecycle_ready(struct lifecycle *life, const char *content) __attribute__((warn_unused_result));

#endif
