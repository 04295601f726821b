/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a format of `key=value` pairs and its arguments to logfmt or JSON. Pure.
 *
 * Keys and quotes count only where the format has them: an argument's bytes are always inside a value, and escaped. A value that is one
 * number in the format is a number in JSON; all others are strings.
 */
#ifndef ROUNDTRIP_LOG_FORMAT_H
#define ROUNDTRIP_LOG_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

#include "log.h"

/** One line that grows; what does not fit is cut off, and `full` says so. */
struct log_text {
    enum log_style style;
    char *data;
    size_t len, size;
    bool full;
    bool begun; /* a pair stands in it */
};

/** Room for the end of the line is kept. `size` at least 64. */
void log_text_begin(struct log_text *text, enum log_style style, char *data, size_t size);
/** A pair; in logfmt in quotes only where `quoted` or its bytes want it. */
void log_text_pair(struct log_text *text, const char *key, struct slice value, bool quoted);
void log_text_number(struct log_text *text, const char *key, uint64_t value);
/** The pairs of `format`. */
void log_text_pairs(struct log_text *text, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
/** Ends the line; its length with the newline. */
size_t log_text_end(struct log_text *text);

/** Does the format have that key? */
bool log_format_has(const char *format, const char *key);
/** "worker/faults" of ".../shared/worker/faults.c", into `ret_name`. */
void log_module_of(const char *file, char ret_name[LOG_MODULE_SIZE]);

#endif
