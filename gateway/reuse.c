/* SPDX-License-Identifier: Apache-2.0 */
/* A table of answers, and in what order they were last used. */
#include "reuse.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/linkhash.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "clock.h"
#include "syntax.h"

#define BUCKETS 4096

struct kept {
    TAILQ_ENTRY(kept) by_use;
    struct kept *next; /* in its bucket */
    struct hash128 name;
    int64_t made_ns;
    char *texts[3]; /* ETag, Content-Location, Content-Type; may be NULL; behind the body */
    size_t body_len, bytes;
    char body[];
};

struct reuse {
    struct reuse_options options; /* fixed */
    /* guarded by lock */
    pthread_mutex_t lock;
    size_t bytes, count;
    TAILQ_HEAD(uses, kept) uses; /* the latest first */
    struct kept *buckets[BUCKETS];
};

static const char *const text_names[] = {"ETag", "Content-Location", "Content-Type"};

int reuse_new(const struct reuse_options *options, struct reuse **ret_reuse)
{
    struct reuse *reuse = calloc(1, sizeof(*reuse));
    if (!reuse)
        return -ENOMEM;
    reuse->options = *options;
    pthread_mutex_init(&reuse->lock, NULL);
    TAILQ_INIT(&reuse->uses);
    *ret_reuse = reuse;
    return 0;
}

static struct kept **find(struct reuse *reuse, struct hash128 name)
{
    struct kept **at = &reuse->buckets[name.low % BUCKETS];
    while (*at && ((*at)->name.low != name.low || (*at)->name.high != name.high))
        at = &(*at)->next;
    return at;
}

static void drop(struct reuse *reuse, struct kept **at)
{
    struct kept *kept = *at;
    *at = kept->next;
    TAILQ_REMOVE(&reuse->uses, kept, by_use);
    reuse->bytes -= kept->bytes;
    reuse->count--;
    free(kept);
}

void reuse_free(struct reuse *reuse)
{
    struct kept *kept;
    if (!reuse)
        return;
    while ((kept = TAILQ_FIRST(&reuse->uses)))
        drop(reuse, find(reuse, kept->name));
    pthread_mutex_destroy(&reuse->lock);
    free(reuse);
}

/* ---- the same computation ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void canonical_object(struct json_object *object, struct buf *out)
{
    size_t count = (size_t)json_object_object_length(object), i = 0;
    const char **names = calloc(count + 1, sizeof(*names));
    out->failed |= !names;
    if (!names)
        return;
    json_object_object_foreach(object, name, value) {
        (void)value;
        names[i++] = name;
    }
    qsort(names, count, sizeof(*names), by_name);
    buf_append_text(out, "{");
    for (i = 0; i < count; i++) {
        buf_append_text(out, i ? "," : "");
        buf_append_json(out, slice_of(names[i]));
        buf_append_text(out, ":");
        reuse_canonical(json_object_object_get(object, names[i]), out);
    }
    buf_append_text(out, "}");
    free(names);
}

/* As deep as json_parse_strict() lets a text be. */
void reuse_canonical(struct json_object *value, struct buf *out)
{
    if (json_object_is_type(value, json_type_object)) {
        canonical_object(value, out);
    } else if (json_object_is_type(value, json_type_array)) {
        buf_append_text(out, "[");
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            buf_append_text(out, i ? "," : "");
            reuse_canonical(json_object_array_get_idx(value, i), out);
        }
        buf_append_text(out, "]");
    } else {
        buf_append_text(out, json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
    }
}

static struct hash128 name_of(const struct reuse *reuse, const struct principal *principal, struct slice text)
{
    struct hash128 whose = hash_slice_128(principal->len ? principal_slice(principal) : SLICE(""), reuse->options.seed);
    return hash_slice_128(text, whose.low ^ (principal->len ? whose.high : 0));
}

/* ---- asking ---- */

enum reuse_wish reuse_wish(const struct request *req, int64_t *ret_max_age_s, bool *ret_keep)
{
    struct syntax_cache_control cache = {.given = false};
    struct slice field;
    size_t at = 0;
    while ((field = request_header_next(req, "Cache-Control", &at)).p)
        syntax_cache_control(field, &cache);
    bool own = request_header(req, "Idempotency-Key").p || request_header(req, "If-Match").p;
    *ret_keep = !cache.no_store;
    *ret_max_age_s = cache.max_age_given ? cache.max_age_s : cache.only_if_cached ? INT64_MAX : 0;
    bool never = own || cache.no_cache || cache.no_store || cache.min_fresh_given || *ret_max_age_s == 0;
    if (cache.only_if_cached)
        *ret_max_age_s = never ? 0 : *ret_max_age_s;
    return cache.only_if_cached ? REUSE_MUST : never ? REUSE_NEVER : REUSE_MAY;
}

