/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading numbers one after another, out of a JSON array or out of a column of CSV (RFC 4180). Pure; memory is the caller's.
 *
 * A number is decimal digits with an optional sign, point and exponent, from -1e100 to 1e100, so that squares of differences
 * stay finite. NaN, Infinity and hexadecimal are none.
 */
#ifndef ROUNDTRIP_COMPUTE_NUMBERS_H
#define ROUNDTRIP_COMPUTE_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"

#define NUMBERS_LIMIT      1e100
#define NUMBERS_CHARACTERS 128 /* of one number, at most */

/** Reads all of `text` as a number, blanks around it left out. */
bool number_parse(struct slice text, double *ret_value) __attribute__((warn_unused_result));

enum numbers_next {
    NUMBERS_VALUE,
    NUMBERS_MISSING, /* null; an empty field, or none in that column */
    NUMBERS_END,
    NUMBERS_WRONG,   /* no number: the reader says where */
};

/** A JSON array's text that is well-formed (json.h); other bytes are safe, too. Start with {.text = …}. */
struct numbers_json {
    struct slice text;
    size_t pos, index; /* elements so far */
};
enum numbers_next numbers_json_next(struct numbers_json *in, double *ret_value);

/**
 * Records end with LF or CRLF, a field may be quoted, a quote within it is doubled; blank lines are skipped. Start with
 * {.text = …, .delimiter = …, .column = …, .line = 1}.
 */
struct numbers_csv {
    struct slice text;
    size_t pos;
    char delimiter;
    size_t column; /* from 1 on */
    uint64_t line; /* where it stands, from 1 on */
    const char *why; /* NUMBERS_WRONG: static */
};
enum numbers_next numbers_csv_next(struct numbers_csv *in, double *ret_value);
/**
 * Takes the first record as the names of the columns. With `name` sets the column to the one that has it; false when none has, or
 * the record is malformed (`why`).
 */
bool numbers_csv_header(struct numbers_csv *in, struct slice name) __attribute__((warn_unused_result));

/** The text of a JSON string, given with its quotes and well-formed, into memory of as many bytes; how many it is. */
size_t numbers_unescape(struct slice string, char *ret_text);

#endif
