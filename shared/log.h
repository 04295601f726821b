/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One log line per event on stderr, in logfmt or JSON. Thread-safe: a line is one write(2).
 *
 *   log_warn("breaker opens", "service=%s calls=%u", name, calls);
 *
 * The format is a list of `key=value` pairs, values in quotes where they are sentences; log_format.h reads it, so that what a client
 * sent can neither end a value nor begin another. Conversions: %s %.*s %c %d %i %u %x with l, ll, z. No secrets, no bodies.
 *
 * Each place in the program may write log_set_repeats() lines a second, debug apart; what is beyond is counted and said with the
 * next one (left_out=). A module is the source file with its folder: "worker/faults", "bus/producer", "gateway/flow"; its level may
 * be another than the rest's, or its folder's may.
 */
#ifndef ROUNDTRIP_LOG_H
#define ROUNDTRIP_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_style { LOG_STYLE_LOGFMT, LOG_STYLE_JSON };

/** Sets what every line carries. Call once, before threads start. `service` must live as long as the process. */
void log_init(const char *service, enum log_level level);
/** The same for these; `instance` "": not said. Lives as long as the process. */
void log_set_style(enum log_style style, const char *instance);
/** Lines that one place may write a second; 0: any number. */
void log_set_repeats(int lines);
/** "error", "warn", "info", "debug"; false when `text` is none of them. */
bool log_level_parse(const char *text, enum log_level *ret_level) __attribute__((warn_unused_result));
const char *log_level_name(enum log_level level);

#define LOG_MODULES_MAX 32
#define LOG_MODULE_SIZE 48
/** What is logged, as operators set it. */
struct log_levels {
    enum log_level level; /* of all but these: */
    size_t count;
    struct log_module_level {
        char name[LOG_MODULE_SIZE]; /* "worker/faults"; "worker": all in that folder */
        enum log_level level;
    } modules[LOG_MODULES_MAX];
};
/** Any thread, at any time. */
void log_get_levels(struct log_levels *ret_levels);
void log_set_levels(const struct log_levels *levels);
/** Everything at debug, or, when that was done before, as it was. */
void log_toggle_debug(void);

/**
 * The command that this thread works on: its id (the first LOG_ID_SIZE bytes) and trace id stand in every line until
 * log_about_nothing(). Copied. `traceparent` as W3C Trace Context has it; absent: none.
 */
#define LOG_ID_SIZE 96
void log_about(struct slice id, struct slice traceparent);
void log_about_nothing(void);

/** Lines written, and lines that were left out, since the start. */
uint64_t log_written(enum log_level level);
uint64_t log_left_out(void);

/** A place in the program that logs. */
struct log_site {
    const char *file;
    _Atomic uint64_t cached; /* its level, and for which generation of levels that holds */
    _Atomic int64_t second;  /* of `lines` */
    _Atomic int lines;
    _Atomic uint64_t left_out; /* not said yet */
};
/** False when no line of that level is written anywhere: a fast answer. */
bool log_enabled(enum log_level level);
/** Writes `ts=… level=… service=… module=… msg="…"` and then what `format` says. */
void log_line(struct log_site *site, enum log_level level, const char *msg, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The arguments are not evaluated when the level is off. `log_info("ready", "port=%d", port)`. */
#define log_at(level, msg, ...)                                                                              \
    do {                                                                                                     \
        if (log_enabled(level)) {                                                                            \
            static struct log_site log_site_here = {.file = __FILE__};                                       \
            log_line(&log_site_here, level, msg, __VA_ARGS__);                                               \
        }                                                                                                    \
    } while (0)
#define log_error(msg, ...) log_at(LOG_LEVEL_ERROR, msg, __VA_ARGS__)
#define log_warn(msg, ...)  log_at(LOG_LEVEL_WARN, msg, __VA_ARGS__)
#define log_info(msg, ...)  log_at(LOG_LEVEL_INFO, msg, __VA_ARGS__)
#define log_debug(msg, ...) log_at(LOG_LEVEL_DEBUG, msg, __VA_ARGS__)

#endif