static void give(const struct kept *kept, int64_t age_s, struct answer *ret_answer)
{
    char age[24];
    int n = snprintf(age, sizeof(age), "%" PRId64, age_s);
    answer_clear(ret_answer);
    ret_answer->status = 200;
    for (size_t i = 0; i < sizeof(text_names) / sizeof(text_names[0]); i++)
        answer_header(ret_answer, text_names[i], slice_of(kept->texts[i]));
    answer_header(ret_answer, "Age", slice_make(age, (size_t)n));
    buf_append(&ret_answer->own_body, kept->body, kept->body_len);
}

bool reuse_find(struct reuse *reuse, const struct principal *principal, struct slice text, int64_t max_age_s, int64_t now_ns,
                struct answer *ret_answer)
{
    struct hash128 name = name_of(reuse, principal, text);
    int64_t most_s = max_age_s < reuse->options.max_age_s ? max_age_s : reuse->options.max_age_s;
    bool found = false;
    pthread_mutex_lock(&reuse->lock);
    struct kept **at = find(reuse, name), *kept = *at;
    int64_t age_s = kept ? (now_ns - kept->made_ns) / (1000 * CLOCK_NS_PER_MS) : 0;
    if (kept && age_s >= reuse->options.max_age_s) {
        drop(reuse, at);
    } else if (kept && age_s < most_s) {
        TAILQ_REMOVE(&reuse->uses, kept, by_use);
        TAILQ_INSERT_HEAD(&reuse->uses, kept, by_use);
        give(kept, age_s, ret_answer);
        found = true;
    }
    pthread_mutex_unlock(&reuse->lock);
    return found;
}

/* ---- keeping ---- */

static struct kept *copy(struct hash128 name, const struct answer *answer, int64_t now_ns)
{
    struct slice body = answer_body(answer);
    size_t lens[3], size = sizeof(struct kept) + body.len;
    const char *from[3];
    for (size_t i = 0; i < 3; i++) {
        from[i] = answer_find(answer, text_names[i]);
        lens[i] = from[i] ? strlen(from[i]) + 1 : 0;
        size += lens[i];
    }
    struct kept *kept = malloc(size);
    if (!kept)
        return NULL;
    *kept = (struct kept){.name = name, .made_ns = now_ns, .body_len = body.len, .bytes = size};
    memcpy(kept->body, body.p, body.len);
    char *to = kept->body + body.len;
    for (size_t i = 0; i < 3; to += lens[i], i++)
        kept->texts[i] = from[i] ? memcpy(to, from[i], lens[i]) : NULL;
    return kept;
}

void reuse_keep(struct reuse *reuse, const struct principal *principal, struct slice text, const struct answer *answer, int64_t now_ns)
{
    if (reuse->options.max_age_s == 0 || answer_body(answer).len > REUSE_BODY_MAX)
        return;
    struct kept *kept = copy(name_of(reuse, principal, text), answer, now_ns), *last;
    if (!kept)
        return;
    pthread_mutex_lock(&reuse->lock);
    struct kept **at = find(reuse, kept->name);
    if (*at)
        drop(reuse, at);
    at = &reuse->buckets[kept->name.low % BUCKETS];
    kept->next = *at;
    *at = kept;
    TAILQ_INSERT_HEAD(&reuse->uses, kept, by_use);
    reuse->bytes += kept->bytes;
    reuse->count++;
    while (reuse->bytes > reuse->options.bytes_max && (last = TAILQ_LAST(&reuse->uses, uses)))
        drop(reuse, find(reuse, last->name));
    pthread_mutex_unlock(&reuse->lock);
}

size_t reuse_count(struct reuse *reuse, size_t *ret_bytes)
{
    pthread_mutex_lock(&reuse->lock);
    size_t count = reuse->count;
    *ret_bytes = reuse->bytes;
    pthread_mutex_unlock(&reuse->lock);
    return count;
}
