/* SPDX-License-Identifier: Apache-2.0 */
/* What a record of an event log does to the local copy. */
#include "worker/replay.h"

#include "log.h"
#include "worker/letters.h"

static struct state_change void_change(const struct record *rec)
{
    return (struct state_change){.kind = STATE_VOID, .offset = rec->offset, .key = rec->key};
}

/* Can an entity of this service have that key? A foreign writer's other keys touch nothing. */
static bool possible_key(const struct service *service, struct slice key)
{
    int64_t value;
    return key.p && key.len > 0 && key.len <= ENVELOPE_KEY_MAX && !envelope_key_reserved(key) &&
           (service->key_order != KEY_INT64 || state_key_is_int64(key, &value));
}

/* A count of attempts, or its end. A void one hides nothing worth a repair: at worst a command is tried more often. */
static bool attempts_change(struct partition *p, const struct record *rec, const struct tombstone *tombstone,
                            struct state_change *ret_change)
{
    struct attempts attempts;
    struct slice writer;
    if (tombstone && tombstone->attempts_of.p) {
        writer = tombstone->writer;
        *ret_change = (struct state_change){
            .kind = STATE_ATTEMPTS_REMOVED, .offset = rec->offset, .key = tombstone->attempts_of};
    } else if (envelope_decode_attempts(rec, &attempts)) {
        writer = attempts.writer;
        *ret_change = (struct state_change){.kind = STATE_ATTEMPTS,
                                            .offset = rec->offset,
                                            .key = attempts.command_id,
                                            .attempts = attempts.count,
                                            .crashes = attempts.crashes,
                                            .beside = attempts.beside,
                                            .first_ms = attempts.first_ms};
    } else {
        return false;
    }
    if (!journal_event_valid(&p->reader, writer))
        *ret_change = (struct state_change){.kind = STATE_IGNORED, .offset = rec->offset};
    return true;
}

/* A part of a result, or its end. Nobody judges it: what no valid event names has no meaning, and goes in time. */
static bool part_change(const struct record *rec, const struct tombstone *tombstone, struct state_change *ret_change)
{
    struct slice name;
    if (tombstone && tombstone->part.p)
        *ret_change = (struct state_change){.kind = STATE_PART_REMOVED, .offset = rec->offset, .key = tombstone->part};
    else if (envelope_decode_part(rec, &name))
        *ret_change = (struct state_change){.kind = STATE_PART, .offset = rec->offset, .key = name, .value = rec->value};
    else
        return false;
    return true;
}

bool replay_change(struct partition *p, const struct record *rec, struct state_change *ret_change)
{
    struct event event;
    struct slice writer;
    struct slice claim_id = envelope_claim_of(rec);
    if (claim_id.p) {
        bool again = journal_claim_is(&p->reader.last, record_header(rec, ENVELOPE_CLAIM_AFTER));
        journal_read_claim(&p->reader, claim_id);
        *ret_change = (struct state_change){.kind = STATE_CLAIM,
                                            .offset = rec->offset,
                                            .key = claim_id,
                                            .position = envelope_claim_position(rec),
                                            .again = again};
        return true;
    }
    struct tombstone tombstone;
    bool removed = envelope_decode_tombstone(rec, &tombstone);
    if (removed && tombstone.claim_id.p) {
        *ret_change = (struct state_change){
            .kind = STATE_CLAIM_REMOVED, .offset = rec->offset, .key = tombstone.claim_id};
        return true;
    }
    if (envelope_decode_left(rec, &writer)) {
        *ret_change = (struct state_change){.kind = STATE_LEFT, .offset = rec->offset, .key = rec->key};
        return journal_event_valid(&p->reader, writer); /* its claim may have been compacted away */
    }
    if (attempts_change(p, rec, removed ? &tombstone : NULL, ret_change))
        return true;
    if (part_change(rec, removed ? &tombstone : NULL, ret_change))
        return true;
    if (!possible_key(p->worker->service, rec->key))
        return false;
    *ret_change = void_change(rec);
    if (removed && journal_event_valid(&p->reader, tombstone.writer)) {
        ret_change->kind = STATE_REMOVED;
        return true;
    }
    if (envelope_decode_event(rec, &event) != ENVELOPE_OK || !journal_event_valid(&p->reader, event.claim)) {
        p->worker->count.void_events++;
        return true;
    }
    int64_t time_ms = rec->timestamp_ms;
    if (!clock_parse_rfc3339(event.time, &time_ms))
        log_debug("event without a time", "partition=%d offset=%lld", p->number, (long long)rec->offset);
    bool repair = slice_is(event.type, LETTERS_REPAIR);
    *ret_change =
        (struct state_change){.kind = STATE_EVENT,
                              .offset = rec->offset,
                              .key = rec->key,
                              .value = event.state,
                              .version = event.version,
                              .exists = event.exists,
                              .command_id = repair ? SLICE_NONE : event.command_id,
                              .outcome = {.fingerprint = event.fingerprint,
                                          .status = event.status,
                                          .binding = event.binding,
                                          .exists = event.exists,
                                          .time_ms = time_ms,
                                          .command_offset = event.command_offset,
                                          .dead_class = event.dead_class,
                                          .body = event.reply_body.p ? event.reply_body : event.state,
                                          .content_type = event.content_type,
                                          .result = event.result,
                                          .owner = event.auth_id,
                                          .type = event.type}};
    ret_change->outcome.version = event.exists && event.status < 300 ? event.version : 0;
    return true;
}
