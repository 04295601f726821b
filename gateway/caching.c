/* SPDX-License-Identifier: Apache-2.0 */
/* What is said to caches, and what callers say about them. */
#include "caching.h"

#include <inttypes.h>
#include <stdio.h>

#include "syntax.h"

static bool is_read(const struct route *route, const struct request *req, int status)
{
    return route && !route->local && !route->write && (req->method == METHOD_GET || req->method == METHOD_HEAD) &&
           (status == 200 || status == 304);
}

void caching_say(const struct caching *caching, const struct route *route, const struct request *req, struct answer *answer)
{
    const char *whose = caching->known_callers ? "private, " : "";
    char text[80];
    int n = 0;
    if (answer_find(answer, "Cache-Control"))
        return;
    if (!is_read(route, req, answer->status))
        n = snprintf(text, sizeof(text), "no-store");
    else if (route->result)
        n = snprintf(text, sizeof(text), "%smax-age=%d, immutable", whose, CACHING_RESULT_S);
    else if (!route->copied || (caching->max_age_s == 0 && caching->stale_if_error_s == 0))
        n = snprintf(text, sizeof(text), "no-cache");
    else if (caching->stale_if_error_s == 0)
        n = snprintf(text, sizeof(text), "%smax-age=%" PRId64, whose, caching->max_age_s);
    else
        n = snprintf(text, sizeof(text), "%smax-age=%" PRId64 ", stale-if-error=%" PRId64, whose, caching->max_age_s,
                     caching->stale_if_error_s);
    answer_header(answer, "Cache-Control", slice_make(text, (size_t)n));
}

bool caching_takes_stale(const struct request *req, int64_t fresh_s, int64_t age_s)
{
    struct syntax_cache_control cache = {.given = false};
    struct slice field;
    size_t at = 0;
    while ((field = request_header_next(req, "Cache-Control", &at)).p)
        syntax_cache_control(field, &cache);
    if (!cache.given && request_same_text(request_header(req, "Pragma"), "no-cache"))
        return false; /* section 5.4: what clients said before there was Cache-Control */
    if (cache.no_cache || cache.no_store || cache.min_fresh_given)
        return false;
    if (!cache.max_age_given && !cache.max_stale_given)
        return true;
    if (cache.max_stale_given && cache.max_stale_s == INT64_MAX)
        return true;
    return age_s <= (cache.max_age_given ? cache.max_age_s : fresh_s) + (cache.max_stale_given ? cache.max_stale_s : 0);
}

void caching_mark_stale(struct answer *answer, int64_t age_s)
{
    char age[24];
    int n = snprintf(age, sizeof(age), "%" PRId64, age_s);
    answer_header(answer, "Age", slice_make(age, (size_t)n));
    answer_header(answer, "Warning", SLICE("110 - \"Response is Stale\""));
    answer_header(answer, "Cache-Control", SLICE("no-store"));
}
