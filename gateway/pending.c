/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of waiting requests: an array of slots with a free list, and a heap of deadlines.
 *
 * A slot is free or waiting; `generation` counts its uses and starts at 1, so that a ticket is never 0. The
 * heap holds {deadline, slot} and each slot knows its place in it: putting in, taking out and moving are
 * O(log n), and with deadlines that are mostly the same distance away putting in is O(1). Everything is
 * guarded by `lock`.
 */
#include "pending.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(uintptr_t) == 8, "a ticket travels in a pointer");

enum slot_state { SLOT_FREE, SLOT_WAITING };

struct slot {
    enum slot_state state;
    enum outcome why; /* what pending_expire() says */
    uint32_t generation;
    uint32_t next_free;
    uint32_t heap_at;
    uint32_t parts, parts_left;
    int64_t accept_ns;
    void *owner;
    uint64_t seen[PENDING_PARTS_MAX / 64]; /* parts that have come; one bit each */
};

struct heap_entry {
    int64_t deadline_ns;
    uint32_t slot;
};

struct pending {
    /* fixed after init */
    uint64_t epoch;
    uint32_t capacity;
    /* guarded by lock */
    pthread_mutex_t lock;
    bool closed;
    uint32_t first_free, count; /* `count` is also the heap's size */
    struct slot *slots;
    struct heap_entry *heap;
};

#define NO_SLOT UINT32_MAX

int pending_new(size_t capacity, uint64_t epoch, struct pending **ret_pending)
{
    assert(capacity > 0 && capacity < NO_SLOT / 2); /* a ticket's highest bit is another's */
    struct pending *pending = calloc(1, sizeof(*pending));
    if (!pending)
        return -ENOMEM;
    pthread_mutex_init(&pending->lock, NULL);
    pending->epoch = epoch;
    pending->capacity = (uint32_t)capacity;
    pending->slots = calloc(capacity, sizeof(*pending->slots));
    pending->heap = calloc(capacity, sizeof(*pending->heap));
    if (!pending->slots || !pending->heap) {
        pending_free(pending);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < pending->capacity; i++) {
        pending->slots[i].generation = 1;
        pending->slots[i].next_free = i + 1 < pending->capacity ? i + 1 : NO_SLOT;
    }
    *ret_pending = pending;
    return 0;
}

void pending_free(struct pending *pending)
{
    if (!pending)
        return;
    assert(pending->count == 0);
    pthread_mutex_destroy(&pending->lock);
    free(pending->slots);
    free(pending->heap);
    free(pending);
}

static void heap_set(struct pending *pending, uint32_t at, struct heap_entry entry)
{
    pending->heap[at] = entry;
    pending->slots[entry.slot].heap_at = at;
}

/* Moves the entry at `at` to where it belongs, towards the root or away from it. */
static void heap_settle(struct pending *pending, uint32_t at)
{
    struct heap_entry entry = pending->heap[at];
    while (at > 0 && entry.deadline_ns < pending->heap[(at - 1) / 2].deadline_ns) {
        heap_set(pending, at, pending->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= pending->count)
            break;
        if (child + 1 < pending->count &&
            pending->heap[child + 1].deadline_ns < pending->heap[child].deadline_ns)
            child++;
        if (pending->heap[child].deadline_ns >= entry.deadline_ns)
            break;
        heap_set(pending, at, pending->heap[child]);
        at = child;
    }
    heap_set(pending, at, entry);
}

/* The only function that changes a slot's state. */
static void slot_move(struct pending *pending, uint32_t index, enum slot_state state)
{
    struct slot *slot = &pending->slots[index];
    assert(slot->state != state);
    slot->state = state;
    if (state == SLOT_WAITING) {
        pending->first_free = slot->next_free;
        return;
    }
    if (++slot->generation == 0)
        slot->generation = 1;
    slot->owner = NULL;
    slot->next_free = pending->first_free;
    pending->first_free = index;
}

int pending_open(struct pending *pending, void *owner, uint32_t parts, int64_t deadline_ns, int64_t accept_ns,
                 struct ticket *ret_ticket)
{
    assert(parts > 0 && parts <= PENDING_PARTS_MAX);
    int err = 0;
    pthread_mutex_lock(&pending->lock);
    uint32_t index = pending->first_free;
    if (pending->closed) {
        err = -ESHUTDOWN;
    } else if (index == NO_SLOT) {
        err = -ENOBUFS;
    } else {
        struct slot *slot = &pending->slots[index];
        slot_move(pending, index, SLOT_WAITING);
        slot->owner = owner;
        slot->why = OUTCOME_DEADLINE;
        slot->accept_ns = accept_ns;
        slot->parts = slot->parts_left = parts;
        memset(slot->seen, 0, (parts + 63) / 64 * sizeof(slot->seen[0]));
        heap_set(pending, pending->count++, (struct heap_entry){deadline_ns, index});
        heap_settle(pending, pending->count - 1);
        *ret_ticket = (struct ticket){index, slot->generation};
    }
    pthread_mutex_unlock(&pending->lock);
    return err;
}

/* With `lock` held: the slot of a ticket that still waits, or NULL. */
static struct slot *slot_of(struct pending *pending, struct ticket ticket)
{
    if (ticket.slot >= pending->capacity)
        return NULL;
    struct slot *slot = &pending->slots[ticket.slot];
    return slot->state == SLOT_WAITING && slot->generation == ticket.generation ? slot : NULL;
}

/* With `lock` held: out of the heap and the table. */
static void *take_out(struct pending *pending, uint32_t index)
{
    struct slot *slot = &pending->slots[index];
    void *owner = slot->owner;
    uint32_t at = slot->heap_at, last = --pending->count;
    if (at != last) {
        heap_set(pending, at, pending->heap[last]);
        heap_settle(pending, at);
    }
    slot_move(pending, index, SLOT_FREE);
    return owner;
}

