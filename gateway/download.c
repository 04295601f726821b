/* SPDX-License-Identifier: Apache-2.0 */
/* Part after part. */
#include "download.h"

#include <stdio.h>

bool download_begin(struct download *download, struct downloads *all, const struct received *part)
{
    if (atomic_fetch_add(&all->now, 1) >= all->max) {
        atomic_fetch_sub(&all->now, 1);
        return false;
    }
    *download = (struct download){.counted = true,
                                  .bytes = part->result_bytes,
                                  .parts = part->result_parts,
                                  .next = 1,
                                  .given = (int64_t)part->body.len};
    snprintf(download->etag, sizeof(download->etag), "%.*s", SLICE_ARG(part->etag));
    return true;
}

void download_end(struct download *download, struct downloads *all)
{
    if (download->counted)
        atomic_fetch_sub(&all->now, 1);
    *download = (struct download){.counted = false};
}

enum download_step download_next(const struct download *download)
{
    if (download->next < download->parts)
        return DOWNLOAD_ASK;
    return download->given == download->bytes ? DOWNLOAD_OVER : DOWNLOAD_BROKEN;
}

/* A part of the same result, and not more than there can be. */
static bool fits(const struct download *download, const struct received *part)
{
    return part->status == 200 && part->result_parts == download->parts && part->result_bytes == download->bytes &&
           slice_is(part->etag, download->etag) && part->body.len > 0 &&
           (int64_t)part->body.len <= download->bytes - download->given;
}

enum download_step download_take(struct download *download, enum outcome outcome, const struct received *part)
{
    switch (outcome) {
    case OUTCOME_REPLIED:
        break;
    case OUTCOME_DEADLINE: /* a partition that changes hands */
    case OUTCOME_UNSENT:
    case OUTCOME_UNCERTAIN:
        return ++download->tries < DOWNLOAD_TRIES ? DOWNLOAD_ASK : DOWNLOAD_BROKEN;
    case OUTCOME_NUDGED: /* whether its client is there shows by what is sent */
        return DOWNLOAD_ASK;
    default:
        return DOWNLOAD_BROKEN;
    }
    if (!fits(download, part))
        return DOWNLOAD_BROKEN;
    download->tries = 0;
    download->next++;
    download->given += (int64_t)part->body.len;
    return DOWNLOAD_PART;
}
