/* SPDX-License-Identifier: Apache-2.0 */
/* The contiguous floor of offsets that finish out of order. */
#include "offsets.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN 64

void offsets_init(struct offsets *offsets, int64_t floor)
{
    *offsets = (struct offsets){.floor = floor, .next = floor};
}

void offsets_done(struct offsets *offsets)
{
    free(offsets->open);
    *offsets = (struct offsets){0};
}

static uint8_t *slot(const struct offsets *offsets, int64_t offset)
{
    return &offsets->open[(uint64_t)offset & (offsets->capacity - 1)];
}

static bool grow(struct offsets *offsets, int64_t span)
{
    size_t capacity = offsets->capacity ? offsets->capacity : CAPACITY_MIN;
    while (capacity < (size_t)span)
        capacity *= 2;
    if (capacity == offsets->capacity)
        return true;
    struct offsets larger = *offsets;
    larger.open = calloc(capacity, 1);
    if (!larger.open)
        return false;
    larger.capacity = capacity;
    for (int64_t o = offsets->floor; o < offsets->next; o++)
        *slot(&larger, o) = *slot(offsets, o);
    free(offsets->open);
    *offsets = larger;
    return true;
}

bool offsets_begin(struct offsets *offsets, int64_t offset)
{
    if (offset < offsets->next)
        return false;
    if (offsets->count == 0) /* nothing unfinished: a gap before it needs no room */
        offsets->floor = offsets->next = offset;
    if (!grow(offsets, offset + 1 - offsets->floor))
        return false;
    for (int64_t o = offsets->next; o < offset; o++)
        *slot(offsets, o) = 0;
    *slot(offsets, offset) = 1;
    offsets->next = offset + 1;
    offsets->count++;
    return true;
}

bool offsets_finish(struct offsets *offsets, int64_t offset)
{
    assert(offset >= offsets->floor && offset < offsets->next && *slot(offsets, offset));
    *slot(offsets, offset) = 0;
    offsets->count--;
    int64_t before = offsets->floor;
    while (offsets->floor < offsets->next && !*slot(offsets, offsets->floor))
        offsets->floor++;
    return offsets->floor != before;
}
