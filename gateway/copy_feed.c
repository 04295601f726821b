/* SPDX-License-Identifier: Apache-2.0 */
/* Which records of a log change the copy, and how. */
#include "copy_feed.h"

#include <stdlib.h>

#include "envelope.h"

void copy_feed_done(struct copy_feed *feed)
{
    free(feed->logs);
    feed->logs = NULL;
    feed->partitions = 0;
}

static struct copy_feed_log *log_of(struct copy_feed *feed, int32_t partition)
{
    if (partition >= feed->partitions) {
        struct copy_feed_log *logs = realloc(feed->logs, ((size_t)partition + 1) * sizeof(*logs));
        if (!logs)
            return NULL;
        memset(logs + feed->partitions, 0, (size_t)(partition + 1 - feed->partitions) * sizeof(*logs));
        feed->logs = logs;
        feed->partitions = partition + 1;
    }
    return &feed->logs[partition];
}

/* Offsets that begin anew are those of another log: topics made anew. What was read of the old one says nothing any more. */
static void check_log(struct copy_feed *feed, struct copy_feed_log *log, int64_t offset)
{
    if (offset < log->next) {
        copy_forget(feed->copy, feed->service);
        *log = (struct copy_feed_log){.next = 0};
    }
    log->next = offset + 1;
}

enum validity { VALID, VOID, UNKNOWN };

static enum validity judge(struct copy_feed_log *log, struct slice writer)
{
    if (!writer.p || writer.len == 0 || writer.len > JOURNAL_CLAIM_MAX)
        return VOID; /* a foreign record */
    if (log->reader.last.len == 0) {
        journal_read_claim(&log->reader, writer);
        log->guessed = true;
    }
    if (journal_event_valid(&log->reader, writer))
        return VALID;
    return log->guessed ? UNKNOWN : VOID;
}

void copy_feed_take(struct copy_feed *feed, const struct record *rec)
{
    struct copy_feed_log *log = log_of(feed, rec->partition);
    struct slice claim = envelope_claim_of(rec);
    struct tombstone tombstone;
    struct event event = {.exists = false};
    if (!log)
        return; /* out of memory: nothing of this partition is copied until there is some */
    check_log(feed, log, rec->offset);
    if (claim.p) {
        journal_read_claim(&log->reader, claim);
        log->guessed = false;
        return;
    }
    if (!rec->key.p || envelope_key_reserved(rec->key))
        return;
    bool removed = envelope_decode_tombstone(rec, &tombstone);
    if (!removed && envelope_decode_event(rec, &event) != ENVELOPE_OK)
        return;
    switch (judge(log, removed ? tombstone.writer : event.claim)) {
    case VOID:
        return;
    case VALID:
        if (event.exists) {
            copy_put(feed->copy, feed->service, rec->key, event.version, event.state);
            return;
        }
        break;
    case UNKNOWN:
        break;
    }
    copy_remove(feed->copy, feed->service, rec->key);
}
