/* SPDX-License-Identifier: Apache-2.0 */
/* The table of marks; see marks.h. */
#include "dead/marks.h"

#include <json-c/linkhash.h>
#include <stdio.h>
#include <stdlib.h>

#include "hash.h"

#define FIRST_SIZE 1024 /* a power of two, as all sizes */

struct entry {
    int64_t offset;
    int64_t at_and_state; /* time in ms * 4 + enum dead_state; 0: nobody's place */
    uint32_t where;       /* service * DEAD_MARK_PARTITIONS + partition */
    uint32_t note;        /* of marks->notes */
};

/* What all marks of a job have in common. */
struct note {
    char job[sizeof(((struct dead_mark *)0)->job)];
    char *reason; /* of its own memory; NULL: none */
};

struct dead_marks {
    struct entry *entries;
    size_t size, count;
    char (*services)[DEAD_SERVICE_SIZE];
    size_t service_count;
    struct note *notes;
    size_t note_count, note_size;
    struct lh_table *by_text; /* "<job> <reason>" -> index of the note */
};

static void free_key(struct lh_entry *entry)
{
    free(lh_entry_k(entry));
}

struct dead_marks *dead_marks_new(void)
{
    struct dead_marks *marks = calloc(1, sizeof(*marks));
    if (!marks)
        return NULL;
    marks->size = FIRST_SIZE;
    marks->entries = calloc(marks->size, sizeof(*marks->entries));
    marks->by_text = lh_kchar_table_new(64, free_key);
    if (marks->entries && marks->by_text)
        return marks;
    dead_marks_free(marks);
    return NULL;
}

void dead_marks_free(struct dead_marks *marks)
{
    if (!marks)
        return;
    for (size_t i = 0; i < marks->note_count; i++)
        free(marks->notes[i].reason);
    if (marks->by_text)
        lh_table_free(marks->by_text);
    free(marks->notes);
    free(marks->services);
    free(marks->entries);
    free(marks);
}

/* ---- what stands once ---- */

/* Its index; service_count: it is not known. */
static size_t find_service(const struct dead_marks *marks, const char *service)
{
    size_t i = 0;
    while (i < marks->service_count && strcmp(marks->services[i], service) != 0)
        i++;
    return i;
}

static bool add_service(struct dead_marks *marks, const char *service)
{
    void *grown = realloc(marks->services, (marks->service_count + 1) * sizeof(*marks->services));
    if (!grown)
        return false;
    marks->services = grown;
    snprintf(marks->services[marks->service_count++], DEAD_SERVICE_SIZE, "%s", service);
    return true;
}

static bool add_note(struct dead_marks *marks, const char *text, const struct dead_mark *mark)
{
    if (marks->note_count == marks->note_size) {
        size_t size = marks->note_size ? 2 * marks->note_size : 16;
        struct note *grown = realloc(marks->notes, size * sizeof(*grown));
        if (!grown)
            return false;
        marks->notes = grown;
        marks->note_size = size;
    }
    struct note note = {.reason = mark->reason[0] ? strdup(mark->reason) : NULL};
    memcpy(note.job, mark->job, sizeof(note.job));
    char *key = strdup(text);
    if (!key || (mark->reason[0] && !note.reason) ||
        lh_table_insert(marks->by_text, key, (const void *)(uintptr_t)marks->note_count) != 0) {
        free(key);
        free(note.reason);
        return false;
    }
    marks->notes[marks->note_count++] = note;
    return true;
}

static bool find_note(struct dead_marks *marks, const struct dead_mark *mark, uint32_t *ret_note)
{
    char text[sizeof(mark->job) + sizeof(mark->reason) + 1];
    void *found = NULL;
    snprintf(text, sizeof(text), "%s %s", mark->job, mark->reason);
    if (!lh_table_lookup_ex(marks->by_text, text, &found)) {
        if (!add_note(marks, text, mark))
            return false;
        found = (void *)(uintptr_t)(marks->note_count - 1);
    }
    *ret_note = (uint32_t)(uintptr_t)found;
    return true;
}

/* ---- places ---- */

static size_t home_of(const struct dead_marks *marks, uint32_t where, int64_t offset)
{
    const uint64_t place[] = {where, (uint64_t)offset};
    return hash_slice(slice_make((const char *)place, sizeof(place))) & (marks->size - 1);
}

