/* SPDX-License-Identifier: Apache-2.0 */
/* Reading chosen partitions without a group: replies at the gateway, the event log at a worker. One thread only. */
#ifndef ROUNDTRIP_BUS_READER_H
#define ROUNDTRIP_BUS_READER_H

#include "bus/bus.h"
#include "bus/consumer.h" /* struct message */

struct reader;

#define READER_BEGINNING INT64_C(-2)
#define READER_END       INT64_C(-1)
/** The newest `count` records, as far as there are that many; found out later, by librdkafka, without waiting for it. */
#define READER_TAIL(count) (INT64_C(-2000) - (count))

/** For partitions that are read for long: fetches wait at the broker until there is something. */
int reader_open(const struct bus_settings *settings, const char *role, struct reader **ret_reader,
                struct bus_error *ret_error) __attribute__((warn_unused_result));
/** For partitions that come and go: fetches wait briefly, since a partition added meanwhile waits behind them. */
int reader_open_brief(const struct bus_settings *settings, const char *role, struct reader **ret_reader,
                      struct bus_error *ret_error) __attribute__((warn_unused_result));
#define READER_UNHURRIED_MS 50
/**
 * For partitions of which nobody hurries for news: fetches wait READER_UNHURRIED_MS at the broker, or until there are 64 KiB. A fetch for every record of a busy
 * log costs its broker and its reader as much as the record did.
 */
int reader_open_unhurried(const struct bus_settings *settings, const char *role, struct reader **ret_reader,
                          struct bus_error *ret_error) __attribute__((warn_unused_result));
void reader_close(struct reader *reader); /* NULL is allowed */

/** Starts reading a partition at `offset` (or READER_BEGINNING, READER_END, READER_TAIL) beside those it reads already. 0 or -errno. */
int reader_add(struct reader *reader, const char *topic, int32_t partition, int64_t offset)
    __attribute__((warn_unused_result));
/** Stops reading a partition. */
void reader_remove(struct reader *reader, const char *topic, int32_t partition);
int reader_fd(const struct reader *reader); /* edge: drain until reader_poll() gives nothing */
/** The next record, or NULL when none came within `timeout_ms` (0: do not wait). Owned by the caller. */
struct message *reader_poll(struct reader *reader, int timeout_ms);
/** How long to wait for a watermark where it is needed to go on. The loop stands still meanwhile. */
#define READER_LOOK_MS 1000
/** The partition's high watermark, asked of the broker: waits `timeout_ms` at most, twice where that fails. 0 or -errno. */
int reader_end(struct reader *reader, const char *topic, int32_t partition, int timeout_ms, int64_t *ret_high)
    __attribute__((warn_unused_result));
/**
 * Those of partitions 0 to `partitions` - 1 at once; READER_END in place of each that is not known. Ask before reader_add(): a broker answers
 * in turn, and behind a fetch that waits for records (up to 500 ms) each question takes as long. 0, or the first error.
 */
int reader_ends(struct reader *reader, const char *topic, int32_t partitions, int timeout_ms, int64_t *ret_high)
    __attribute__((warn_unused_result));
/** The low watermark, in the same way as reader_end(). */
int reader_begin(struct reader *reader, const char *topic, int32_t partition, int timeout_ms, int64_t *ret_low)
    __attribute__((warn_unused_result));
/** Number of partitions of a topic, or -errno (-ENOENT: no such topic). */
int32_t reader_partition_count(struct reader *reader, const char *topic, struct bus_error *ret_error);
/** Calls `each` for every topic of the cluster: 0, or -errno and `ret_error`. */
int reader_each_topic(struct reader *reader, void (*each)(void *arg, const char *topic, int32_t partitions), void *arg,
                      struct bus_error *ret_error) __attribute__((warn_unused_result));
/** The cluster's id; borrowed, lives as long as the reader; NULL when no broker answered within BUS_TIMEOUT_MS. */
const char *reader_cluster_id(struct reader *reader);
/** Non-NULL once a record was lost for lack of memory: the process must be replaced. */
const char *reader_fatal(const struct reader *reader);

#endif
