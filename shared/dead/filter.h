/* SPDX-License-Identifier: Apache-2.0 */
/* Which dead letters: the same names in a query string, in a JSON body and as flags. Pure. */
#ifndef ROUNDTRIP_DEAD_FILTER_H
#define ROUNDTRIP_DEAD_FILTER_H

#include "dead/letter.h"
#include "envelope.h"

#define DEAD_ERROR_SIZE 256
/** What is wrong and what to do about it, as a sentence. */
struct dead_error {
    char text[DEAD_ERROR_SIZE];
};
void dead_error_set(struct dead_error *ret_error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Start with dead_filter_init(); an empty text matches everything. Holds no pointers. */
struct dead_filter {
    char service[DEAD_SERVICE_SIZE];
    char class[32];
    char reason_contains[128];
    char type[ENVELOPE_TYPE_MAX + 1];
    char key[ENVELOPE_KEY_MAX + 1];
    char command_id[ENVELOPE_ID_MAX + 1];
    int64_t since_ms, until_ms; /* died in [since, until); 0: no bound */
    enum dead_state state;
};
/** Every letter that is open. */
void dead_filter_init(struct dead_filter *filter);
/** Names no letter more closely than by its state? */
bool dead_filter_is_empty(const struct dead_filter *filter);

/** The names, ended by NULL: service, class, reason_contains, type, key, command_id, since, until, state. */
extern const char *const dead_filter_names[];
/**
 * Sets one of them from its text; times are RFC 3339, or a duration before `now_ms` ("2h"). False and `ret_error` for a name
 * that there is not and a value that is not possible.
 */
bool dead_filter_set(struct dead_filter *filter, const char *name, struct slice value, int64_t now_ms,
                     struct dead_error *ret_error) __attribute__((warn_unused_result));
/** Appends {"service":…,…}: what dead_filter_set() reads again. */
void dead_filter_write(struct buf *out, const struct dead_filter *filter);

bool dead_filter_matches(const struct dead_filter *filter, const struct dead_letter *letter, enum dead_state state);

#endif
