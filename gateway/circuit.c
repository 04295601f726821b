/* SPDX-License-Identifier: Apache-2.0 */
/* The sliding window, the three phases, and what the end of a call says; see circuit.h. */
#include "circuit.h"

enum verdict { NOTHING, GOOD, SLOW, FAILED, DOUBTED };

void circuit_init(struct circuit *circuit)
{
    *circuit = (struct circuit){.generation = 1};
    pthread_mutex_init(&circuit->lock, NULL);
}

void circuit_done(struct circuit *circuit)
{
    pthread_mutex_destroy(&circuit->lock);
}

const char *circuit_phase_name(enum circuit_phase phase)
{
    static const char *const names[] = {"closed", "open", "half-open"};
    return names[phase];
}

/* ---- all below with `lock` held, but for the public functions ---- */

static int64_t bucket_number(const struct circuit_settings *settings, int64_t now_ns)
{
    int64_t width_ns = settings->window_ns / CIRCUIT_BUCKETS;
    return now_ns / (width_ns > 0 ? width_ns : 1);
}

static void count(struct circuit *circuit, const struct circuit_settings *settings, struct circuit_counts more, bool late,
                  int64_t now_ns)
{
    int64_t number = bucket_number(settings, now_ns);
    struct circuit_bucket *bucket = &circuit->buckets[number % CIRCUIT_BUCKETS];
    if (bucket->number != number)
        *bucket = (struct circuit_bucket){.number = number};
    bucket->counts.calls += more.calls;
    bucket->counts.failed += more.failed;
    bucket->counts.slow += more.slow;
    bucket->late |= late;
}

static struct circuit_counts counted(const struct circuit *circuit, const struct circuit_settings *settings, int64_t now_ns,
                                     int *ret_late_buckets)
{
    struct circuit_counts sum = {0};
    *ret_late_buckets = 0;
    int64_t first = bucket_number(settings, now_ns) - CIRCUIT_BUCKETS + 1;
    for (int i = 0; i < CIRCUIT_BUCKETS; i++) {
        const struct circuit_bucket *bucket = &circuit->buckets[i];
        if (bucket->number < first)
            continue;
        sum.calls += bucket->counts.calls;
        sum.failed += bucket->counts.failed;
        sum.slow += bucket->counts.slow;
        *ret_late_buckets += bucket->late;
    }
    return sum;
}

static void enter(struct circuit *circuit, enum circuit_phase phase)
{
    circuit->phase = phase;
    if (++circuit->generation == 0)
        circuit->generation = 1;
    circuit->probing = false;
    circuit->good_probes = 0;
    circuit->doubts = 0;
    for (int i = 0; i < CIRCUIT_BUCKETS; i++)
        circuit->buckets[i] = (struct circuit_bucket){.number = -1};
}

static enum circuit_change open(struct circuit *circuit, enum circuit_cause cause, struct circuit_counts by, int64_t pause_ns,
                                bool silent, int64_t now_ns)
{
    enter(circuit, CIRCUIT_OPEN);
    circuit->cause = cause;
    circuit->opened_by = by;
    circuit->pause_ns = pause_ns;
    circuit->until_ns = now_ns + pause_ns;
    circuit->silent = silent;
    return CIRCUIT_OPENED;
}

static bool share_reached(uint32_t part, uint32_t whole, int percent)
{
    return (uint64_t)part * 100 >= (uint64_t)whole * (uint64_t)percent;
}

/* Closed, and the window has got worse: is it bad enough? */
static enum circuit_change weigh(struct circuit *circuit, const struct circuit_settings *settings, bool silent, int64_t now_ns)
{
    int late_buckets;
    struct circuit_counts sum = counted(circuit, settings, now_ns, &late_buckets);
    if (sum.calls < (uint32_t)settings->min_calls)
        return CIRCUIT_SAME;
    if (share_reached(sum.failed, sum.calls, settings->failure_percent))
        return open(circuit, CIRCUIT_BY_FAILURES, sum, settings->pause_ns, silent, now_ns);
    if (late_buckets >= CIRCUIT_LATE_BUCKETS && share_reached(sum.slow, sum.calls, settings->slow_percent))
        return open(circuit, CIRCUIT_BY_SLOWNESS, sum, settings->pause_ns, silent, now_ns);
    return CIRCUIT_SAME;
}

static enum circuit_change settle_doubts(struct circuit *circuit, const struct circuit_settings *settings, int64_t now_ns)
{
    uint32_t doubts = circuit->doubts;
    if (doubts == 0 || now_ns - circuit->doubted_ns < settings->slow_ns)
        return CIRCUIT_SAME;
    circuit->doubts = 0;
    count(circuit, settings, (struct circuit_counts){doubts, doubts, 0}, false, now_ns);
    return weigh(circuit, settings, true, now_ns);
}

/* What the call's end says about the service. */
static enum verdict judge(struct circuit *circuit, const struct circuit_settings *settings, const struct circuit_call *call,
                          enum circuit_end end, int64_t now_ns)
{
    bool took_long = now_ns - call->began_ns >= settings->slow_ns, alive = circuit->heard_ns > call->began_ns;
    switch (end) {
    case CIRCUIT_UNTRIED:
        return NOTHING;
    case CIRCUIT_REFUSED:
        return FAILED;
    case CIRCUIT_ANSWERED:
        return took_long && !call->heavy ? SLOW : GOOD;
    case CIRCUIT_UNANSWERED:
        break;
    }
    if (call->heavy)
        return alive ? GOOD : DOUBTED;
    if (took_long)
        return FAILED;
    if (alive)
        return NOTHING; /* it was not given a fair time */
    if (circuit->unheard_ns == 0 || call->began_ns < circuit->unheard_ns)
        circuit->unheard_ns = call->began_ns;
    /* but many who each wait a little together do give one */
    return now_ns - circuit->unheard_ns >= settings->slow_ns ? FAILED : NOTHING;
}

