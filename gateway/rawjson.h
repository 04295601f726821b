/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding values in JSON text without parsing it: to copy them byte for byte. Pure.
 *
 * Whether the text is well-formed is not checked (json.h does that): any bytes are safe to walk, and what
 * does not fit sets `bad`.
 */
#ifndef ROUNDTRIP_GATEWAY_RAWJSON_H
#define ROUNDTRIP_GATEWAY_RAWJSON_H

#include <stdbool.h>

#include "slice.h"

/** A place in a text. */
struct rawjson {
    const char *p, *end;
    bool bad;
};

/** Moves behind `c`, and blanks before it; false when something else comes. */
bool rawjson_take(struct rawjson *scan, char c);
void rawjson_expect(struct rawjson *scan, char c);
/** Moves behind one value of any kind: its text. */
struct slice rawjson_value(struct rawjson *scan);
/** The text of a member's value in an object; SLICE_NONE when it is not there. Sets `*ret_bad` when the
 * object is malformed. */
struct slice rawjson_member(struct slice object, const char *name, bool *ret_bad);

#endif
