/* SPDX-License-Identifier: Apache-2.0 */
/* Counting failures by key, and the three phases; see breaker.h. */
#include "worker/breaker.h"

#include <stddef.h>

#define PROBE_MAX_NS (INT64_C(30) * 1000000000)

const char *breaker_phase_name(enum breaker_phase phase)
{
    static const char *const names[] = {[BREAKER_CLOSED] = "closed", [BREAKER_OPEN] = "open", [BREAKER_PROBING] = "probing"};
    return names[phase];
}

/* From when on a command may be the probe that was one `tried` times. */
static int64_t turn_ns(const struct breaker *breaker, int tried)
{
    int behind = tried == 0 ? 0 : tried - breaker->tried + 1;
    behind = behind < 0 ? 0 : behind > BREAKER_TURNS ? BREAKER_TURNS : behind;
    return breaker->until_ns + behind * BREAKER_TURN_NS;
}

bool breaker_admits(struct breaker *breaker, const struct breaker_settings *settings, int tried, int64_t now_ns,
                    int64_t *ret_at_ns)
{
    if (breaker->phase == BREAKER_CLOSED)
        return true;
    if (breaker->phase == BREAKER_OPEN && now_ns < turn_ns(breaker, tried)) {
        *ret_at_ns = turn_ns(breaker, tried);
        return false;
    }
    if (now_ns < breaker->until_ns) {
        *ret_at_ns = now_ns + settings->pause_ns / 4;
        return false;
    }
    breaker->phase = BREAKER_PROBING; /* also when the last probe never said how it ended */
    breaker->until_ns = now_ns + PROBE_MAX_NS;
    breaker->tried = tried;
    return true;
}

static void note_key(struct breaker *breaker, uint64_t key, int64_t now_ns)
{
    int place = 0;
    for (int i = 0; i < BREAKER_KEYS_MAX; i++) {
        if (breaker->failures[i].at_ns && breaker->failures[i].key == key) {
            place = i;
            break;
        }
        if (breaker->failures[i].failed < breaker->failures[place].failed)
            place = i;
    }
    breaker->failures[place] = (struct breaker_failure){
        .key = key, .at_ns = now_ns, .succeeded = breaker->succeeded, .failed = breaker->failed};
}

/* The failure with which the last `keys` keys that failed began to; NULL: it is too long ago, or there were not so many. */
static const struct breaker_failure *first_of(const struct breaker *breaker, int keys, int64_t since_ns)
{
    for (int i = 0; i < BREAKER_KEYS_MAX; i++) {
        const struct breaker_failure *failure = &breaker->failures[i];
        int later = 0;
        for (int k = 0; k < BREAKER_KEYS_MAX; k++)
            later += breaker->failures[k].failed > failure->failed;
        if (failure->at_ns > 0 && failure->at_ns > since_ns && later == keys - 1)
            return failure;
    }
    return NULL;
}

static void open(struct breaker *breaker, int64_t pause_ns, int64_t now_ns)
{
    breaker->phase = BREAKER_OPEN;
    breaker->pause_ns = pause_ns;
    breaker->until_ns = now_ns + pause_ns;
}

bool breaker_failed(struct breaker *breaker, const struct breaker_settings *settings, uint64_t key, int64_t now_ns)
{
    if (breaker->phase == BREAKER_PROBING) {
        int64_t twice = 2 * breaker->pause_ns;
        open(breaker, twice < settings->pause_max_ns ? twice : settings->pause_max_ns, now_ns);
    }
    if (breaker->phase == BREAKER_OPEN)
        return true;
    breaker->failed++;
    note_key(breaker, key, now_ns > 0 ? now_ns : 1);
    const struct breaker_failure *first = first_of(breaker, settings->keys, now_ns - settings->window_ns);
    if (!first || breaker->failed - first->failed + 1 < breaker->succeeded - first->succeeded)
        return false;
    open(breaker, settings->pause_ns, now_ns);
    return true;
}

void breaker_abandoned(struct breaker *breaker, int64_t now_ns)
{
    if (breaker->phase != BREAKER_PROBING)
        return;
    breaker->phase = BREAKER_OPEN;
    breaker->until_ns = now_ns;
}

bool breaker_succeeded(struct breaker *breaker)
{
    breaker->succeeded++;
    if (breaker->phase != BREAKER_PROBING)
        return false;
    *breaker = (struct breaker){.phase = BREAKER_CLOSED};
    return true;
}
