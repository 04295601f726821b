/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the values of HTTP fields: pure parsers, each of one grammar, each refusing what it does not fully
 * understand. */
#ifndef ROUNDTRIP_GATEWAY_SYNTAX_H
#define ROUNDTRIP_GATEWAY_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"

#define SYNTAX_IDEMPOTENCY_KEY_MAX 255

/** One or more tchar (RFC 9110 section 5.6.2). */
bool syntax_is_token(struct slice s);
/** The characters that a host and port may have (RFC 3986 section 3.2.2); empty is allowed (RFC 9110 section 7.2). */
bool syntax_is_host(struct slice s);
/** No control character but the tab: what a field value may hold (RFC 9110 section 5.5). */
bool syntax_is_field_value(struct slice s);
/** Decimal int64 in its only spelling: no sign but "-", no leading zero, no "-0". */
bool syntax_int64(struct slice s, int64_t *ret_value) __attribute__((warn_unused_result));

/** application/json, with no charset or utf-8 (RFC 8259 section 8.1). */
bool syntax_is_json_type(struct slice content_type);

/**
 * Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): a quoted string, or bare as most clients write
 * it; 1 to 255 printable ASCII characters. Writes it unquoted, not terminated; its length, or 0 when it is
 * malformed.
 */
size_t syntax_idempotency_key(struct slice value, char ret_key[SYNTAX_IDEMPOTENCY_KEY_MAX]);

/** Seconds with an optional fraction ("2", "0.25"), as ms, at least 1; above a day it is a day. False: not
 * such a number. */
bool syntax_seconds_ms(struct slice value, int64_t *ret_ms) __attribute__((warn_unused_result));
/** What Prefer fields (RFC 7240) say about waiting. Zero-initialised: nothing. */
struct syntax_prefer {
    bool respond_async;
    bool wait_given;
    int64_t wait_ms; /* whole seconds; 0 when not given, or "wait=0" */
};
/**
 * Adds what one field says. Of each preference the first counts (section 2); one that is malformed or not
 * understood is ignored.
 */
void syntax_prefer(struct slice field, struct syntax_prefer *prefer);

/** Takes the next element off a comma-separated list (RFC 9110 section 5.6.1); empty ones are skipped. False at the end. */
bool syntax_list_next(struct slice *rest, struct slice *ret_element) __attribute__((warn_unused_result));

/** What Cache-Control fields of a request say (RFC 9111 section 5.2.1). Zero-initialised: nothing. */
struct syntax_cache_control {
    bool given; /* there was such a field */
    bool no_cache, no_store, only_if_cached;
    bool max_age_given, max_stale_given, min_fresh_given;
    int64_t max_age_s, max_stale_s, min_fresh_s; /* max_stale_s: INT64_MAX without a limit */
};
/** Adds what one field says; the stricter counts. A number that is none is taken for the strictest; what is not understood is ignored. */
void syntax_cache_control(struct slice field, struct syntax_cache_control *cache);

/**
 * Does If-None-Match list `etag` (which has its quotes)? Weak comparison (RFC 9110 section 13.1.2); `*`
 * matches any.
 */
bool syntax_etag_listed(struct slice if_none_match, struct slice etag);


/** Decodes %XX into `ret_text` (room for s.len bytes); false when an escape is malformed. */
bool syntax_percent_decode(struct slice s, char *ret_text, size_t *ret_len)
    __attribute__((warn_unused_result));

#endif
