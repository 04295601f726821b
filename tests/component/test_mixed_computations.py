# SPDX-License-Identifier: Apache-2.0
"""Computations of all kinds and sizes one after another: the worker's memory does not grow. MIXED_SECONDS=3600 makes it an hour."""

import concurrent.futures
import os
import pathlib
import random
import re
import statistics
import time

from cluster import ClusterTest
from processes import wait_for

SECONDS = int(os.environ.get("MIXED_SECONDS") or 20)
SEED = int(os.environ.get("MIXED_SEED") or 1)
CALLERS, ROUND = 4, 40
# Of memory of its own, from the second quarter of the time to the last one, nothing running: room for what allocators and clients of
# Kafka keep. Files that are mapped, such as the local copy's, are the system's to take back. An hour may not take more than 20 s.
GROWTH_MAX = 4 << 20


def job(rng):
    """Small ones mostly, some that are cut into parts."""
    large = rng.random() < 0.1
    return rng.choice([
        ("primes", {"n": rng.randrange(200_000_000 if large else 5_000_000)}),
        ("pi", {"samples": rng.randrange(1, 20_000_000 if large else 500_000), "seed": rng.randrange(1 << 40)}),
        ("matrix", {"n": rng.randrange(1, 1000 if large else 200), "seed": rng.randrange(1 << 40)}),
        ("mandelbrot", {"width": rng.randrange(1, 600 if large else 80), "height": 60, "center_x": -0.74, "center_y": 0.13,
                        "scale": 0.01 + rng.random(), "max_iterations": 2000}),
        ("statistics", {"numbers": [rng.gauss(0, 1) for _ in range(rng.randrange(1, 5000 if large else 200))]}),
        ("primes", {"n": -1}),
    ])


class Mixed(ClusterTest):
    weight, limit_seconds = 30, SECONDS + 300
    once = "a sanitizer's allocator keeps what is freed, and another broker changes nothing"
    options = {"item_workers": 0, "gateway_flags": ["--deadline", "60s"], "worker_environment": {"ROUNDTRIP_CHECKPOINT_INTERVAL": "50ms"}}

    def memory(self):
        """Bytes of its own, and with files that are mapped."""
        text = pathlib.Path(f"/proc/{self.cluster.compute_workers[0].pid}/status").read_text(encoding="ascii")
        return [int(re.search(rf"^{name}:\s+(\d+) kB", text, re.M).group(1)) << 10 for name in ("RssAnon", "VmRSS")]

    def one(self, http, rng):
        """One that is waited for, or now and then one that is cancelled."""
        if rng.random() < 0.05:
            accepted = http.post("/computations/", {"kind": "pi", "params": {"samples": 10_000_000_000, "seed": 1}}, Prefer="respond-async")
            where = accepted.header("location")
            time.sleep(rng.random() / 10)
            http.delete(where)
            return wait_for("the end of what is cancelled", lambda: (r := http.get(where)).status == 200 and r.json().get("status"), 20)
        kind, params = job(rng)
        return http.post("/computations/", {"kind": kind, "params": params}).status

    def round(self, pool, clients, rngs):
        def some(number):
            return [self.one(clients[number], rngs[number]) for _ in range(ROUND // CALLERS)]
        return [status for statuses in pool.map(some, range(CALLERS)) for status in statuses]

    def test_memory_does_not_grow(self):
        clients, rngs = [self.http() for _ in range(CALLERS)], [random.Random(SEED + i) for i in range(CALLERS)]
        began, samples, statuses = time.monotonic(), [], []
        with concurrent.futures.ThreadPoolExecutor(CALLERS) as pool:
            while (spent := time.monotonic() - began) < SECONDS or len(samples) < 12:
                found = self.round(pool, clients, rngs)
                self.assertLessEqual(set(found), {200, 409, 422})
                statuses += found
                samples.append((spent, *self.memory()))
        self.assertGreater(statuses.count(200), len(statuses) / 2)
        self.assertGreater(statuses.count(409), 0)
        end = samples[-1][0]
        warm = statistics.median(own for when, own, _ in samples if end / 4 <= when <= end / 2)
        late = statistics.median(own for when, own, _ in samples if when >= end * 3 / 4)
        print(f"mixed: {len(statuses)} computations in {time.monotonic() - began:.0f} s; own memory of the worker {warm / 2**20:.1f} MiB once "
              f"warm, {late / 2**20:.1f} at the end, {max(own for _, own, _ in samples) / 2**20:.1f} at most; resident in all "
              f"{samples[-1][2] / 2**20:.1f} (may grow by {GROWTH_MAX >> 20})", flush=True)
        self.assertLess(late - warm, GROWTH_MAX)
