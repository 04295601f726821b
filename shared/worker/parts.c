/* SPDX-License-Identifier: Apache-2.0 */
/* Writing and finding parts; see parts.h. */
#include "worker/parts.h"

#include <stdio.h>

#include "clock.h"
#include "hash.h"
#include "result.h"
#include "worker/partition.h"
#include "worker/recover.h"
#include "worker/work.h"

#define PART_KEY_SIZE (sizeof(ENVELOPE_PART_KEY_PREFIX) + RESULT_PART_SIZE)

/* Half of what a record may be: replies have headers of their own, and brokers are set to less than producers. */
static size_t part_bytes(const struct worker *worker)
{
    return producer_max_bytes(worker->events) / 2;
}

static struct slice part_key(struct slice name, char scratch[PART_KEY_SIZE])
{
    int len = snprintf(scratch, PART_KEY_SIZE, ENVELOPE_PART_KEY_PREFIX "%.*s", SLICE_ARG(name));
    return slice_make(scratch, (size_t)len);
}

void parts_place(struct work *work)
{
    const struct decision *d = &work->decision;
    char id[ENVELOPE_UUID_SIZE];
    struct result result = {.media_type = slice_of(d->result_type), .bytes = (int64_t)d->result_len, .at = (int64_t)d->result_at};
    work->result_len = 0;
    if (!d->result_type)
        return;
    if (d->result.len > 0) {
        envelope_new_id(clock_wall_ms(), id);
        result.bytes = (int64_t)d->result.len;
        result.parts_id = slice_make(id, sizeof(id) - 1);
        result.part_bytes = (int64_t)part_bytes(work->partition->worker);
        result.hash = hash_slice(buf_slice(&d->result));
    }
    work->result_len = result_write(&result, work->result_text);
}

/* NULL: out of memory. */
static struct work *new_part(const struct work *parent, const struct result *result, int64_t index)
{
    char name[RESULT_PART_SIZE], key[PART_KEY_SIZE];
    const struct buf *whole = &parent->decision.result;
    int len = result_part_name(result->parts_id, index, name);
    struct work *part = work_new_own(parent->partition, part_key(slice_make(name, (size_t)len), key));
    if (!part)
        return NULL;
    size_t at = (size_t)(index * result->part_bytes), left = whole->len - at;
    part->letter = LETTER_PART;
    part->event_time_ms = clock_wall_ms();
    part->part_type = parent->decision.result_type;
    buf_append(&part->decision.state, whole->data + at, left < (size_t)result->part_bytes ? left : (size_t)result->part_bytes);
    part->state = buf_slice(&part->decision.state);
    return part;
}

bool parts_append(struct work *work)
{
    struct partition *p = work->partition;
    struct result result;
    if (work->decision.result.len == 0 || !result_read(slice_make(work->result_text, work->result_len), &result))
        return true;
    for (int64_t i = 0; i < result_parts(&result); i++) {
        struct work *part = new_part(work, &result, i);
        if (!part || !buf_ok(&part->decision.state)) {
            recover_restart(p, "out of memory", 1000 * CLOCK_NS_PER_MS);
            return false;
        }
        work_move(part, WORK_NOTING);
        partition_append(part);
        if (p->phase != PARTITION_SERVING)
            return false;
    }
    buf_done(&work->decision.result); /* the parts have copies */
    return true;
}

bool parts_find(struct partition *p, struct slice name, struct slice *ret_bytes)
{
    char key[PART_KEY_SIZE];
    const struct work *young = partition_by_key(p, part_key(name, key));
    if (!young)
        return state_part(p->state, name, ret_bytes);
    *ret_bytes = young->state;
    return young->letter == LETTER_PART;
}
