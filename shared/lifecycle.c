/* SPDX-License-Identifier: Apache-2.0 */
/* Signals by signalfd, the ready file by rename, the service manager by its datagram socket. */
#include "lifecycle.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

static bool has_ready_file(const struct lifecycle *life)
{
    return life->ready_file && *life->ready_file;
}

/* Tells the service manager, where there is one that wants to know: sd_notify(3), "Notes". Nobody waits for it; one that is gone is none. */
static void notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = path ? strlen(path) : 0;
    if (len < 2 || len > sizeof(address.sun_path) || (*path != '/' && *path != '@'))
        return;
    memcpy(address.sun_path, path, len);
    if (*path == '@')
        address.sun_path[0] = '\0'; /* in the abstract namespace: unix(7) */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
        log_warn("cannot tell the service manager", "state=%s reason=\"%s\"", state, strerror(errno));
    close(fd);
}

int lifecycle_open(struct lifecycle *life, const char *ready_file)
{
    sigset_t set;
    *life = (struct lifecycle){.signals = -1, .ready_file = ready_file};
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return -errno;
    int err = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (err)
        return -err;
    if (has_ready_file(life) && unlink(ready_file) < 0 && errno != ENOENT)
        return -errno;
    life->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return life->signals < 0 ? -errno : 0;
}

void lifecycle_close(struct lifecycle *life)
{
    if (has_ready_file(life))
        unlink(life->ready_file);
    if (life->signals >= 0)
        close(life->signals);
    life->signals = -1;
}

int lifecycle_fd(const struct lifecycle *life)
{
    return life->signals;
}

void lifecycle_check(struct lifecycle *life)
{
    struct signalfd_siginfo info;
    while (read(life->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGUSR1) {
            log_toggle_debug();
            continue;
        }
        life->hurried = life->stopping;
        if (!life->stopping)
            notify("STOPPING=1");
        life->stopping = true;
    }
}

bool lifecycle_stopping(const struct lifecycle *life)
{
    return life->stopping;
}

bool lifecycle_hurried(const struct lifecycle *life)
{
    return life->hurried;
}

bool lifecycle_stop_within(struct lifecycle *life, int timeout_ms)
{
    struct pollfd wait = {.fd = life->signals, .events = POLLIN};
    if (!life->stopping && poll(&wait, 1, timeout_ms) > 0)
        lifecycle_check(life);
    return life->stopping;
}

static int write_whole(int fd, const char *text)
{
    for (size_t left = strlen(text); left > 0;) {
        ssize_t n = write(fd, text, left);
        if (n < 0)
            return -errno;
        text += n;
        left -= (size_t)n;
    }
    return 0;
}

static int write_file(const char *path, const char *content)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    int err = write_whole(fd, content);
    if (close(fd) < 0 && !err)
        err = -errno;
    return err;
}

int lifecycle_ready(struct lifecycle *life, const char *content)
{
    char draft[PATH_MAX];
    notify("READY=1");
    if (!has_ready_file(life))
        return 0;
    int len = snprintf(draft, sizeof(draft), "%s.%d", life->ready_file, (int)getpid());
    if (len < 0 || (size_t)len >= sizeof(draft))
        return -ENAMETOOLONG;
    int err = write_file(draft, content);
    if (!err && rename(draft, life->ready_file) < 0)
        err = -errno;
    if (err)
        unlink(draft);
    return err;
}
