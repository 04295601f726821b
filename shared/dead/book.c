/* SPDX-License-Identifier: Apache-2.0 */
/* Marks in a table of their own, jobs and breakers in two of json-c's. */
#include "dead/book.h"

#include <json-c/linkhash.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "json.h"
#include "utf8.h"

struct dead_book {
    struct dead_marks *marks;
    struct dead_mark *found; /* what dead_book_mark() shows */
    struct lh_table *breakers; /* "<service>/<instance>/<operation>" -> struct breaker_state */
    struct lh_table *jobs;  /* job id -> struct dead_job, whose created_ms is 0 until its order was read */
};

struct breaker_state {
    bool open;
    int64_t at_ms, until_ms;
    char reason[200];
};

static void free_plain(struct lh_entry *entry)
{
    free(lh_entry_k(entry));
    free(lh_entry_v(entry));
}

static void free_job(struct lh_entry *entry)
{
    free(lh_entry_k(entry));
    dead_job_free(lh_entry_v(entry));
}

struct dead_book *dead_book_new(void)
{
    struct dead_book *book = calloc(1, sizeof(*book));
    if (!book)
        return NULL;
    book->marks = dead_marks_new();
    book->found = malloc(sizeof(*book->found));
    book->breakers = lh_kchar_table_new(64, free_plain);
    book->jobs = lh_kchar_table_new(64, free_job);
    if (book->marks && book->found && book->breakers && book->jobs)
        return book;
    dead_book_free(book);
    return NULL;
}

void dead_book_free(struct dead_book *book)
{
    if (!book)
        return;
    dead_marks_free(book->marks);
    free(book->found);
    if (book->breakers)
        lh_table_free(book->breakers);
    if (book->jobs)
        lh_table_free(book->jobs);
    free(book);
}

void dead_book_key(const char *kind, const char *name, char ret_key[DEAD_BOOK_KEY_SIZE])
{
    snprintf(ret_key, DEAD_BOOK_KEY_SIZE, "%s/%s", kind, name);
}

static void *look_up(struct lh_table *table, const char *key)
{
    void *value = NULL;
    return lh_table_lookup_ex(table, key, &value) ? value : NULL;
}

/* Puts `value` under a copy of `key`. */
static bool insert(struct lh_table *table, const char *key, const void *value)
{
    char *copy = value ? strdup(key) : NULL;
    if (copy && lh_table_insert(table, copy, value) == 0)
        return true;
    free(copy);
    return false;
}

/* The value under `key`, made if there is none; NULL: out of memory. */
static void *place(struct lh_table *table, const char *key, size_t size)
{
    void *value = look_up(table, key);
    if (value)
        return value;
    value = calloc(1, size);
    if (insert(table, key, value))
        return value;
    free(value);
    return NULL;
}

/* ---- marks ---- */

