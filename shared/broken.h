/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of the journal that a test may take away, to show that it would notice (ARCHITECTURE.md, "The proof").
 *
 * Compiled in only with -DROUNDTRIP_BREAKABLE=ON; in every other build broken() is the constant false and costs nothing.
 * A breakable process takes its broken rules from the environment: ROUNDTRIP_BREAK=no-dedupe,early-answer
 */
#ifndef ROUNDTRIP_BROKEN_H
#define ROUNDTRIP_BROKEN_H

#include <stdbool.h>

enum broken_rule {
    BROKEN_EARLY_ANSWER,  /* "early-answer": a write is answered before its event is acknowledged */
    BROKEN_NO_CONTIGUITY, /* "no-contiguity": every acknowledged offset is taken for the next one */
    BROKEN_NO_DEDUPE,     /* "no-dedupe": a repeated command takes effect again */
    BROKEN_EARLY_READ,    /* "early-read": a read does not wait for the events before it */
    BROKEN_SILENT_EXPIRY, /* "silent-expiry": an expired write leaves no event */
    BROKEN_NO_REPAIR,     /* "no-repair": what void records hide is not appended again */
    BROKEN_EARLY_FINISH,  /* "early-finish": an offset may be committed before its command was answered */
    BROKEN_DECIDED_TWICE, /* "decided-twice": a record that was told "not now" is decided anew when it is delivered again */
    BROKEN_RULES,
};

#ifdef ROUNDTRIP_BREAKABLE
/** Is that rule broken in this process? Any thread. */
bool broken(enum broken_rule rule);
/** Breaks exactly the rules of a comma-separated list (NULL or "": none); false when a name is unknown. For tests. */
bool broken_set(const char *names);
#else
static inline bool broken(enum broken_rule rule)
{
    (void)rule;
    return false;
}
#endif

#endif
