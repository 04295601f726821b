/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into a process (LD_PRELOAD): counts its allocations and its copies by the module they are called from, into the file named by
 * COUNTED_FILE. Copies are calls of memcpy() and memmove(): what the compiler writes in their place, mostly a few bytes, is not seen.
 *
 * Modules are those that are loaded when the first of them allocates something; what is loaded later counts as "other".
 */
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "counted.h"

#define SEGMENTS_MAX 64

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
void *__memcpy_chk(void *to, const void *from, size_t size, size_t room);
void *__memmove_chk(void *to, const void *from, size_t size, size_t room);

struct segment {
    uintptr_t from, to;
    int row;
};

static struct counted_row *rows;
static struct segment segments[SEGMENTS_MAX];
static int segment_count, row_count = 1; /* row 0: other */

static void name_row(int row, const char *path)
{
    const char *name = path;
    for (const char *p = path; *p; p++) {
        if (*p == '/')
            name = p + 1;
    }
    for (size_t i = 0; name[i] && i + 1 < COUNTED_NAME; i++)
        rows[row].module[i] = name[i];
}

static int add_module(struct dl_phdr_info *info, size_t size, void *program)
{
    if (row_count == COUNTED_ROWS)
        return 1;
    name_row(row_count, info->dlpi_name[0] ? info->dlpi_name : program);
    for (int i = 0; i < info->dlpi_phnum && segment_count < SEGMENTS_MAX; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_LOAD && header->p_flags & PF_X)
            segments[segment_count++] =
                (struct segment){info->dlpi_addr + header->p_vaddr, info->dlpi_addr + header->p_vaddr + header->p_memsz, row_count};
    }
    row_count++;
    return 0;
}

static void __attribute__((constructor)) begin(void)
{
    const char *path = getenv("COUNTED_FILE");
    int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (fd < 0 || ftruncate(fd, COUNTED_ROWS * sizeof(struct counted_row)) != 0)
        return;
    void *map = mmap(NULL, COUNTED_ROWS * sizeof(struct counted_row), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED)
        return;
    rows = map;
    name_row(0, "other");
    char program[256] = {0};
    if (readlink("/proc/self/exe", program, sizeof(program) - 1) > 0)
        dl_iterate_phdr(add_module, program);
}

static struct counted_row *row_of(const void *caller)
{
    uintptr_t address = (uintptr_t)caller;
    for (int i = 0; i < segment_count; i++) {
        if (address >= segments[i].from && address < segments[i].to)
            return &rows[segments[i].row];
    }
    return &rows[0];
}

static void count_allocation(const void *caller, size_t size)
{
    if (!rows)
        return;
    struct counted_row *row = row_of(caller);
    atomic_fetch_add_explicit(&row->allocations, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&row->allocated_bytes, size, memory_order_relaxed);
}

static void count_copy(const void *caller, size_t size)
{
    if (!rows)
        return;
    struct counted_row *row = row_of(caller);
    atomic_fetch_add_explicit(&row->copies, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&row->copied_bytes, size, memory_order_relaxed);
}

void *malloc(size_t size)
{
    count_allocation(__builtin_return_address(0), size);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    count_allocation(__builtin_return_address(0), count * size);
    return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    count_allocation(__builtin_return_address(0), size);
    return __libc_realloc(old, size);
}

/* By byte and in assembly, so that the compiler makes no call of memcpy() of it. */
static void *copy(void *to, const void *from, size_t size)
{
    void *end = to;
    __asm__ volatile("rep movsb" : "+D"(end), "+S"(from), "+c"(size) : : "memory");
    return to;
}

static void *copy_overlapping(void *to, const void *from, size_t size)
{
    if ((uintptr_t)to - (uintptr_t)from >= size)
        return copy(to, from, size);
    for (volatile unsigned char *p = to; size > 0; size--)
        p[size - 1] = ((const unsigned char *)from)[size - 1];
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    count_copy(__builtin_return_address(0), size);
    return copy(to, from, size);
}

void *memmove(void *to, const void *from, size_t size)
{
    count_copy(__builtin_return_address(0), size);
    return copy_overlapping(to, from, size);
}

/* What _FORTIFY_SOURCE calls; that `size` fits `room` is not what is counted here. */
void *__memcpy_chk(void *to, const void *from, size_t size, size_t room)
{
    count_copy(__builtin_return_address(0), size);
    return copy(to, from, size);
}

void *__memmove_chk(void *to, const void *from, size_t size, size_t room)
{
    count_copy(__builtin_return_address(0), size);
    return copy_overlapping(to, from, size);
}
