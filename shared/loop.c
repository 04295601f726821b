/* SPDX-License-Identifier: Apache-2.0 */
/* epoll with nanosecond time-outs. */
#include "loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

#define EVENTS_MAX 16

int loop_open(struct loop *loop)
{
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return loop->epoll_fd < 0 ? -errno : 0;
}

void loop_close(struct loop *loop)
{
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    loop->epoll_fd = -1;
}

int loop_add(struct loop *loop, int fd, unsigned tag)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = tag};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

uint32_t loop_wait(struct loop *loop, int64_t until_ns)
{
    struct epoll_event events[EVENTS_MAX];
    int64_t wait_ns = until_ns - clock_mono_ns();
    if (wait_ns < 0)
        wait_ns = 0;
    struct timespec timeout = {.tv_sec = wait_ns / 1000000000, .tv_nsec = wait_ns % 1000000000};
    int n = epoll_pwait2(loop->epoll_fd, events, EVENTS_MAX, &timeout, NULL);
    uint32_t readable = 0;
    for (int i = 0; i < n; i++)
        readable |= UINT32_C(1) << events[i].data.u32;
    return readable;
}
