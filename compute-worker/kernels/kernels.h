/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kinds of computation. To add one: a file here that ends in its `struct kind`, and a row in kinds.c.
 *
 * The work of a task is cut into units, its smallest pieces, by its parameters alone. A part is a run of units; computed
 * anywhere, it gives an outcome, which is bytes. Merging the outcomes of all parts in order gives the result, and that is the
 * same, byte for byte, however many parts there were: what depends on an order (sums of doubles) is kept for each unit.
 */
#ifndef ROUNDTRIP_COMPUTE_KERNELS_H
#define ROUNDTRIP_COMPUTE_KERNELS_H

#include "arena.h"
#include "buf.h"
#include "json.h"
#include "worker/service.h"

/**
 * For a kernel's innermost function on memory of its own: no sanitizer looks at each of its billions of accesses (TSan
 * makes them 40 times slower). Keep it so short that its bounds are plain to see.
 */
#define KERNEL_HOT __attribute__((noinline, no_sanitize("thread"), no_sanitize("address")))

enum kernel_end {
    KERNEL_DONE,
    KERNEL_STOPPED,   /* task_stopping() said so; nothing was written */
    KERNEL_NO_MEMORY, /* task->arena->refusal says whose budget it was */
    KERNEL_REFUSED,   /* the input is wrong: task->error says how */
};

/** The parameters of a computation. Borrowed from the body of its command. */
struct input {
    struct json_object *params; /* checked; without the member `bulk` is of */
    const char *bulk_name;      /* static; NULL: none was given */
    struct slice bulk;          /* that member's value, as it stands in the text, well-formed */
    bool bulk_again;            /* another such member was left out */
};

/** One computation under way. One thread's. */
struct task {
    /* set before task_run() */
    const struct kind *kind;
    const struct input *input;
    struct arena *arena; /* all memory of a kernel is from here; only the result is the caller's buf */
    struct job *job;     /* may be NULL */
    /* set by `prepare` */
    uint64_t units;
    const void *data; /* the kind's own, in the arena */
    /* set by `merge`, where the result has bytes of its own: in the arena */
    struct slice content;
    const char *media_type; /* of it; static */
    /* the kernels' reports */
    uint64_t done;
    char error[JSON_ERROR_SIZE];
};

/** Units `first` to `first + count - 1`. */
struct part {
    uint64_t first, count;
};

struct kind {
    const char *name;
    const struct json_member *params; /* all that it takes, with their bounds; they bound time and memory */
    size_t param_count;
    const char *const *bulk; /* members that may be long texts: never made a JSON tree of; ended by NULL; NULL: none */
    /** What the table cannot say: false and a sentence. Microseconds, whatever the input. NULL: nothing. */
    bool (*check)(const struct input *input, struct json_error *ret_error);
    /** Operations, of a nanosecond on one core of a server each, as far as that can be told. Inputs that passed `check`, as below. */
    uint64_t (*cost)(const struct input *input);
    /** Bytes of arena, at most, for prepare, the outcomes of all parts, and merge. */
    size_t (*memory)(const struct input *input);
    /** Bytes of the outcomes of all parts together, at most; NULL: some words each. */
    size_t (*outcomes)(const struct input *input);
    /** Reads the input; sets `units` and `data`. Pure, as are the two below: nothing but their arguments counts. */
    enum kernel_end (*prepare)(struct task *task);
    /** The outcome of a part, in the arena. */
    enum kernel_end (*compute)(struct task *task, struct part part, struct slice *ret_outcome);
    /** Appends the result, a JSON object, to `ret_result`; sets `content` for what is none. `outcomes` are of all parts, in order; foreign bytes are refused. */
    enum kernel_end (*merge)(struct task *task, const struct slice *outcomes, size_t count, struct buf *ret_result);
};

extern const struct kind kind_primes, kind_pi, kind_matrix, kind_mandelbrot, kind_statistics;

/** NULL when there is none of that name. */
const struct kind *kind_find(struct slice name);
/** Appends the names, comma-separated. */
void kind_list(struct buf *out);

/* ---- task.c ---- */

#define TASK_PARTS_MAX 1024

/** The part `index` of `parts` (1 to TASK_PARTS_MAX) of about equal numbers of units. */
struct part task_part(uint64_t units, size_t parts, size_t index);
/** Prepares, computes each of `parts` parts in turn, and merges. The arena is the caller's to close. */
enum kernel_end task_run(struct task *task, size_t parts, struct buf *ret_result);
/** The same in two steps, which may be of different processes: prepares and computes one part; prepares and merges all outcomes. */
enum kernel_end task_compute(struct task *task, size_t parts, size_t index, struct slice *ret_outcome);
enum kernel_end task_merge(struct task *task, const struct slice *outcomes, size_t parts, struct buf *ret_result);

/** Must the kernel return KERNEL_STOPPED now? Asked at least every 50 ms of work. */
bool task_stopping(const struct task *task);
/** So many more units of this task are done. */
void task_advance(struct task *task, uint64_t units);
/** KERNEL_REFUSED, with a sentence for the caller. */
enum kernel_end task_refuse(struct task *task, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- philox.c ---- */

/**
 * Philox4x32-10, a counter-based generator: the same counter and key always give the same four words.
 * Salmon, Moraes, Dror, Shaw: Parallel Random Numbers: As Easy as 1, 2, 3. SC'11.
 */
void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t ret_words[4]);

#endif
