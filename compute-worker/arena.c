/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunks from mmap(): malloc() keeps what is freed for later, here the system shall have it back.
 *
 * A chunk of CHUNK bytes serves many small allocations; a larger allocation gets one that fits. Under AddressSanitizer what
 * is not allocated is poisoned, with a gap behind each allocation.
 */
#include "arena.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define CHUNK 65536
#define ALIGN 64
#define PAGE  4096

#if defined(__SANITIZE_ADDRESS__)
#define POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONS 1
#endif
#endif
#ifdef POISONS
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, size)   ((void)(p), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(p, size) ((void)(p), (void)(size))
#endif

struct arena_chunk {
    struct arena_chunk *before;
    size_t size, used; /* with this head */
};
_Static_assert(sizeof(struct arena_chunk) <= ALIGN, "the head of a chunk has the first ALIGN bytes");

void budget_init(struct budget *budget, size_t job_max, size_t total_max)
{
    budget->total_max = total_max;
    budget->job_max = job_max < total_max ? job_max : total_max;
    atomic_init(&budget->used, 0);
    atomic_init(&budget->peak, 0);
}

static bool budget_take(struct budget *budget, size_t size)
{
    size_t used = atomic_load_explicit(&budget->used, memory_order_relaxed), peak;
    do {
        if (size > budget->total_max - used)
            return false;
    } while (!atomic_compare_exchange_weak(&budget->used, &used, used + size));
    peak = atomic_load_explicit(&budget->peak, memory_order_relaxed);
    while (used + size > peak && !atomic_compare_exchange_weak(&budget->peak, &peak, used + size))
        ;
    return true;
}

static bool refuse(struct arena *arena, enum arena_refusal refusal)
{
    if (arena->refusal == ARENA_GRANTED)
        arena->refusal = refusal;
    return false;
}

/* Makes the charge cover `wanted` bytes. */
static bool charge(struct arena *arena, size_t wanted)
{
    if (wanted > arena->budget->job_max)
        return refuse(arena, ARENA_JOB_FULL);
    if (wanted <= arena->charged)
        return true;
    if (!budget_take(arena->budget, wanted - arena->charged))
        return refuse(arena, ARENA_TOTAL_FULL);
    arena->charged = wanted;
    return true;
}

/* Gives back what is charged beyond the reservation and what is mapped. */
static void discharge(struct arena *arena)
{
    size_t keep = arena->current > arena->reserved ? arena->current : arena->reserved;
    atomic_fetch_sub(&arena->budget->used, arena->charged - keep);
    arena->charged = keep;
}

bool arena_open(struct arena *arena, struct budget *budget, size_t reserve)
{
    *arena = (struct arena){.budget = budget};
    if (!charge(arena, reserve))
        return false;
    arena->reserved = reserve;
    return true;
}

static size_t round_up(size_t size, size_t to)
{
    return (size + to - 1) / to * to;
}

static size_t chunk_size(size_t size)
{
    size_t needed = round_up(size, ALIGN) + 2 * ALIGN; /* its head, and the gap behind */
    return needed <= CHUNK ? CHUNK : round_up(needed, PAGE);
}

size_t arena_room(size_t size, size_t count)
{
    return count * chunk_size(size);
}

static bool add_chunk(struct arena *arena, size_t size)
{
    size_t bytes = chunk_size(size);
    if (!charge(arena, arena->current + bytes))
        return false;
    struct arena_chunk *chunk = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (chunk == MAP_FAILED) {
        discharge(arena);
        return refuse(arena, ARENA_TOTAL_FULL);
    }
    *chunk = (struct arena_chunk){.before = arena->chunk, .size = bytes, .used = ALIGN};
    ASAN_POISON_MEMORY_REGION((char *)chunk + ALIGN, bytes - ALIGN);
    arena->chunk = chunk;
    arena->current += bytes;
    if (arena->current > arena->peak)
        arena->peak = arena->current;
    return true;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t rounded = round_up(size ? size : 1, ALIGN) + ALIGN; /* a gap of ALIGN: unused, or poisoned */
    if (size > SIZE_MAX / 2) {
        refuse(arena, ARENA_JOB_FULL);
        return NULL;
    }
    if ((!arena->chunk || arena->chunk->size - arena->chunk->used < rounded) && !add_chunk(arena, size))
        return NULL;
    struct arena_chunk *chunk = arena->chunk;
    void *p = (char *)chunk + chunk->used;
    chunk->used += rounded;
    ASAN_UNPOISON_MEMORY_REGION(p, size);
    return p;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / 2 / size) {
        refuse(arena, ARENA_JOB_FULL);
        return NULL;
    }
    return arena_alloc(arena, count * size);
}

struct arena_mark arena_mark(const struct arena *arena)
{
    return (struct arena_mark){arena->chunk, arena->chunk ? arena->chunk->used : 0};
}

static void drop_chunk(struct arena *arena)
{
    struct arena_chunk *chunk = arena->chunk;
    arena->chunk = chunk->before;
    arena->current -= chunk->size;
    ASAN_UNPOISON_MEMORY_REGION(chunk, chunk->size);
    int err = munmap(chunk, chunk->size);
    assert(!err);
    (void)err;
}

void arena_release(struct arena *arena, struct arena_mark mark)
{
    while (arena->chunk != mark.chunk) {
        assert(arena->chunk); /* a mark of this arena */
        drop_chunk(arena);
    }
    struct arena_chunk *chunk = arena->chunk;
    if (chunk && chunk->used > mark.used) {
        char *from = (char *)chunk + mark.used;
        size_t size = chunk->used - mark.used;
        ASAN_UNPOISON_MEMORY_REGION(from, size);
        memset(from, 0, size);
        ASAN_POISON_MEMORY_REGION(from, size);
        chunk->used = mark.used;
    }
    discharge(arena);
}

void arena_close(struct arena *arena)
{
    if (!arena->budget)
        return;
    while (arena->chunk)
        drop_chunk(arena);
    arena->reserved = 0;
    discharge(arena);
    arena->budget = NULL;
}
