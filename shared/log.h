/* SPDX-License-Identifier: Apache-2.0 */
/* One log line per event on stderr, in logfmt. Thread-safe: a line is one write(2). */
#ifndef ROUNDTRIP_LOG_H
#define ROUNDTRIP_LOG_H

#include <stdbool.h>

#include "slice.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/** Sets what every line carries. Call once, before threads start. `service` must live as long as the process. */
void log_init(const char *service, enum log_level level);
/** "error", "warn", "info", "debug"; false when `text` is none of them. */
bool log_level_parse(const char *text, enum log_level *ret_level) __attribute__((warn_unused_result));
bool log_enabled(enum log_level level);
/** Writes `ts=… level=… service=… msg="…"` and then `format`, which holds `key=value` pairs (quote values yourself). */
void log_line(enum log_level level, const char *msg, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The arguments are not evaluated when the level is off. `log_info("ready", "port=%d", port)`. */
#define log_at(level, msg, ...)                                                                              \
    do {                                                                                                     \
        if (log_enabled(level))                                                                              \
            log_line(level, msg, __VA_ARGS__);                                                               \
    } while (0)
#define log_error(msg, ...) log_at(LOG_LEVEL_ERROR, msg, __VA_ARGS__)
#define log_warn(msg, ...)  log_at(LOG_LEVEL_WARN, msg, __VA_ARGS__)
#define log_info(msg, ...)  log_at(LOG_LEVEL_INFO, msg, __VA_ARGS__)
#define log_debug(msg, ...) log_at(LOG_LEVEL_DEBUG, msg, __VA_ARGS__)

#endif
