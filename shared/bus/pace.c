/* SPDX-License-Identifier: Apache-2.0 */
/* The decision between sending at once and gathering. */
#include "bus/pace.h"

bool pace_may_send(struct pace *pace, int64_t in_flight, int64_t gathered, int64_t now_ns)
{
    if (!pace->gathering && in_flight >= pace->limits.enter) {
        pace->gathering = true;
        pace->last_beat_ns = now_ns;
    } else if (pace->gathering && gathered == 0 && in_flight <= pace->limits.leave) {
        pace->gathering = false;
    }
    return !pace->gathering && gathered == 0;
}

int64_t pace_due_ns(const struct pace *pace, int64_t gathered)
{
    if (gathered == 0)
        return INT64_MAX;
    return pace->gathering ? pace->last_beat_ns + pace->limits.interval_ns : 0;
}

void pace_beat(struct pace *pace, int64_t in_flight, int64_t now_ns)
{
    pace->last_beat_ns = now_ns;
    if (in_flight >= pace->limits.enter)
        pace->gathering = true;
    else if (in_flight <= pace->limits.leave)
        pace->gathering = false;
}

bool pace_is_silent(int64_t in_flight, int64_t heard_ns, int64_t now_ns)
{
    return in_flight > 0 && now_ns - heard_ns >= PACE_SILENCE_NS;
}
