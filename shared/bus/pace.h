/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to send: at once while few records are on their way, together in beats while many are.
 *
 * Pure: the time and the counts are parameters. Two thresholds (hysteresis), because with one, the first records of
 * every burst would still go out one by one.
 *
 * Beats get longer as answers do: who waits long for an answer waits no longer in all when its record gathers for a part of that time, and
 * the larger batches are what makes a machine that has too much to do catch up.
 */
#ifndef ROUNDTRIP_BUS_PACE_H
#define ROUNDTRIP_BUS_PACE_H

#include <stdbool.h>
#include <stdint.h>

/**
 * Records on their way from which gathering starts, and below or at which it ends; what lies between two beats, in ns: at least, and at most
 * (no more than the least where that is larger).
 */
struct pace_limits {
    int64_t enter, leave, interval_ns, interval_most_ns;
};

/** What a loop sends in its turns, most of it to one partition: the turn has gathered already. */
#define PACE_TURNS (struct pace_limits){.enter = 4, .leave = 2, .interval_ns = INT64_C(500000)}
/**
 * What callers send one by one, over all partitions: each partition is a request of its own in librdkafka, so that a short beat has one record for
 * each. Measured; see ARCHITECTURE.md, "Sending".
 */
#define PACE_CALLERS (struct pace_limits){.enter = 16, .leave = 6, .interval_ns = INT64_C(2000000), .interval_most_ns = INT64_C(10000000)}

/** So long nothing is acknowledged of what is on its way before it is asked whether Kafka is there at all, in ns. */
#define PACE_SILENCE_NS INT64_C(1000000000)

/** Idle when all but `limits` is zero. */
struct pace {
    struct pace_limits limits;
    bool gathering;
    int64_t last_beat_ns;
    int64_t quick_ns; /* a fifth of the late answers took less */
};

/** May a record go out now? `in_flight`: sent and not delivered yet; `gathered`: waiting here, this one not counted. */
bool pace_may_send(struct pace *pace, int64_t in_flight, int64_t gathered, int64_t now_ns);
/** When what is gathered must go out; INT64_MAX when nothing is. */
int64_t pace_due_ns(const struct pace *pace, int64_t gathered);
/** A beat: everything gathered goes out now. `in_flight` includes it. */
void pace_beat(struct pace *pace, int64_t in_flight, int64_t now_ns);
/** An answer to a record came so long after it was sent. Beats go by the quickest fifth: nobody is to wait for what others' long work takes. */
void pace_answered(struct pace *pace, int64_t took_ns);
/** Is it time to doubt that Kafka is there? `heard_ns`: of the last acknowledgement, or of the first record sent after all had one. */
bool pace_is_silent(int64_t in_flight, int64_t heard_ns, int64_t now_ns);

#endif
