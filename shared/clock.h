/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the clocks, and RFC 3339 text. Decisions take times as parameters; only the edges call these. */
#ifndef ROUNDTRIP_CLOCK_H
#define ROUNDTRIP_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

#define CLOCK_NS_PER_MS INT64_C(1000000)
#define CLOCK_RFC3339_SIZE 32

/** Monotonic nanoseconds: for durations and deadlines inside one process. */
int64_t clock_mono_ns(void);
/** Milliseconds since the Unix epoch: for what crosses processes. */
int64_t clock_wall_ms(void);
/** Writes `wall_ms` as RFC 3339 in UTC with milliseconds ("2026-01-31T12:00:00.000Z") and a NUL; returns its length. */
int clock_format_rfc3339(int64_t wall_ms, char ret_text[CLOCK_RFC3339_SIZE]);
/** Reads an RFC 3339 date-time with any offset and any number of fraction digits. False when it is not one. */
bool clock_parse_rfc3339(struct slice text, int64_t *ret_wall_ms) __attribute__((warn_unused_result));

#endif
