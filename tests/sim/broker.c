/* SPDX-License-Identifier: Apache-2.0 */
/* Logs and their compaction; see broker.h. */
#include "broker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "clients.h"
#include "envelope.h"

struct log {
    struct entry *entries;
    int64_t count, size;
};

static struct log logs[TOPICS][SIM_PARTITIONS];
static struct journal_reader judges[SIM_PARTITIONS];

static struct slice keep(struct slice s)
{
    if (!s.p)
        return SLICE_NONE;
    char *memory = sim_alloc(s.len + 1);
    if (s.len)
        memcpy(memory, s.p, s.len);
    return slice_make(memory, s.len);
}

struct record *entry_copy(const struct record *rec, const struct header *headers, size_t header_count)
{
    struct record *copy = sim_alloc(sizeof(*copy));
    struct header *list = sim_alloc((header_count + 1) * sizeof(*list));
    *copy = *rec;
    copy->topic = keep(slice_of(rec->topic)).p;
    copy->key = keep(rec->key);
    copy->value = keep(rec->value);
    for (size_t i = 0; i < header_count; i++)
        list[i] = (struct header){keep(slice_of(headers[i].name)).p, keep(headers[i].value)};
    copy->headers = list;
    copy->header_count = header_count;
    return copy;
}

void broker_begin(void)
{
    memset(judges, 0, sizeof(judges));
    group_begin();
}

void broker_end(void)
{
    for (int t = 0; t < TOPICS; t++) {
        for (int p = 0; p < SIM_PARTITIONS; p++) {
            free(logs[t][p].entries);
            logs[t][p] = (struct log){0};
        }
    }
}

enum topic broker_topic(const char *name)
{
    if (strcmp(name, "thing.commands") == 0)
        return TOPIC_COMMANDS;
    if (strcmp(name, "thing.events") == 0)
        return TOPIC_EVENTS;
    return strncmp(name, "dlq.", 4) == 0 ? TOPIC_DEAD : TOPIC_REPLIES;
}

int32_t broker_partition_of(struct slice key)
{
    return key.len ? (key.p[key.len - 1] - '0') % SIM_PARTITIONS : 0;
}

void broker_judge(struct journal_reader *reader, struct entry *entry)
{
    struct event event;
    struct tombstone tombstone;
    struct attempts attempts;
    struct slice claim = envelope_claim_of(&entry->rec), writer;
    if (envelope_decode_left(&entry->rec, &writer)) {
        entry->attempts = true; /* it says as little about a thing */
        entry->valid = journal_event_valid(reader, writer);
    } else if (envelope_decode_attempts(&entry->rec, &attempts)) {
        entry->attempts = true;
        entry->valid = journal_event_valid(reader, attempts.writer);
    } else if (envelope_decode_part(&entry->rec, &writer)) {
        entry->attempts = true; /* by itself it says nothing at all */
        entry->valid = journal_event_valid(reader, record_header(&entry->rec, "ce_claim"));
    } else if (claim.p) {
        journal_read_claim(reader, claim);
        entry->claim = entry->valid = true;
    } else if (envelope_decode_tombstone(&entry->rec, &tombstone)) {
        entry->attempts = tombstone.attempts_of.p || tombstone.part.p;
        entry->valid = tombstone.claim_id.p || journal_event_valid(reader, tombstone.writer);
    } else {
        entry->valid = envelope_decode_event(&entry->rec, &event) == ENVELOPE_OK &&
                       journal_event_valid(reader, event.claim);
    }
}

int64_t broker_append(enum topic topic, int32_t partition, const struct record *rec)
{
    struct log *log = &logs[topic][partition];
    if (log->count == log->size) {
        log->size = log->size ? 2 * log->size : 256;
        log->entries = realloc(log->entries, (size_t)log->size * sizeof(*log->entries));
        assert(log->entries);
    }
    int64_t offset = log->count++;
    struct entry *entry = &log->entries[offset];
    *entry = (struct entry){.rec = *rec, .landed_at = world.now};
    entry->rec.partition = partition;
    entry->rec.offset = offset;
    entry->rec.timestamp_ms = SIM_WALL_MS + world.now / SIM_MS;
    sim_trace((uint64_t)topic * 8 + (uint64_t)partition);
    sim_trace_bytes(rec->key);
    sim_trace_bytes(rec->value);
    if (topic == TOPIC_EVENTS) {
        broker_judge(&judges[partition], entry);
        checks_event(partition, entry);
    } else if (topic == TOPIC_COMMANDS) {
        clients_landed(&entry->rec);
    } else if (topic == TOPIC_REPLIES) {
        checks_reply(&entry->rec);
    }
    readers_notify(topic, partition);
    return offset;
}

int64_t broker_end_offset(enum topic topic, int32_t partition)
{
    return logs[topic][partition].count;
}

struct entry *broker_entry(enum topic topic, int32_t partition, int64_t offset)
{
    assert(offset >= 0 && offset < logs[topic][partition].count);
    return &logs[topic][partition].entries[offset];
}

struct entry *broker_next(enum topic topic, int32_t partition, int64_t *offset, int64_t end)
{
    while (*offset < end) {
        struct entry *entry = broker_entry(topic, partition, (*offset)++);
        if (!entry->removed)
            return entry;
    }
    return NULL;
}

void broker_compact(int32_t partition, int64_t lag_ns, int64_t retention_ns)
{
    struct log *log = &logs[TOPIC_EVENTS][partition];
    int64_t end = 0;
    while (end < log->count && log->entries[end].landed_at + lag_ns <= world.now)
        end++;
    for (int64_t o = 0; o < end; o++) {
        struct entry *entry = &log->entries[o];
        if (entry->removed)
            continue;
        for (int64_t later = o + 1; later < end && !entry->removed; later++)
            entry->removed = slice_equal(log->entries[later].rec.key, entry->rec.key);
        if (entry->removed || entry->rec.value.p)
            continue;
        if (entry->cleaned_at == 0)
            entry->cleaned_at = world.now;
        else if (entry->cleaned_at + retention_ns <= world.now)
            entry->removed = true;
    }
}
