/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of envelope_*.c: random contents, records of encoded headers. Include cmocka.h before. */
#ifndef ROUNDTRIP_TEST_MESSAGES_H
#define ROUNDTRIP_TEST_MESSAGES_H

#include "envelope.h"

#define COUNT(array)                   (sizeof(array) / sizeof((array)[0]))
#define assert_slice(actual, expected) assert_true(slice_equal(actual, expected))
#define RANDOM_ROUNDS                  20000

static inline struct record record_of(const struct headers *headers, struct slice key, struct slice value)
{
    assert_false(headers->overflow);
    return (struct record){.topic = "item.commands",
                           .partition = 3,
                           .offset = 42,
                           .key = key,
                           .value = value,
                           .headers = headers->list,
                           .header_count = headers->count};
}

static inline void assert_header(const struct headers *headers, const char *name, struct slice value)
{
    const struct record rec = {.headers = headers->list, .header_count = headers->count};
    assert_slice(record_header(&rec, name), value);
}

/** Set it first: the same seed gives the same messages in every run. */
static uint64_t random_state;

static inline uint64_t random_next(void)
{
    random_state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    uint64_t z = random_state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline uint64_t random_below(uint64_t n)
{
    return random_next() % n;
}

static inline bool random_bool(void)
{
    return random_next() & 1;
}

static const char noise[] =
    "aZ09 \xc3\xbc-._~/\"{}:\xf0\x9f\x8e\x89 the quick brown fox jumps over the lazy dog 0123456789";

/* Present bytes, one time in four absent. */
static inline struct slice random_slice(void)
{
    if (random_below(4) == 0)
        return SLICE_NONE;
    size_t from = random_below(sizeof(noise) - 1);
    return slice_make(noise + from, random_below(sizeof(noise) - from));
}

static inline struct slice random_of(const char *const *choices, size_t count)
{
    return slice_of(choices[random_below(count)]);
}

static inline int64_t random_int(int64_t max)
{
    int bits = (int)random_below(63) + 1;
    return (int64_t)((random_next() >> (64 - bits)) % ((uint64_t)max + 1));
}

#endif
