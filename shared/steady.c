/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for a while, whatever is done to the wall clock. */
#include "steady.h"

#include <time.h>

#define NS_PER_S INT64_C(1000000000)

int steady_cond_init(pthread_cond_t *ret_cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    int err = pthread_cond_init(ret_cond, &attr);
    pthread_condattr_destroy(&attr);
    return err;
}

int steady_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ns)
{
    const struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_S), .tv_nsec = (long)(until_ns % NS_PER_S)};
    return pthread_cond_timedwait(cond, lock, &until);
}
