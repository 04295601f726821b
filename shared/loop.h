/* SPDX-License-Identifier: Apache-2.0 */
/* A thin epoll(7): descriptors with a tag each, a wait that ends at a monotonic time. One thread only. */
#ifndef ROUNDTRIP_LOOP_H
#define ROUNDTRIP_LOOP_H

#include <stddef.h>
#include <stdint.h>

struct loop {
    int epoll_fd;
};

/** 0 or -errno. */
int loop_open(struct loop *loop) __attribute__((warn_unused_result));
void loop_close(struct loop *loop);
/** Watches `fd` for reading; `tag` is what the waits say of it, 0..31 where loop_wait() is used. 0 or -errno. */
int loop_add(struct loop *loop, int fd, unsigned tag) __attribute__((warn_unused_result));
/** Waits until a descriptor is readable or `until_ns` (clock_mono_ns(); any value, INT64_MIN too) has come: a bit for each readable tag. */
uint32_t loop_wait(struct loop *loop, int64_t until_ns);
#define LOOP_LIST_MAX 64
/** The same for tags of any size: how many it has written. The others that are readable are said by the next call. */
size_t loop_wait_list(struct loop *loop, int64_t until_ns, uint32_t ret_tags[LOOP_LIST_MAX]);

#endif
