/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 9457 problem details: the one shape of every error body, at the gateway and in workers. */
#ifndef ROUNDTRIP_PROBLEM_H
#define ROUNDTRIP_PROBLEM_H

#include "buf.h"

#define PROBLEM_CONTENT_TYPE "application/problem+json"

/** The reason phrase of an HTTP status (RFC 9110), "Unknown" for one that has none. */
const char *problem_title(int status);
/** Appends {"type":"about:blank","title":…,"status":…,"detail":…}. `detail` says what to do about it. */
void problem_write(struct buf *out, int status, struct slice detail);
void problem_writef(struct buf *out, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
