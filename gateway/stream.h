/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stream of an operation's states does next: tell its client, ask the worker again, or wait. Decisions only, flow.c
 * acts; time is a parameter, clock_mono_ns().
 *
 * The end of an operation wakes its streams by itself (watch.h). Progress does not, so while it runs the worker is asked
 * again once in an interval; while it has not begun, whenever the stream has been silent for long.
 *
 * Each stream asks for itself: an answer shared among streams would need somebody to ask for the others, a successor when
 * that client leaves, and the others woken through their threads. Instead all streams of a gateway take turns, so many a
 * second at most: that bounds what they cost a worker whichever operations they are about. 5,000 streams hear of progress
 * every 10 s, and all of them of the end within 2.5 s.
 */
#ifndef ROUNDTRIP_GATEWAY_STREAM_H
#define ROUNDTRIP_GATEWAY_STREAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "answer.h"

/** So long a stream may be silent: proxies cut what is for much longer. */
#define STREAM_SILENCE_NS (INT64_C(15000) * 1000000)
/** Questions a second of all streams of a gateway together: about what runs, and as many about what has not begun. */
#define STREAM_QUESTIONS  500
/** About what is decided, when nobody waits for longer than for his turn. */
#define STREAM_LAST_QUESTIONS 2000

/** What a question is about. */
enum stream_about { STREAM_WAITING, STREAM_RUNNING, STREAM_DECIDED };

/** The turns of all streams. `interval_ns` is fixed, the rest zero at first; any thread. */
struct stream_pace {
    int64_t interval_ns; /* between two questions of one stream about what runs, at least */
    _Atomic uint32_t streams;
    _Atomic int64_t last_ns[STREAM_DECIDED + 1]; /* the last turn given, of each kind */
};

/** One stream. Zero-initialised: none. Its exchange's owner's. */
struct stream {
    bool counted;     /* in the pace */
    enum stream_about about; /* DECIDED: the worker is to be asked until it answers */
    uint64_t told;    /* hash of the document that its client has */
    int64_t spoke_ns; /* when something was sent last */
    int64_t turn_ns;  /* when to ask; 0: no turn taken yet */
};

/** The first document is told. */
void stream_begin(struct stream *stream, struct stream_pace *pace, const struct received *part, int64_t now_ns);
/** It is over, however; may never have begun. */
void stream_end(struct stream *stream, struct stream_pace *pace);

/** Takes a turn: the earliest one that keeps to the interval, if it has one, and to so many a second. */
int64_t stream_turn_ns(struct stream_pace *pace, enum stream_about about, int64_t now_ns);
/** True: ask now. False: wait until `*ret_until_ns`. */
bool stream_asks(struct stream *stream, struct stream_pace *pace, int64_t now_ns, int64_t *ret_until_ns);

enum stream_step {
    STREAM_EVENT,   /* tell `part` */
    STREAM_COMMENT, /* say something, to keep the connection and to notice when its client has left */
    STREAM_QUIET,   /* there is nothing to say */
    STREAM_OVER,    /* a client connects again, here or elsewhere */
};
/** A wait has ended, by `part` when it was a reply. */
enum stream_step stream_take(struct stream *stream, enum outcome outcome, const struct received *part, int64_t now_ns);

#endif
