/* SPDX-License-Identifier: Apache-2.0 */
/* Internal to worker/: what a `struct scan` of service.h is made of. */
#ifndef ROUNDTRIP_WORKER_SCAN_H
#define ROUNDTRIP_WORKER_SCAN_H

#include "state.h"
#include "worker/service.h"

struct scan {
    struct state *state;
    const struct partition *partition;
    char key[ENVELOPE_KEY_MAX];
    size_t key_len;
    struct slice value; /* borrowed from the state */
    bool valid;
};

#endif
