/* SPDX-License-Identifier: Apache-2.0 */
/* The lanes of a worker's pool: each has threads of its own, so that what is in one never waits for another's. */
#ifndef ROUNDTRIP_WORKER_LANE_H
#define ROUNDTRIP_WORKER_LANE_H

enum lane {
    LANE_SHORT,      /* soon done; also where nothing is said */
    LANE_LONG,       /* computes for long: its threads give way to all others that want the cores */
    LANE_COORDINATE, /* waits for commands that it has sent, which run in the other two; hardly computes */
    LANES,
};

#endif
