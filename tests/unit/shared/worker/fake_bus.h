/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bus and the pool as a test holds them in its hand: one event log in memory, deliveries and tasks on
 * demand.
 *
 * fake_bus.c defines what bus/ and pool.c would, so those objects are never taken from the library. Records
 * sent wait until the test acknowledges or fails them; what the events producer gets acknowledged is in the
 * log, which the fake reader reads. Everything lives until fake_bus_reset().
 */
#ifndef ROUNDTRIP_TESTS_FAKE_BUS_H
#define ROUNDTRIP_TESTS_FAKE_BUS_H

#include "worker/dispatch.h"
#include "worker/partition.h"
#include "worker/recover.h"
#include "worker/work.h"

/** Keys that begin with '9' belong to partition 1, all others to partition 0. */
#define FAKE_PARTITIONS 2
/** The largest record a producer takes, headers counted. */
#define FAKE_MAX_BYTES 100000

/** What a worker is opened with: its producers, reader and consumer. Zeroed memory of `struct worker` becomes
 * usable. */
void fake_bus_connect(struct worker *worker);
/** Forgets the log, all records and tasks; frees what the connected workers' handles hold. */
void fake_bus_reset(void);

/** How many records were sent through `producer`, and the `n`-th of them. */
size_t fake_sent_count(const struct producer *producer);
const struct record *fake_sent(const struct producer *producer, size_t n);
/** How many of them wait for a delivery. */
size_t fake_waiting(const struct producer *producer);
/** Delivers the oldest waiting record: acknowledged, acknowledged without an offset, failed, or failed though
 * written. */
void fake_acknowledge(struct producer *producer);
void fake_acknowledge_blindly(struct producer *producer);
void fake_fail(struct producer *producer);
void fake_fail_written(struct producer *producer);
/** The broker says that the topic takes no record so large. */
void fake_fail_too_large(struct producer *producer);
/** The oldest record of the events producer that is not in the log reaches it; its delivery still waits. */
void fake_land(struct producer *producer);
/** The next send through `producer` returns `err`. */
void fake_refuse(struct producer *producer, int err);

/** The event log of partition 0. Appends a record as another process would; its offset. */
int64_t fake_log_append(const struct record *rec);
int64_t fake_log_end(void);
const struct record *fake_log(int64_t offset);

/** A consumed record with a copy of everything in it. Freed by whoever takes it. */
struct message *fake_message(const struct record *rec);
/** Messages made and not freed. */
long fake_messages_alive(void);

/** Tasks given to the pool and not run. */
size_t fake_tasks(void);
/** Runs the oldest task on this thread and hands it back. */
void fake_run_task(void);
/** Runs it without handing it back, and hands it back. */
void fake_begin_task(void);
void fake_end_task(void);

/** Where any consumer was told to go on last; pauses are counted. */
int64_t fake_resumed_at(void);
int fake_pauses(void);

#endif
