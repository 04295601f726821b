/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending records: at once when idle, gathered under load.
 *
 * Every produce request costs client and broker the same whether it carries 1 record or 100, and librdkafka's linger is
 * fixed when the producer is made. So the producer counts what is on its way: below a threshold a record goes out at
 * once; above it records gather here and go out together in beats. pace.h holds that decision.
 */
#ifndef ROUNDTRIP_BUS_PRODUCER_H
#define ROUNDTRIP_BUS_PRODUCER_H

#include "bus/bus.h"
#include "bus/pace.h"
#include "record.h"

struct producer;

/** What became of one record. `error_text` NULL: acknowledged by all in-sync replicas at `partition`, `offset`. */
struct delivery {
    void *opaque;
    int32_t partition;
    int64_t offset; /* -1: not known, though acknowledged (a retry of a batch the broker had already) */
    const char *error_text;
    bool maybe_written; /* with an error: the record may be in the log all the same */
    bool too_large;     /* with an error: the topic takes no record of that size */
};

typedef void producer_delivered_fn(void *arg, const struct delivery *delivery);

struct producer_options {
    const struct bus_settings *settings;
    const char *role;         /* for client.id and log lines: "events" */
    bool gapless;             /* never a later record without an earlier one; no time-out (the journal) */
    bool repeatable;          /* a retry may write a record twice, or behind later ones: who reads it tells by its id. Cheaper under load */
    bool corked;              /* the serving thread sends: records leave in producer_serve(), a turn's together */
    bool unhurried;           /* producer_fd() does not tell of deliveries: they are served when producer_due_ns() comes, or earlier */
    struct pace_limits pace;  /* when records gather; all 0: PACE_TURNS */
    int extra_bytes;            /* a record may be so much larger than message.max.bytes: what it was, and headers of ours */
    int64_t message_timeout_ms; /* ignored with gapless; 0: librdkafka's default */
    producer_delivered_fn *delivered; /* called by producer_serve(), on its thread; may be NULL */
    void *arg;
};

/** Opens without waiting for a broker. 0, or -errno and `ret_error`. Close with producer_close(). */
int producer_open(const struct producer_options *options, struct producer **ret_producer, struct bus_error *ret_error)
    __attribute__((warn_unused_result));
/** Gives up what is on its way, and says so by `delivered`; call producer_flush() before. NULL is allowed. */
void producer_close(struct producer *producer);

/**
 * Sends `rec` (topic, key, value; partition, or -1 for murmur2 of the key) with `headers`; copies everything. Thread-safe.
 * 0: `delivered` will be called exactly once with `opaque`. -ENOBUFS: the queue is full; -EMSGSIZE; -EPIPE: fatal error or
 * closed; -ENOENT: the topic does not exist; -EINVAL: headers overflowed. On an error `delivered` is not called.
 */
int producer_send(struct producer *producer, const struct record *rec, const struct headers *headers, void *opaque)
    __attribute__((warn_unused_result));

/** Readable (level-triggered) when producer_serve() has something to do. */
int producer_fd(const struct producer *producer);
/** When producer_serve() must be called at the latest (clock_mono_ns()); INT64_MAX: not before producer_fd() says so. */
int64_t producer_due_ns(const struct producer *producer);
/** Calls `delivered` for what is done and sends what has gathered long enough. One thread only. Deliveries served. */
int producer_serve(struct producer *producer, int64_t now_ns);
/** Only what producer_due_ns() is about, such as sending what has gathered: for a turn in which producer_fd() did not say anything. Serving thread. */
void producer_push(struct producer *producer, int64_t now_ns);
/** An answer to a record came so long after it was sent: what gathers does so for a part of that. Thread-safe. */
void producer_answered(struct producer *producer, int64_t took_ns);
/** Sends all and waits until everything is delivered, serving deliveries meanwhile. 0 or -ETIMEDOUT. */
int producer_flush(struct producer *producer, int64_t timeout_ms);

/** Non-NULL once librdkafka has raised a fatal error: nothing will be sent any more; the process must be replaced. */
const char *producer_fatal(struct producer *producer);
/** False while no broker can be reached, as far as this producer has noticed. Thread-safe. */
bool producer_connected(const struct producer *producer);
/** Waits for the topic's metadata, so that the first send does not: its partition count, or -errno and `ret_error`. */
int32_t producer_warm(struct producer *producer, const char *topic, int64_t timeout_ms, struct bus_error *ret_error);
/** The largest record it takes, in bytes with key, headers and framing. */
size_t producer_max_bytes(const struct producer *producer);
/** Records accepted and not delivered yet. Thread-safe. */
int64_t producer_in_flight(const struct producer *producer);

#endif