/* With `lock` held: due at once. An earlier reason stays: it was there first. */
static void end_now(struct pending *pending, struct slot *slot, enum outcome why)
{
    struct heap_entry *entry = &pending->heap[slot->heap_at];
    if (entry->deadline_ns == INT64_MIN)
        return;
    if (slot->why != OUTCOME_ACCEPTED) /* that stays true */
        slot->why = why;
    entry->deadline_ns = INT64_MIN;
    heap_settle(pending, slot->heap_at);
}

bool pending_fail(struct pending *pending, struct ticket ticket, enum outcome why)
{
    pthread_mutex_lock(&pending->lock);
    struct slot *slot = slot_of(pending, ticket);
    if (slot)
        end_now(pending, slot, why);
    pthread_mutex_unlock(&pending->lock);
    return slot != NULL;
}

void *pending_owner(struct pending *pending, struct ticket ticket)
{
    pthread_mutex_lock(&pending->lock);
    struct slot *slot = slot_of(pending, ticket);
    void *owner = slot ? slot->owner : NULL;
    pthread_mutex_unlock(&pending->lock);
    return owner;
}

void pending_accept(struct pending *pending, struct ticket ticket)
{
    pthread_mutex_lock(&pending->lock);
    struct slot *slot = slot_of(pending, ticket);
    struct heap_entry *entry = slot ? &pending->heap[slot->heap_at] : NULL;
    if (slot && slot->accept_ns != PENDING_NEVER && entry->deadline_ns != INT64_MIN) {
        slot->why = OUTCOME_ACCEPTED;
        entry->deadline_ns = slot->accept_ns;
        heap_settle(pending, slot->heap_at);
    }
    pthread_mutex_unlock(&pending->lock);
}

void pending_close(struct pending *pending, enum outcome why)
{
    pthread_mutex_lock(&pending->lock);
    pending->closed = true;
    for (uint32_t i = 0; why != OUTCOME_NONE && i < pending->capacity; i++) {
        if (pending->slots[i].state == SLOT_WAITING)
            end_now(pending, &pending->slots[i], why);
    }
    pthread_mutex_unlock(&pending->lock);
}

size_t pending_count(struct pending *pending)
{
    pthread_mutex_lock(&pending->lock);
    size_t count = pending->count;
    pthread_mutex_unlock(&pending->lock);
    return count;
}

void pending_visit(struct pending *pending, size_t max, pending_visit_fn *visit, void *arg)
{
    pthread_mutex_lock(&pending->lock);
    for (uint32_t i = 0; i < pending->count && i < max; i++) {
        const struct slot *slot = &pending->slots[pending->heap[i].slot];
        const struct pending_seen seen = {slot->owner, pending->heap[i].deadline_ns, slot->parts_left};
        visit(arg, &seen);
    }
    pthread_mutex_unlock(&pending->lock);
}

int64_t pending_due_ns(struct pending *pending)
{
    pthread_mutex_lock(&pending->lock);
    int64_t due = pending->count ? pending->heap[0].deadline_ns : INT64_MAX;
    pthread_mutex_unlock(&pending->lock);
    return due;
}

static void write_hex(char *text, uint64_t value, int digits)
{
    while (digits-- > 0) {
        text[digits] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
}

static bool read_hex(const char *text, int digits, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (int i = 0; i < digits; i++) {
        char c = text[i];
        if (c >= '0' && c <= '9')
            value = value << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *ret_value = value;
    return true;
}

void pending_correlation(const struct pending *pending, struct ticket ticket, uint32_t part, char *ret_text)
{
    write_hex(ret_text, pending->epoch, 16);
    write_hex(ret_text + 16, ticket.slot, 8);
    write_hex(ret_text + 24, ticket.generation, 8);
    write_hex(ret_text + 32, part, 4);
}

enum match pending_match(struct pending *pending, struct slice correlation, void **ret_owner,
                         uint32_t *ret_part)
{
    uint64_t epoch, index, generation, part;
    if (correlation.len != PENDING_CORRELATION_LEN || !read_hex(correlation.p, 16, &epoch) ||
        epoch != pending->epoch || !read_hex(correlation.p + 16, 8, &index) ||
        !read_hex(correlation.p + 24, 8, &generation) || !read_hex(correlation.p + 32, 4, &part))
        return MATCH_FOREIGN;
    enum match match = MATCH_LATE;
    pthread_mutex_lock(&pending->lock);
    struct slot *slot = slot_of(pending, (struct ticket){(uint32_t)index, (uint32_t)generation});
    if (slot && part < slot->parts) {
        uint64_t bit = UINT64_C(1) << (part % 64);
        if (slot->seen[part / 64] & bit) {
            match = MATCH_DUPLICATE;
        } else {
            slot->seen[part / 64] |= bit;
            *ret_part = (uint32_t)part;
            match = --slot->parts_left ? MATCH_PART : MATCH_LAST;
            *ret_owner = match == MATCH_LAST ? take_out(pending, (uint32_t)index) : slot->owner;
        }
    }
    pthread_mutex_unlock(&pending->lock);
    return match;
}

void *pending_expire(struct pending *pending, int64_t now_ns, enum outcome *ret_why)
{
    void *owner = NULL;
    pthread_mutex_lock(&pending->lock);
    if (pending->count && pending->heap[0].deadline_ns <= now_ns) {
        uint32_t index = pending->heap[0].slot;
        *ret_why = pending->slots[index].why;
        owner = take_out(pending, index);
    }
    pthread_mutex_unlock(&pending->lock);
    return owner;
}
