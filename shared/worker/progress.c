/* SPDX-License-Identifier: Apache-2.0 */
/* How far the partitions that are being replayed have come. */
#include "worker/progress.h"

void progress_begin(struct progress *progress, int64_t offsets, int64_t now_ns)
{
    if (progress->partitions++ == 0)
        *progress = (struct progress){.told_ns = now_ns, .partitions = 1};
    progress->total += offsets;
}

void progress_add(struct progress *progress, int64_t offsets)
{
    progress->done += offsets;
}

void progress_end(struct progress *progress, int64_t left)
{
    progress->partitions--;
    progress->total -= left;
}

bool progress_due(struct progress *progress, int64_t now_ns, int *ret_percent)
{
    if (progress->partitions == 0 || now_ns - progress->told_ns < PROGRESS_NS)
        return false;
    progress->told_ns = now_ns;
    *ret_percent = progress->total > 0 ? (int)(progress->done * 100 / progress->total) : 100;
    return true;
}
