/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated Kafka: logs in memory, compaction, and the coordinator of the one consumer group.
 *
 * A record that landed is in the log for good (acks=all, no unclean election: what ARCHITECTURE.md assumes).
 */
#ifndef ROUNDTRIP_SIM_BROKER_H
#define ROUNDTRIP_SIM_BROKER_H

#include "journal.h"
#include "record.h"
#include "world.h"

enum topic { TOPIC_COMMANDS, TOPIC_EVENTS, TOPIC_DEAD, TOPIC_REPLIES, TOPICS };

/** One record with memory of its own. */
struct entry {
    struct record rec;
    int64_t landed_at;
    int64_t cleaned_at;  /* a tombstone: when compaction first saw it; 0: never */
    bool removed;        /* by compaction */
    bool valid, claim, attempts; /* events: by the rule, judged as it landed */
};

/** Copies `rec` with `headers` into the schedule's memory. */
struct record *entry_copy(const struct record *rec, const struct header *headers, size_t header_count);

/** Sets `valid`, `claim` and `attempts` of the next entry of a log, as everybody does who reads it in its order. */
void broker_judge(struct journal_reader *reader, struct entry *entry);

void broker_begin(void);
void broker_end(void);
/** Appends and tells who reads it. Its offset. */
int64_t broker_append(enum topic topic, int32_t partition, const struct record *rec);
int64_t broker_end_offset(enum topic topic, int32_t partition);
struct entry *broker_entry(enum topic topic, int32_t partition, int64_t offset);
/** The first entry at or after `*offset` and before `end` that is still there; moves `*offset` behind it. NULL: none. */
struct entry *broker_next(enum topic topic, int32_t partition, int64_t *offset, int64_t end);
enum topic broker_topic(const char *name);
int32_t broker_partition_of(struct slice key);

/** What Kafka's log cleaner may do to records older than `lag_ns`; tombstones go `retention_ns` after they were first seen. */
void broker_compact(int32_t partition, int64_t lag_ns, int64_t retention_ns);

/* ---- the coordinator (classic protocol, eager, static members as in KIP-345) ---- */
struct consumer;
void group_begin(void);
void group_join(struct consumer *c);
void group_leave(struct consumer *c);
enum heartbeat { HEARTBEAT_OK, HEARTBEAT_REBALANCE, HEARTBEAT_UNKNOWN, HEARTBEAT_FENCED };
enum heartbeat group_heartbeat(struct consumer *c);
/** False: refused, of another generation. */
bool group_commit(struct consumer *c, int64_t generation, int32_t partition, int64_t offset);
int64_t group_committed(int32_t partition);

/* ---- the client side, called by the broker ---- */
/** New records of the partition; readers fetch them some time later. */
void readers_notify(enum topic topic, int32_t partition);
void consumer_told_assignment(struct consumer *c, int64_t generation, const int32_t *partitions, size_t count);
struct process *consumer_process(struct consumer *c);
/** Consumed records that were not freed. */
long messages_alive(void);

#endif