/* Where that place's entry is, or would be. */
static struct entry *look_up(const struct dead_marks *marks, uint32_t where, int64_t offset)
{
    size_t at = home_of(marks, where, offset);
    while (marks->entries[at].at_and_state && (marks->entries[at].where != where || marks->entries[at].offset != offset))
        at = (at + 1) & (marks->size - 1);
    return &marks->entries[at];
}

static bool grow(struct dead_marks *marks)
{
    struct entry *old = marks->entries;
    size_t old_size = marks->size;
    struct entry *grown = calloc(2 * old_size, sizeof(*grown));
    if (!grown)
        return false;
    marks->entries = grown;
    marks->size = 2 * old_size;
    for (size_t i = 0; i < old_size; i++) {
        if (old[i].at_and_state)
            *look_up(marks, old[i].where, old[i].offset) = old[i];
    }
    free(old);
    return true;
}

static bool where_is(const struct dead_marks *marks, const struct dead_id *id, uint32_t *ret_where)
{
    size_t service = find_service(marks, id->service);
    if (service == marks->service_count || id->partition < 0 || id->partition >= DEAD_MARK_PARTITIONS)
        return false;
    *ret_where = (uint32_t)service * DEAD_MARK_PARTITIONS + (uint32_t)id->partition;
    return true;
}

bool dead_marks_put(struct dead_marks *marks, const struct dead_id *id, const struct dead_mark *mark)
{
    uint32_t where, note;
    if (id->partition < 0 || id->partition >= DEAD_MARK_PARTITIONS || mark->at_ms < 0 || mark->at_ms > INT64_MAX / 4)
        return true;
    if (find_service(marks, id->service) == marks->service_count) {
        if (marks->service_count == DEAD_MARK_SERVICES)
            return true;
        if (!add_service(marks, id->service))
            return false;
    }
    if (!where_is(marks, id, &where) || !find_note(marks, mark, &note) || (marks->count >= marks->size / 4 * 3 && !grow(marks)))
        return false;
    struct entry *entry = look_up(marks, where, id->offset);
    marks->count += entry->at_and_state == 0;
    *entry = (struct entry){
        .offset = id->offset, .at_and_state = mark->at_ms * 4 + (int64_t)mark->state, .where = where, .note = note};
    return true;
}

/* Those behind it that could not stand where they belong move up, so that no gap hides one. */
void dead_marks_remove(struct dead_marks *marks, const struct dead_id *id)
{
    uint32_t where;
    if (!where_is(marks, id, &where))
        return;
    struct entry *gone = look_up(marks, where, id->offset);
    if (!gone->at_and_state)
        return;
    marks->count--;
    size_t hole = (size_t)(gone - marks->entries), mask = marks->size - 1;
    for (size_t at = (hole + 1) & mask; marks->entries[at].at_and_state; at = (at + 1) & mask) {
        size_t home = home_of(marks, marks->entries[at].where, marks->entries[at].offset);
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        marks->entries[hole] = marks->entries[at];
        hole = at;
    }
    marks->entries[hole] = (struct entry){.offset = 0};
}

bool dead_marks_find(const struct dead_marks *marks, const struct dead_id *id, struct dead_mark *ret_mark)
{
    uint32_t where;
    if (!where_is(marks, id, &where))
        return false;
    const struct entry *entry = look_up(marks, where, id->offset);
    if (!entry->at_and_state)
        return false;
    const struct note *note = &marks->notes[entry->note];
    *ret_mark = (struct dead_mark){.state = (enum dead_state)(entry->at_and_state % 4), .at_ms = entry->at_and_state / 4};
    memcpy(ret_mark->job, note->job, sizeof(ret_mark->job));
    if (note->reason)
        snprintf(ret_mark->reason, sizeof(ret_mark->reason), "%s", note->reason);
    return true;
}

size_t dead_marks_count(const struct dead_marks *marks)
{
    return marks->count;
}

bool dead_marks_next(const struct dead_marks *marks, size_t *cursor, struct dead_id *ret_id)
{
    while (*cursor < marks->size) {
        const struct entry *entry = &marks->entries[(*cursor)++];
        if (!entry->at_and_state)
            continue;
        *ret_id = (struct dead_id){.partition = (int32_t)(entry->where % DEAD_MARK_PARTITIONS), .offset = entry->offset};
        memcpy(ret_id->service, marks->services[entry->where / DEAD_MARK_PARTITIONS], DEAD_SERVICE_SIZE);
        return true;
    }
    return false;
}
