/* SPDX-License-Identifier: Apache-2.0 */
/* Turns, and what the end of a wait means to a stream. */
#include "stream.h"

#include "clock.h"
#include "hash.h"
#include "operation.h"

#define GAP_NS (1000 * CLOCK_NS_PER_MS / STREAM_QUESTIONS)

static void tell(struct stream *stream, const struct received *part, int64_t now_ns)
{
    stream->running = operation_is_running(part);
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

/* Turns lie GAP_NS apart. When there are more of them than streams, those of streams that have gone are among them: it begins anew. */
int64_t stream_turn_ns(struct stream_pace *pace, bool running, int64_t now_ns)
{
    _Atomic int64_t *last = &pace->last_ns[running];
    int64_t interval_ns = running || pace->interval_ns > STREAM_SILENCE_NS ? pace->interval_ns : STREAM_SILENCE_NS;
    int64_t last_ns = atomic_load(last), turn_ns;
    int64_t latest_ns = now_ns + interval_ns + (int64_t)atomic_load(&pace->streams) * GAP_NS;
    do {
        turn_ns = now_ns + interval_ns;
        if (turn_ns < last_ns + GAP_NS)
            turn_ns = last_ns + GAP_NS;
        if (turn_ns > latest_ns)
            turn_ns = now_ns + interval_ns;
    } while (!atomic_compare_exchange_weak(last, &last_ns, turn_ns));
    return turn_ns;
}

bool stream_asks(struct stream *stream, struct stream_pace *pace, int64_t now_ns, int64_t *ret_until_ns)
{
    if (stream->turn_ns == 0 && !stream->decided)
        stream->turn_ns = stream_turn_ns(pace, stream->running, now_ns);
    int64_t silent_ns = stream->spoke_ns + STREAM_SILENCE_NS;
    *ret_until_ns = silent_ns < stream->turn_ns ? silent_ns : stream->turn_ns;
    if (!stream->decided && stream->turn_ns > now_ns)
        return false;
    stream->turn_ns = 0; /* this was it */
    return true;
}

static enum stream_step take_reply(struct stream *stream, const struct received *part, int64_t now_ns)
{
    bool known = part->status == 200 || part->status == 202;
    if (!known)
        return part->status == 404 || stream->decided ? STREAM_OVER : STREAM_QUIET; /* forgotten by now; or asked in vain */
    bool told = operation_is_open(part) && hash_slice(part->body) == stream->told;
    stream->decided = false;
    if (told)
        return STREAM_QUIET;
    tell(stream, part, now_ns);
    return STREAM_EVENT;
}

enum stream_step stream_take(struct stream *stream, enum outcome outcome, const struct received *part, int64_t now_ns)
{
    enum stream_step step = STREAM_QUIET;
    if (outcome == OUTCOME_NEWS)
        stream->decided = true;
    else if (outcome == OUTCOME_REPLIED)
        step = take_reply(stream, part, now_ns);
    else if (outcome != OUTCOME_DEADLINE && (stream->decided || (outcome != OUTCOME_UNSENT && outcome != OUTCOME_UNCERTAIN)))
        step = STREAM_OVER;
    if (step == STREAM_QUIET && now_ns - stream->spoke_ns >= STREAM_SILENCE_NS) {
        stream->spoke_ns = now_ns;
        step = STREAM_COMMENT;
    }
    return step;
}
