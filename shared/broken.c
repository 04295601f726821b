/* SPDX-License-Identifier: Apache-2.0 */
/* Which rules are broken in this process; built only where tests may break them. */
#include "broken.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[BROKEN_RULES] = {
    [BROKEN_EARLY_ANSWER] = "early-answer",    [BROKEN_NO_CONTIGUITY] = "no-contiguity",
    [BROKEN_NO_DEDUPE] = "no-dedupe",          [BROKEN_EARLY_READ] = "early-read",
    [BROKEN_SILENT_EXPIRY] = "silent-expiry",  [BROKEN_NO_REPAIR] = "no-repair",
    [BROKEN_EARLY_FINISH] = "early-finish",    [BROKEN_DECIDED_TWICE] = "decided-twice",
};

#define UNREAD (~0U)
static _Atomic unsigned rules = UNREAD;

static bool parse(const char *list, unsigned *ret_rules)
{
    *ret_rules = 0;
    while (list && *list) {
        size_t len = strcspn(list, ","), i = 0;
        while (i < BROKEN_RULES && (strlen(names[i]) != len || strncmp(names[i], list, len) != 0))
            i++;
        if (i == BROKEN_RULES)
            return false;
        *ret_rules |= 1U << i;
        list += len + (list[len] == ',');
    }
    return true;
}

bool broken_set(const char *list)
{
    unsigned wanted;
    if (!parse(list, &wanted))
        return false;
    atomic_store(&rules, wanted);
    return true;
}

bool broken(enum broken_rule rule)
{
    unsigned now = atomic_load_explicit(&rules, memory_order_relaxed);
    if (now == UNREAD) {
        if (!parse(getenv("ROUNDTRIP_BREAK"), &now)) {
            fputs("ROUNDTRIP_BREAK names a rule that broken.h does not know\n", stderr);
            exit(2);
        }
        atomic_store(&rules, now);
    }
    return now & (1U << rule);
}
