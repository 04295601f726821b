/* SPDX-License-Identifier: Apache-2.0 */
/* The decision between sending at once and gathering. */
#include "bus/pace.h"

/** A beat takes this part of the time of a quick answer: on average records wait for half of it, a sixth. */
#define PART_OF_ANSWER 3
/** Parts of itself by which the fifth quickest falls with each quicker answer and rises with each slower one: four slower ones outweigh one quicker. */
#define FALL 16
#define RISE 64
/** So much it rises at least, from nothing too. */
#define RISE_LEAST_NS 1000

static int64_t interval_ns(const struct pace *pace)
{
    const struct pace_limits *limits = &pace->limits;
    int64_t part = pace->quick_ns / PART_OF_ANSWER;
    part = part < limits->interval_most_ns ? part : limits->interval_most_ns;
    return part > limits->interval_ns ? part : limits->interval_ns;
}

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
    return pace->gathering ? pace->last_beat_ns + interval_ns(pace) : 0;
}

void pace_beat(struct pace *pace, int64_t in_flight, int64_t now_ns)
{
    pace->last_beat_ns = now_ns;
    if (in_flight >= pace->limits.enter)
        pace->gathering = true;
    else if (in_flight <= pace->limits.leave)
        pace->gathering = false;
}

void pace_answered(struct pace *pace, int64_t took_ns)
{
    int64_t quick_ns = pace->quick_ns;
    if (took_ns < quick_ns) {
        quick_ns -= quick_ns / FALL;
        pace->quick_ns = quick_ns > took_ns ? quick_ns : took_ns;
    } else {
        quick_ns += quick_ns / RISE + RISE_LEAST_NS;
        pace->quick_ns = quick_ns < took_ns ? quick_ns : took_ns;
    }
}

bool pace_is_silent(int64_t in_flight, int64_t heard_ns, int64_t now_ns)
{
    return in_flight > 0 && now_ns - heard_ns >= PACE_SILENCE_NS;
}
