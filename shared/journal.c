/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of claims: validity for readers, contiguity for the writer. */
#include "journal.h"

#include <assert.h>

#include "broken.h"

void journal_claim_set(struct journal_claim *claim, struct slice id)
{
    assert(id.len <= JOURNAL_CLAIM_MAX);
    claim->len = id.len;
    if (id.len)
        memcpy(claim->id, id.p, id.len);
}

bool journal_claim_is(const struct journal_claim *claim, struct slice id)
{
    return claim->len > 0 && id.len == claim->len && memcmp(id.p, claim->id, id.len) == 0;
}

void journal_read_claim(struct journal_reader *reader, struct slice claim_id)
{
    journal_claim_set(&reader->last, claim_id);
}

bool journal_event_valid(const struct journal_reader *reader, struct slice claim_id)
{
    return journal_claim_is(&reader->last, claim_id);
}

void journal_writer_hold(struct journal_writer *writer, int64_t offset)
{
    writer->next_offset = offset + 1;
    writer->held = true;
}

enum journal_verdict journal_writer_acknowledged(struct journal_writer *writer, int64_t offset)
{
    if (broken(BROKEN_NO_CONTIGUITY) && offset >= 0) {
        writer->next_offset = offset + 1;
        return JOURNAL_FINAL;
    }
    if (!writer->held || offset != writer->next_offset) {
        writer->held = false;
        return JOURNAL_UNKNOWN;
    }
    writer->next_offset++;
    return JOURNAL_FINAL;
}

bool journal_writer_overtaken(const struct journal_writer *writer, int64_t high_watermark)
{
    return !broken(BROKEN_NO_CONTIGUITY) && writer->held && high_watermark > writer->next_offset;
}

enum journal_replay journal_replay_plan(int64_t checkpoint, int64_t low_watermark, int64_t claim_offset,
                                        int64_t *ret_from)
{
    *ret_from = low_watermark;
    if (checkpoint < 0)
        return low_watermark > 0 ? JOURNAL_REPLAY_TRUNCATED : JOURNAL_REPLAY_FRESH;
    if (checkpoint > claim_offset)
        return JOURNAL_REPLAY_REBUILD;
    if (checkpoint < low_watermark)
        return JOURNAL_REPLAY_TRUNCATED;
    *ret_from = checkpoint;
    return JOURNAL_REPLAY_ON;
}
