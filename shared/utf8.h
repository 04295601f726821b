/* SPDX-License-Identifier: Apache-2.0 */
/* Is it UTF-8, and is it text? */
#ifndef ROUNDTRIP_UTF8_H
#define ROUNDTRIP_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "slice.h"

/**
 * The length (1..4) of the well-formed UTF-8 character at s.p[pos], 0 when there is none: overlong forms,
 * surrogates and values beyond U+10FFFF are not well-formed (Unicode 15, table 3-7). `pos` < s.len.
 */
size_t utf8_char_len(struct slice s, size_t pos);
/** Well-formed UTF-8, whatever characters. */
bool utf8_is_valid(struct slice s);
/** As much of it, from the start, as is well-formed: for a text that was cut to a length. */
struct slice utf8_prefix(struct slice s);
/** Well-formed UTF-8 without control characters (U+0000..U+001F, U+007F..U+009F). An empty or absent slice is
 * text. */
bool utf8_is_text(struct slice s);

#endif