void dead_book_write_mark(struct buf *out, const struct dead_mark *mark)
{
    char at[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(mark->at_ms, at);
    buf_printf(out, "{\"state\":\"%s\",\"at\":\"%s\",\"job\":", dead_state_name(mark->state), at);
    buf_append_json(out, slice_of(mark->job));
    if (mark->reason[0]) {
        buf_append_text(out, ",\"reason\":");
        buf_append_json(out, utf8_prefix(slice_of(mark->reason)));
    }
    buf_append_text(out, "}");
}

static bool read_mark(struct slice json, struct dead_mark *ret_mark)
{
    struct json_error unused;
    struct json_object *object = json_parse_strict(json, &unused);
    bool ok = false;
    *ret_mark = (struct dead_mark){.state = DEAD_OPEN};
    if (object && json_object_is_type(object, json_type_object)) {
        struct slice state = json_member_string(object, "state"), reason = json_member_string(object, "reason");
        ret_mark->state = slice_is(state, dead_state_name(DEAD_DISCARDED)) ? DEAD_DISCARDED : DEAD_REDRIVEN;
        ok = state.p && clock_parse_rfc3339(json_member_string(object, "at"), &ret_mark->at_ms);
        snprintf(ret_mark->job, sizeof(ret_mark->job), "%.*s", SLICE_ARG(json_member_string(object, "job")));
        snprintf(ret_mark->reason, sizeof(ret_mark->reason), "%.*s", SLICE_ARG(reason));
    }
    json_object_put(object);
    return ok;
}

static bool apply_mark(struct dead_book *book, const char *letter, struct slice value)
{
    struct dead_mark read;
    struct dead_id id;
    if (!dead_id_parse(slice_of(letter), &id))
        return true;
    if (!value.p)
        dead_marks_remove(book->marks, &id);
    return !value.p || !read_mark(value, &read) || dead_marks_put(book->marks, &id, &read);
}

const struct dead_mark *dead_book_mark(const struct dead_book *book, const struct dead_id *id)
{
    return dead_marks_find(book->marks, id, book->found) ? book->found : NULL;
}

const struct dead_marks *dead_book_marks(const struct dead_book *book)
{
    return book->marks;
}

/* ---- jobs ---- */

static struct dead_job *job_of(struct dead_book *book, const char *id)
{
    struct dead_job *job = look_up(book->jobs, id);
    if (job)
        return job;
    job = dead_job_new(id);
    if (insert(book->jobs, id, job))
        return job;
    dead_job_free(job);
    return NULL;
}

/* An order does not change; what cannot be read stays a job without one, which nobody sees. */
static void apply_order(struct dead_job *job, struct slice value)
{
    if (job->created_ms == 0 && !dead_job_read(job, value))
        job->created_ms = 0;
}

/* ---- breakers ---- */

/* A worker whose breaker is open tells of each probe: so long after the probe's time it should have been heard of. */
#define BREAKER_SILENCE_MS 60000

static bool apply_breaker(struct dead_book *book, const char *name, struct slice value)
{
    struct json_error unused;
    struct json_object *object = value.p ? json_parse_strict(value, &unused) : NULL;
    struct breaker_state read = {.open = false};
    bool ok = object && json_object_is_type(object, json_type_object) &&
              clock_parse_rfc3339(json_member_string(object, "at"), &read.at_ms) &&
              clock_parse_rfc3339(json_member_string(object, "until"), &read.until_ms) && read.at_ms > 0;
    if (ok) {
        read.open = !slice_is(json_member_string(object, "phase"), "closed");
        snprintf(read.reason, sizeof(read.reason), "%.*s", SLICE_ARG(json_member_string(object, "reason")));
    }
    json_object_put(object);
    struct breaker_state *state = ok ? place(book->breakers, name, sizeof(*state)) : NULL;
    if (state)
        *state = read;
    return !ok || state;
}

/* Takes what stands before the next slash off `name`. */
static struct slice next_part(const char **name)
{
    size_t len = strcspn(*name, "/");
    struct slice part = slice_make(*name, len);
    *name += (*name)[len] ? len + 1 : len;
    return part;
}

static void show_breaker(struct buf *out, const char *name, const struct breaker_state *state, int64_t now_ms)
{
    static const char *const names[] = {"{\"service\":", ",\"instance\":", ",\"operation\":"};
    char at[CLOCK_RFC3339_SIZE];
    bool unheard = state->open && now_ms > state->until_ms + BREAKER_SILENCE_MS;
    for (size_t i = 0; i < 3; i++) {
        buf_append_text(out, names[i]);
        buf_append_json(out, i < 2 ? next_part(&name) : slice_of(name));
    }
    clock_format_rfc3339(state->at_ms, at);
    buf_printf(out, ",\"phase\":\"%s\",\"at\":\"%s\"", unheard ? "unheard" : state->open ? "open" : "closed", at);
    if (state->open) {
        buf_append_text(out, ",\"reason\":");
        buf_append_json(out, utf8_prefix(slice_of(state->reason)));
    }
    buf_append_text(out, "}");
}

void dead_book_show_breakers(struct buf *out, const struct dead_book *book, int64_t now_ms)
{
    struct lh_entry *entry;
    const char *between = "";
    buf_append_text(out, "[");
    lh_foreach(book->breakers, entry)
    {
        buf_append_text(out, between);
        show_breaker(out, lh_entry_k(entry), lh_entry_v(entry), now_ms);
        between = ",";
    }
    buf_append_text(out, "]");
}

bool dead_book_apply(struct dead_book *book, const struct record *rec)
{
    static const char *const kinds[] = {"mark/", "job/", "cancel/", "progress/", "breaker/"};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))
    char key[DEAD_BOOK_KEY_SIZE];
    if (!rec->key.p || rec->key.len >= sizeof(key))
        return true;
    snprintf(key, sizeof(key), "%.*s", SLICE_ARG(rec->key));
    size_t kind = 0;
    while (kind < KINDS && strncmp(key, kinds[kind], strlen(kinds[kind])) != 0)
        kind++;
    if (kind == KINDS || !utf8_is_valid(slice_of(key)))
        return true;
    const char *name = key + strlen(kinds[kind]);
    if (kind == 0)
        return apply_mark(book, name, rec->value);
    if (kind == 4)
        return apply_breaker(book, name, rec->value);
    if (!rec->value.p)
        return true; /* jobs stay: somebody may be at work on one */
    struct dead_job *job = job_of(book, name);
    if (!job)
        return false;
    if (kind == 1)
        apply_order(job, rec->value);
    else if (kind == 2)
        job->cancelled = true;
    else
        dead_progress_read(&job->progress, rec->value);
    return true;
}

