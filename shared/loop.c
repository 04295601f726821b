/* SPDX-License-Identifier: Apache-2.0 */
/* epoll with nanosecond time-outs. */
#include "loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

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

size_t loop_wait_list(struct loop *loop, int64_t until_ns, uint32_t ret_tags[LOOP_LIST_MAX])
{
    struct epoll_event events[LOOP_LIST_MAX];
    int64_t now_ns = clock_mono_ns(), wait_ns = until_ns > now_ns ? until_ns - now_ns : 0; /* compared first: it may be INT64_MIN, "at once" */
    struct timespec timeout = {.tv_sec = wait_ns / 1000000000, .tv_nsec = wait_ns % 1000000000};
    int n = epoll_pwait2(loop->epoll_fd, events, LOOP_LIST_MAX, &timeout, NULL);
    for (int i = 0; i < n; i++)
        ret_tags[i] = events[i].data.u32;
    return n < 0 ? 0 : (size_t)n;
}

uint32_t loop_wait(struct loop *loop, int64_t until_ns)
{
    uint32_t tags[LOOP_LIST_MAX], readable = 0;
    size_t count = loop_wait_list(loop, until_ns, tags);
    for (size_t i = 0; i < count; i++)
        readable |= UINT32_C(1) << tags[i];
    return readable;
}
