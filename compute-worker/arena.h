/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of computations: an arena for each job, freed as a whole, within a budget for each and one for all.
 *
 * An arena maps chunks and hands them out piece by piece. What counts is what is mapped, so that the process never holds more for
 * computations than its budget; unmapped, it is the system's again at once. A job reserves what it will need before it begins:
 * two that do not fit together do not both get half way.
 */
#ifndef ROUNDTRIP_COMPUTE_ARENA_H
#define ROUNDTRIP_COMPUTE_ARENA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/** The process's memory for computations. Shared by all threads. */
struct budget {
    /* fixed after budget_init() */
    size_t job_max; /* bytes for one job; never more than total_max */
    size_t total_max;
    _Atomic size_t used, peak; /* bytes reserved and mapped by all jobs now, and at most until now */
};

void budget_init(struct budget *budget, size_t job_max, size_t total_max);

/** Why an arena gave no memory. */
enum arena_refusal {
    ARENA_GRANTED,
    ARENA_JOB_FULL,   /* the job's own budget: it will never get that much */
    ARENA_TOTAL_FULL, /* other jobs hold it now, or the system has none: later it may */
};

struct arena_chunk;

/** One thread's. Zero-initialised is a closed one. */
struct arena {
    struct budget *budget;
    struct arena_chunk *chunk; /* the newest */
    size_t charged;            /* of the budget: what was reserved, or what is mapped if that is more */
    size_t reserved;
    size_t current, peak; /* bytes mapped */
    enum arena_refusal refusal; /* the first; stays */
};

/** A place to go back to. */
struct arena_mark {
    struct arena_chunk *chunk;
    size_t used;
};

/**
 * Opens with `reserve` bytes set aside, of which nothing is mapped yet. False, and `refusal` says why: nothing is held then. `budget`
 * outlives the arena.
 */
bool arena_open(struct arena *arena, struct budget *budget, size_t reserve) __attribute__((warn_unused_result));
/** Zeroed memory, aligned to 64 bytes; NULL when a budget refuses (`arena->refusal`). Never freed by itself. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((warn_unused_result, malloc));
/** The same for `count` elements of `size` bytes. */
void *arena_array(struct arena *arena, size_t count, size_t size) __attribute__((warn_unused_result, malloc));
/** What was allocated since the mark is freed, its chunks are unmapped. */
struct arena_mark arena_mark(const struct arena *arena);
void arena_release(struct arena *arena, struct arena_mark mark);
/** Frees all. A closed arena is allowed. */
void arena_close(struct arena *arena);

/** Bytes that are mapped for allocations of these sizes, at most, whatever their order: for estimates. */
size_t arena_room(size_t size, size_t count);

#endif
