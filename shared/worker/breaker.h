/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outage or poison? A circuit breaker for one operation of one worker (Nygard, "Release It!"). Pure: time is a parameter.
 *
 * Closed: commands run. When transient faults hit several different keys within the window, and are at least half of what has
 * ended since the first of those, the fault is not the commands': it opens. (Since then, not in a window of its own: what succeeded
 * before an outage must not hide it, and what succeeds beside some poison must show.) Open: nothing runs, nothing counts as an attempt. When
 * the pause is over one command runs as a probe: its success closes the breaker, its failure opens it again for twice as long. Commands
 * whose probes failed let others go first, so that one that is poison does not keep it open.
 */
#ifndef ROUNDTRIP_WORKER_BREAKER_H
#define ROUNDTRIP_WORKER_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_KEYS_MAX 16
/** A command that was a probe more often than the last one waits so long for each time more, so many times at most. */
#define BREAKER_TURN_NS  (INT64_C(50) * 1000000)
#define BREAKER_TURNS    20

struct breaker_settings {
    int keys;                             /* different keys that must fail, at most BREAKER_KEYS_MAX */
    int64_t window_ns;                    /* within this time */
    int64_t pause_ns, pause_max_ns;       /* open for this long at first, at most for that long */
};

/** Zero-initialised: closed. One thread only. */
struct breaker {
    enum breaker_phase { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_PROBING } phase;
    int64_t until_ns; /* OPEN: when a probe may run; PROBING: when the probe is given up */
    int64_t pause_ns;
    struct breaker_failure {
        uint64_t key;
        int64_t at_ns;
        int64_t succeeded, failed; /* how many had, with it */
    } failures[BREAKER_KEYS_MAX]; /* the last one of each of the keys that failed last */
    int64_t succeeded, failed;    /* since it closed */
    int tried;                    /* how often the last probe's command had been one */
};

/** "closed", "open", "probing". Static. */
const char *breaker_phase_name(enum breaker_phase phase);

/**
 * May a command run now that was a probe in vain `tried` times? If not, `ret_at_ns` says when to ask again. Starts the probe when it
 * is time.
 */
bool breaker_admits(struct breaker *breaker, const struct breaker_settings *settings, int tried, int64_t now_ns,
                    int64_t *ret_at_ns);
/** A transient fault of a command for the entity whose key's hash is `key`. True: the breaker is open (it may have opened now). */
bool breaker_failed(struct breaker *breaker, const struct breaker_settings *settings, uint64_t key, int64_t now_ns);
/** The probe ended without having run: another may. */
void breaker_abandoned(struct breaker *breaker, int64_t now_ns);
/** A command was decided. True: the breaker has closed by it. */
bool breaker_succeeded(struct breaker *breaker);

#endif
