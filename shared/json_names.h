/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the json*.c files: the member names of the objects being scanned, to find those that come twice.
 */
#ifndef ROUNDTRIP_JSON_NAMES_H
#define ROUNDTRIP_JSON_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

#define JSON_NAMES_INLINE 32

/** A name as it stands in the text, between its quotes and already found well-formed. */
struct json_name {
    struct slice raw;
    bool escaped; /* holds a backslash: equal names may be spelled differently */
};

/** A stack: an object's names lie above those of the objects around it. Start with json_names_init(). */
struct json_names {
    struct json_name first[JSON_NAMES_INLINE];
    struct json_name *list;
    size_t count, cap;
};

void json_names_init(struct json_names *names);
void json_names_done(struct json_names *names);
/** False when memory is out. */
bool json_names_push(struct json_names *names, struct json_name name) __attribute__((warn_unused_result));
/**
 * Takes the names above `base` off again and looks for equal ones: the later of a pair, or SLICE_NONE. In n
 * log n, so that a big object costs no more than its size.
 */
struct slice json_names_pop(struct json_names *names, size_t base);

/** The value of the four hex digits at `p`, -1 when they are not that. */
int32_t json_hex4(const char *p);

#endif
