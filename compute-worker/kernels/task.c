/* SPDX-License-Identifier: Apache-2.0 */
/* What all kinds have in common: cutting into parts, running them, saying how far it is. */
#include "kernels/kernels.h"

#include <assert.h>
#include <stdio.h>

struct part task_part(uint64_t units, size_t parts, size_t index)
{
    assert(parts > 0 && parts <= TASK_PARTS_MAX && index < parts);
    uint64_t each = units / parts, more = units % parts; /* the first `more` parts have one more */
    uint64_t first = index * each + (index < more ? index : more);
    return (struct part){first, each + (index < more)};
}

enum kernel_end task_run(struct task *task, size_t parts, struct buf *ret_result)
{
    enum kernel_end end = task->kind->prepare(task);
    if (end != KERNEL_DONE)
        return end;
    struct slice *outcomes = arena_array(task->arena, parts, sizeof(*outcomes));
    if (!outcomes)
        return KERNEL_NO_MEMORY;
    for (size_t i = 0; i < parts && end == KERNEL_DONE; i++)
        end = task->kind->compute(task, task_part(task->units, parts, i), &outcomes[i]);
    return end == KERNEL_DONE ? task->kind->merge(task, outcomes, parts, ret_result) : end;
}

enum kernel_end task_compute(struct task *task, size_t parts, size_t index, struct slice *ret_outcome)
{
    enum kernel_end end = task->kind->prepare(task);
    if (end != KERNEL_DONE)
        return end;
    struct part part = task_part(task->units, parts, index);
    task->units = part.count; /* this part's progress is told */
    return task->kind->compute(task, part, ret_outcome);
}

enum kernel_end task_merge(struct task *task, const struct slice *outcomes, size_t parts, struct buf *ret_result)
{
    enum kernel_end end = task->kind->prepare(task);
    return end == KERNEL_DONE ? task->kind->merge(task, outcomes, parts, ret_result) : end;
}

bool task_stopping(const struct task *task)
{
    return job_stopping(task->job);
}

void task_advance(struct task *task, uint64_t units)
{
    task->done += units;
    job_progress(task->job, task->done, task->units);
    job_memory(task->job, task->arena->current, task->arena->peak);
}

enum kernel_end task_refuse(struct task *task, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(task->error, sizeof(task->error), format, args);
    va_end(args);
    return KERNEL_REFUSED;
}