struct dead_job *dead_book_job(const struct dead_book *book, struct slice id)
{
    char text[ENVELOPE_UUID_SIZE];
    if (id.len >= sizeof(text))
        return NULL;
    snprintf(text, sizeof(text), "%.*s", SLICE_ARG(id));
    struct dead_job *job = look_up(book->jobs, text);
    return job && job->created_ms ? job : NULL;
}

/* Ids are UUIDv7, so their order is that of their making. */
static bool is_before(const struct dead_job *a, const struct dead_job *b)
{
    return strcmp(a->id, b->id) < 0;
}

struct dead_job *dead_book_next(const struct dead_book *book, const struct dead_job *last)
{
    struct dead_job *oldest = NULL, *behind = NULL;
    struct lh_entry *entry;
    lh_foreach(book->jobs, entry)
    {
        struct dead_job *job = (struct dead_job *)lh_entry_v(entry);
        if (!job->created_ms || job->progress.phase >= DEAD_DONE)
            continue;
        if (!oldest || is_before(job, oldest))
            oldest = job;
        if (last && is_before(last, job) && (!behind || is_before(job, behind)))
            behind = job;
    }
    return behind ? behind : oldest;
}

struct dead_job *dead_book_newest(const struct dead_book *book)
{
    struct dead_job *found = NULL;
    struct lh_entry *entry;
    lh_foreach(book->jobs, entry)
    {
        struct dead_job *job = (struct dead_job *)lh_entry_v(entry);
        if (job->created_ms && job->progress.phase < DEAD_DONE &&
            (!found || job->progress.updated_ms > found->progress.updated_ms))
            found = job;
    }
    return found;
}

struct dead_job *dead_book_before(const struct dead_book *book, const struct dead_job *last)
{
    struct dead_job *found = NULL;
    struct lh_entry *entry;
    lh_foreach(book->jobs, entry)
    {
        struct dead_job *job = (struct dead_job *)lh_entry_v(entry);
        if (job->created_ms && (!last || is_before(job, last)) && (!found || is_before(found, job)))
            found = job;
    }
    return found;
}
