/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a service worth asking? A circuit breaker for one service, as its callers see it (Nygard, "Release It!"). Pure: time
 * is a parameter, clock_mono_ns(). Not to be confused with shared/worker/breaker.h, where a worker tells an outage of what it
 * depends on from poison, by counting keys.
 *
 * Closed: every call goes through, and its end counts in a sliding window of CIRCUIT_BUCKETS partial sums (the model is
 * resilience4j's time-based window). Enough calls of which too many failed, or too many were slow: it opens. Slowness must
 * last, though: slow answers in CIRCUIT_LATE_BUCKETS of the partial sums. After one pause, such as a takeover, all that waited is answered
 * late but in one burst, and the service is well again. Open: nothing goes through until the pause is over. Half open: one call at a time is a probe; CIRCUIT_PROBES good ones in a
 * row close it, a bad one opens it again for twice as long. Calls of an earlier phase do not count in a later one.
 *
 * A sign of life is any reply or event of the service about a command, whomever it is for. One that comes while the circuit is open because
 * the service was silent ends the pause. Heavy calls take long by nature: they owe a sign of life while they are waited
 * for, not an answer in time. Where there was none, that is a doubt, which counts as a failure only when nothing is
 * heard for another `slow_ns`: a worker that is alive says itself that a deadline has passed, a moment after it.
 *
 * Any thread; one lock, under which nothing else is called.
 */
#ifndef ROUNDTRIP_GATEWAY_CIRCUIT_H
#define ROUNDTRIP_GATEWAY_CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

#include <pthread.h>

#define CIRCUIT_BUCKETS 10
#define CIRCUIT_PROBES  3
#define CIRCUIT_LATE_BUCKETS 3

struct circuit_settings {
    int64_t window_ns;   /* 0: it never opens */
    int min_calls;       /* in the window, before it may open */
    int failure_percent; /* this share of failed calls opens it */
    int64_t slow_ns;     /* an answer that takes this long is slow; who waits less has not given a fair time */
    int slow_percent;    /* this share of slow calls opens it */
    int64_t pause_ns, pause_max_ns;
};

enum circuit_phase { CIRCUIT_CLOSED, CIRCUIT_OPEN, CIRCUIT_HALF_OPEN };
enum circuit_cause { CIRCUIT_BY_FAILURES, CIRCUIT_BY_SLOWNESS, CIRCUIT_BY_PROBE };
/** What a step did to the phase, for the log. */
enum circuit_change { CIRCUIT_SAME, CIRCUIT_OPENED, CIRCUIT_HASTENED, CIRCUIT_PROBES_NOW, CIRCUIT_CLOSED_AGAIN };

struct circuit_counts {
    uint32_t calls, failed, slow;
};

struct circuit {
    pthread_mutex_t lock;
    /* guarded by lock */
    enum circuit_phase phase;
    enum circuit_cause cause;
    uint32_t generation; /* of the phase; never 0 */
    struct circuit_counts opened_by;
    int64_t until_ns; /* OPEN: the end of the pause; HALF_OPEN: when the probe gives its place to another */
    int64_t pause_ns;
    bool silent;          /* nothing was heard while the call that opened it waited */
    bool probing;
    int good_probes;
    int64_t heard_ns;     /* the last sign of life; 0: none */
    int64_t unheard_ns;   /* since this call began nothing was heard, and it ended; 0: none such */
    uint32_t doubts;
    int64_t doubted_ns; /* the first of them */
    struct circuit_bucket {
        int64_t number; /* of its time span, counted from 0 on the clock */
        struct circuit_counts counts;
        bool late; /* there was a slow answer */
    } buckets[CIRCUIT_BUCKETS];
};

/** One call that was let through. Zero-initialised: none. */
struct circuit_call {
    uint32_t generation; /* 0: it does not count */
    bool heavy, probe;
    int64_t began_ns;
};

/** How a call ended. */
enum circuit_end {
    CIRCUIT_UNTRIED,    /* in a way that says nothing about the service */
    CIRCUIT_ANSWERED,   /* whatever the answer */
    CIRCUIT_REFUSED,    /* by a service that says itself that it cannot, or whose answer cannot be read */
    CIRCUIT_UNANSWERED, /* at its deadline */
};

void circuit_init(struct circuit *circuit);
void circuit_done(struct circuit *circuit);

/** May a call go through? Then circuit_ended() must follow, once. If not, `*ret_retry_ns` is how long it may take until one may. */
bool circuit_admits(struct circuit *circuit, const struct circuit_settings *settings, bool heavy, int64_t now_ns,
                    struct circuit_call *ret_call, int64_t *ret_retry_ns, enum circuit_change *ret_change)
    __attribute__((warn_unused_result));
/** The call has ended. */
enum circuit_change circuit_ended(struct circuit *circuit, const struct circuit_settings *settings,
                                  const struct circuit_call *call, enum circuit_end end, int64_t now_ns);
/** A sign of life, given at `at_ns` or after: it may have taken a while to come, and says nothing of what began since. */
enum circuit_change circuit_heard(struct circuit *circuit, int64_t at_ns);

/** How it stands, for logs and health. */
struct circuit_view {
    enum circuit_phase phase;
    enum circuit_cause cause;        /* of its last opening */
    struct circuit_counts opened_by; /* the window then */
    int64_t pause_ns;
    bool silent;
};
struct circuit_view circuit_look(struct circuit *circuit);
/** "closed", "open", "half-open". */
const char *circuit_phase_name(enum circuit_phase phase);

#endif
