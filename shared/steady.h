/* SPDX-License-Identifier: Apache-2.0 */
/* Condition variables that wait by the clock that is never set back: the one of clock_mono_ns(). Any thread, as pthread_cond_t. */
#ifndef ROUNDTRIP_STEADY_H
#define ROUNDTRIP_STEADY_H

#include <pthread.h>
#include <stdint.h>

/** 0, or an error number of pthread_cond_init(3). Ends with pthread_cond_destroy(). */
int steady_cond_init(pthread_cond_t *ret_cond);
/** With `lock` held: until it is signalled (0; also for no reason) or clock_mono_ns() is `until_ns` (ETIMEDOUT). */
int steady_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ns);

#endif
