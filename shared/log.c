/* SPDX-License-Identifier: Apache-2.0 */
/* logfmt lines on stderr: one write(2) each, so lines of threads and processes do not mix. */
#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "clock.h"

static const char *const level_names[] = {"error", "warn", "info", "debug"};

/* Fixed after log_init(). */
static const char *log_service = "-";
static _Atomic int log_threshold = LOG_LEVEL_INFO;

void log_init(const char *service, enum log_level level)
{
    log_service = service;
    atomic_store(&log_threshold, (int)level);
}

bool log_level_parse(const char *text, enum log_level *ret_level)
{
    for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *ret_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log_threshold, memory_order_relaxed);
}

/* A client's bytes may stand in a line: keep it one line of printable text. */
static void flatten(char *line, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)line[i];
        if (c < 0x20 || c == 0x7f)
            line[i] = ' ';
    }
}

void log_line(enum log_level level, const char *msg, const char *format, ...)
{
    char line[2048], now[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(clock_wall_ms(), now);
    int n = snprintf(line, sizeof(line), "ts=%s level=%s service=%s msg=\"%s\" ", now, level_names[level],
                     log_service, msg);
    if (n < 0 || (size_t)n >= sizeof(line))
        return;
    size_t len = (size_t)n;
    va_list args;
    va_start(args, format);
    n = vsnprintf(line + len, sizeof(line) - len, format, args);
    va_end(args);
    if (n > 0)
        len += (size_t)n < sizeof(line) - len ? (size_t)n : sizeof(line) - len - 1;
    if (len > sizeof(line) - 2)
        len = sizeof(line) - 2;
    flatten(line, len);
    line[len++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, len);
    (void)written; /* nowhere left to say so */
}
