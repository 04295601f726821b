/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROUNDTRIP_RANDOM_H
#define ROUNDTRIP_RANDOM_H

#include <stddef.h>

/*
 * Fills @ret with @n bytes, 1 to 240, of the kernel's generator (getrandom(2)). They are taken for 24 ids at a time, of this thread: a call for
 * each was one of a request's ten system calls. Each byte is given out once; so no process may go on after fork() without exec().
 * Ends the process when the kernel has none: an id that is not unique would be answered with another command's outcome.
 */
void random_bytes(unsigned char *ret, size_t n);

#endif
