/* SPDX-License-Identifier: Apache-2.0 */
/* Turns, and what the end of a wait means to a stream. */
#include "stream.h"

#include "clock.h"
#include "hash.h"
#include "operation.h"

#define SECOND_NS (1000 * CLOCK_NS_PER_MS)

static void tell(struct stream *stream, const struct received *part, int64_t now_ns)
{
    stream->about = operation_is_running(part) ? STREAM_RUNNING : STREAM_WAITING;
    stream->told = hash_slice(part->body);
    stream->spoke_ns = now_ns;
}

void stream_begin(struct stream *stream, struct stream_pace *pace, const struct received *part, int64_t now_ns)
{
    *stream = (struct stream){.counted = true};
    atomic_fetch_add(&pace->streams, 1);
    tell(stream, part, now_ns);
}

void stream_end(struct stream *stream, struct stream_pace *pace)
{
    if (stream->counted)
        atomic_fetch_sub(&pace->streams, 1);
    *stream = (struct stream){0};
}

static int64_t interval_of(const struct stream_pace *pace, enum stream_about about)
{
    if (about == STREAM_DECIDED)
        return 0;
    return about == STREAM_RUNNING || pace->interval_ns > STREAM_SILENCE_NS ? pace->interval_ns : STREAM_SILENCE_NS;
}

/* Turns lie a gap apart. More of them than streams: those of streams that have gone are among them, and it begins anew. */
int64_t stream_turn_ns(struct stream_pace *pace, enum stream_about about, int64_t now_ns)
{
    _Atomic int64_t *last = &pace->last_ns[about];
    int64_t gap_ns = SECOND_NS / (about == STREAM_DECIDED ? STREAM_LAST_QUESTIONS : STREAM_QUESTIONS);
    int64_t first_ns = now_ns + interval_of(pace, about), last_ns = atomic_load(last), turn_ns;
    int64_t latest_ns = first_ns + (int64_t)atomic_load(&pace->streams) * gap_ns;
    do {
        turn_ns = first_ns > last_ns + gap_ns ? first_ns : last_ns + gap_ns;
        if (turn_ns > latest_ns)
            turn_ns = first_ns;
    } while (!atomic_compare_exchange_weak(last, &last_ns, turn_ns));
    return turn_ns;
}

bool stream_asks(struct stream *stream, struct stream_pace *pace, int64_t now_ns, int64_t *ret_until_ns)
{
    if (stream->turn_ns == 0)
        stream->turn_ns = stream_turn_ns(pace, stream->about, now_ns);
    int64_t silent_ns = stream->spoke_ns + STREAM_SILENCE_NS;
    *ret_until_ns = silent_ns < stream->turn_ns ? silent_ns : stream->turn_ns;
    if (stream->turn_ns > now_ns)
        return false;
    stream->turn_ns = 0; /* this was it */
    return true;
}

static enum stream_step take_news(struct stream *stream)
{
    if (stream->about != STREAM_DECIDED)
        stream->turn_ns = 0; /* it is another question now */
    stream->about = STREAM_DECIDED;
    return STREAM_QUIET;
}

static enum stream_step take_reply(struct stream *stream, const struct received *part, int64_t now_ns)
{
    bool known = part->status == 200 || part->status == 202;
    if (!known)
        return part->status == 404 || stream->about == STREAM_DECIDED ? STREAM_OVER : STREAM_QUIET; /* forgotten; in vain */
    if (operation_is_open(part) && hash_slice(part->body) == stream->told) {
        stream->about = operation_is_running(part) ? STREAM_RUNNING : STREAM_WAITING;
        return STREAM_QUIET;
    }
    tell(stream, part, now_ns);
    return STREAM_EVENT;
}

/* No answer: another may come, unless it is the end that cannot be learned. */
static enum stream_step take_failure(const struct stream *stream, enum outcome outcome)
{
    bool in_vain = outcome == OUTCOME_UNSENT || outcome == OUTCOME_UNCERTAIN;
    return in_vain && stream->about != STREAM_DECIDED ? STREAM_QUIET : STREAM_OVER;
}

enum stream_step stream_take(struct stream *stream, enum outcome outcome, const struct received *part, int64_t now_ns)
{
    enum stream_step step = outcome == OUTCOME_NEWS       ? take_news(stream)
                            : outcome == OUTCOME_REPLIED  ? take_reply(stream, part, now_ns)
                            : outcome == OUTCOME_DEADLINE ? STREAM_QUIET
                            : outcome == OUTCOME_NUDGED   ? STREAM_COMMENT
                                                          : take_failure(stream, outcome);
    if (step == STREAM_QUIET && now_ns - stream->spoke_ns >= STREAM_SILENCE_NS)
        step = STREAM_COMMENT;
    if (step == STREAM_COMMENT)
        stream->spoke_ns = now_ns;
    return step;
}
