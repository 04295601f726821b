/* SPDX-License-Identifier: Apache-2.0 */
/* Counting failures by key, and the three phases; see breaker.h. */
#include "worker/breaker.h"

#define PROBE_MAX_NS (INT64_C(30) * 1000000000)

bool breaker_admits(struct breaker *breaker, const struct breaker_settings *settings, int64_t now_ns, int64_t *ret_at_ns)
{
    if (breaker->phase == BREAKER_CLOSED)
        return true;
    if (now_ns < breaker->until_ns) {
        *ret_at_ns = breaker->phase == BREAKER_OPEN ? breaker->until_ns : now_ns + settings->pause_ns / 4;
        return false;
    }
    breaker->phase = BREAKER_PROBING; /* also when the last probe never said how it ended */
    breaker->until_ns = now_ns + PROBE_MAX_NS;
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
        if (breaker->failures[i].at_ns < breaker->failures[place].at_ns)
            place = i;
    }
    breaker->failures[place] = (struct breaker_failure){key, now_ns};
}

static int keys_within(const struct breaker *breaker, int64_t since_ns)
{
    int keys = 0;
    for (int i = 0; i < BREAKER_KEYS_MAX; i++)
        keys += breaker->failures[i].at_ns > 0 && breaker->failures[i].at_ns > since_ns;
    return keys;
}

static void turn_window(struct breaker *breaker, const struct breaker_settings *settings, int64_t now_ns)
{
    if (now_ns - breaker->window_began_ns < settings->window_ns)
        return;
    breaker->window_began_ns = now_ns;
    breaker->succeeded = breaker->failed = 0;
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
    turn_window(breaker, settings, now_ns);
    breaker->failed++;
    note_key(breaker, key, now_ns > 0 ? now_ns : 1);
    if (keys_within(breaker, now_ns - settings->window_ns) < settings->keys || breaker->failed < breaker->succeeded)
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

bool breaker_succeeded(struct breaker *breaker, const struct breaker_settings *settings, int64_t now_ns)
{
    turn_window(breaker, settings, now_ns);
    breaker->succeeded++;
    if (breaker->phase != BREAKER_PROBING)
        return false;
    *breaker = (struct breaker){.window_began_ns = now_ns};
    return true;
}
