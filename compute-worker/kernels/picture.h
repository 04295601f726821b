/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures of at most 256 colours as PNG (ISO/IEC 15948), in memory of an arena. */
#ifndef ROUNDTRIP_COMPUTE_PICTURE_H
#define ROUNDTRIP_COMPUTE_PICTURE_H

#include "arena.h"
#include "slice.h"

#define PICTURE_COLOURS 256

struct picture_colour {
    unsigned char red, green, blue;
};

/** Asked once a row: true gives up. NULL: never. */
typedef bool picture_stop_fn(const void *arg);

/** A byte for each pixel of each row is its colour's number. False when the arena has no room, or `stop` said so. Some 30 ms for half a million pixels. */
bool picture_png(struct arena *arena, size_t width, size_t height, const unsigned char *const *rows,
                 const struct picture_colour palette[PICTURE_COLOURS], picture_stop_fn *stop, const void *arg, struct slice *ret_png) __attribute__((warn_unused_result));
/** Bytes of arena it takes at most. */
size_t picture_room(size_t width, size_t height);
/** Bytes of the file at most: of pixels that do not compress. */
size_t picture_size(size_t width, size_t height);

#endif