static enum circuit_change end_closed(struct circuit *circuit, const struct circuit_settings *settings,
                                      const struct circuit_call *call, enum verdict verdict, int64_t now_ns)
{
    if (verdict == NOTHING)
        return CIRCUIT_SAME;
    if (verdict == DOUBTED) {
        if (circuit->doubts++ == 0)
            circuit->doubted_ns = now_ns;
        return CIRCUIT_SAME;
    }
    bool slow = verdict == SLOW || (verdict == FAILED && now_ns - call->began_ns >= settings->slow_ns);
    count(circuit, settings, (struct circuit_counts){1, verdict == FAILED, slow}, verdict == SLOW, now_ns);
    return verdict == GOOD ? CIRCUIT_SAME : weigh(circuit, settings, circuit->heard_ns <= call->began_ns, now_ns);
}

static enum circuit_change end_probe(struct circuit *circuit, const struct circuit_settings *settings,
                                     const struct circuit_call *call, enum verdict verdict, int64_t now_ns)
{
    int64_t twice_ns = 2 * circuit->pause_ns;
    circuit->probing = false;
    switch (verdict) {
    case NOTHING:
        return CIRCUIT_SAME; /* another may try */
    case GOOD:
        if (++circuit->good_probes < CIRCUIT_PROBES)
            return CIRCUIT_SAME;
        enter(circuit, CIRCUIT_CLOSED);
        return CIRCUIT_CLOSED_AGAIN;
    case SLOW:
    case FAILED:
    case DOUBTED:
        break;
    }
    return open(circuit, CIRCUIT_BY_PROBE, (struct circuit_counts){1, verdict != SLOW, verdict == SLOW},
                twice_ns < settings->pause_max_ns ? twice_ns : settings->pause_max_ns, circuit->heard_ns <= call->began_ns, now_ns);
}

/* Not closed: may this call be a probe? */
static bool probe(struct circuit *circuit, const struct circuit_settings *settings, int64_t now_ns, int64_t *ret_retry_ns,
                  enum circuit_change *ret_change)
{
    bool waits = circuit->phase == CIRCUIT_OPEN || circuit->probing;
    if (waits && now_ns < circuit->until_ns) {
        *ret_retry_ns = circuit->until_ns - now_ns;
        return false;
    }
    if (circuit->phase == CIRCUIT_OPEN) {
        enter(circuit, CIRCUIT_HALF_OPEN);
        *ret_change = CIRCUIT_PROBES_NOW;
    }
    circuit->probing = true;
    circuit->until_ns = now_ns + settings->slow_ns;
    return true;
}

bool circuit_admits(struct circuit *circuit, const struct circuit_settings *settings, bool heavy, int64_t now_ns,
                    struct circuit_call *ret_call, int64_t *ret_retry_ns, enum circuit_change *ret_change)
{
    *ret_call = (struct circuit_call){0};
    *ret_change = CIRCUIT_SAME;
    if (settings->window_ns == 0)
        return true;
    pthread_mutex_lock(&circuit->lock);
    *ret_change = settle_doubts(circuit, settings, now_ns);
    bool closed = circuit->phase == CIRCUIT_CLOSED;
    bool admitted = closed || probe(circuit, settings, now_ns, ret_retry_ns, ret_change);
    if (admitted)
        *ret_call = (struct circuit_call){circuit->generation, heavy, !closed, now_ns};
    pthread_mutex_unlock(&circuit->lock);
    return admitted;
}

enum circuit_change circuit_ended(struct circuit *circuit, const struct circuit_settings *settings,
                                  const struct circuit_call *call, enum circuit_end end, int64_t now_ns)
{
    enum circuit_change change = CIRCUIT_SAME;
    if (call->generation == 0)
        return change;
    pthread_mutex_lock(&circuit->lock);
    if (circuit->phase == CIRCUIT_CLOSED)
        change = settle_doubts(circuit, settings, now_ns);
    if (call->generation == circuit->generation) {
        enum verdict verdict = judge(circuit, settings, call, end, now_ns);
        change = circuit->phase == CIRCUIT_CLOSED ? end_closed(circuit, settings, call, verdict, now_ns)
                                                  : end_probe(circuit, settings, call, verdict, now_ns);
    }
    pthread_mutex_unlock(&circuit->lock);
    return change;
}

enum circuit_change circuit_heard(struct circuit *circuit, int64_t at_ns)
{
    enum circuit_change change = CIRCUIT_SAME;
    pthread_mutex_lock(&circuit->lock);
    if (at_ns > circuit->heard_ns)
        circuit->heard_ns = at_ns;
    if (at_ns >= circuit->unheard_ns)
        circuit->unheard_ns = 0;
    if (at_ns >= circuit->doubted_ns)
        circuit->doubts = 0;
    bool in_pause = at_ns >= circuit->until_ns - circuit->pause_ns && at_ns < circuit->until_ns;
    if (circuit->phase == CIRCUIT_OPEN && circuit->silent && in_pause) {
        circuit->silent = false; /* once: what opens it next is not silence */
        circuit->until_ns = at_ns;
        change = CIRCUIT_HASTENED;
    }
    pthread_mutex_unlock(&circuit->lock);
    return change;
}

struct circuit_view circuit_look(struct circuit *circuit)
{
    pthread_mutex_lock(&circuit->lock);
    struct circuit_view view = {circuit->phase, circuit->cause, circuit->opened_by, circuit->pause_ns, circuit->silent};
    pthread_mutex_unlock(&circuit->lock);
    return view;
}
