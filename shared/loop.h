/* SPDX-License-Identifier: Apache-2.0 */
/* A thin epoll(7): descriptors with a tag each, a wait that ends at a monotonic time. One thread only. */
#ifndef ROUNDTRIP_LOOP_H
#define ROUNDTRIP_LOOP_H

#include <stdint.h>

struct loop {
    int epoll_fd;
};

/** 0 or -errno. */
int loop_open(struct loop *loop) __attribute__((warn_unused_result));
void loop_close(struct loop *loop);
/** Watches `fd` for reading; `tag` (0..31) is what loop_wait() says of it. 0 or -errno. */
int loop_add(struct loop *loop, int fd, unsigned tag) __attribute__((warn_unused_result));
/** Waits until a descriptor is readable or `until_ns` (clock_mono_ns()) has come: a bit for each readable tag. */
uint32_t loop_wait(struct loop *loop, int64_t until_ns);

#endif
