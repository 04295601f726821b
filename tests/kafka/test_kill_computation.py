# SPDX-License-Identifier: Apache-2.0
"""One long computation while its workers are killed again and again: the exact result, and little of the work done twice.

KILL_SECONDS is how much work it is, about, on one core (40); KILL_SEED repeats a run's kills.
"""

import os
import pathlib
import random
import re
import time

from cluster import ClusterTest
from processes import SLACK

SECONDS = int(os.environ.get("KILL_SECONDS") or 40)
SEED = int(os.environ.get("KILL_SEED") or random.randrange(1_000_000))
SAMPLES = 75_000_000  # a second's
KNOWN = {40: 2_356_235_797}  # by seconds: how many of its samples are inside, with seed 5 and in one piece
THREADS = 1
HOP = re.compile(r'ts=(\S+) .*module=worker/work msg="hop" id=(\S+) type=(\S+) partition=\d+ offset=\d+ stage=(\w+)')


class Life:
    """What one process of a worker did, by its log: one line for each stage of a command."""

    def __init__(self, text):
        self.computed, self.open, self.coordinates = [], set(), ""  # the last one: since when
        for when, id, kind, stage in HOP.findall(text):
            if kind == "compute.start" and stage == "running":
                self.coordinates = when
            if kind == "compute.part" and stage == "running":
                self.open.add(id)
            elif kind == "compute.part":
                self.open.discard(id)
                if stage == "appending":
                    self.computed.append(id)


class Killed(ClusterTest):
    weight = 90
    options = {"compute_workers": 3, "item_workers": 0, "gateway_flags": ["--deadline", "5s"],
               "worker_flags": ["--pool-threads", str(THREADS)],
               "worker_environment": {"ROUNDTRIP_CHECKPOINT_INTERVAL": "1s", "ROUNDTRIP_LOG_REPEATS": "0"}}

    @classmethod
    def setUpClass(cls):
        os.environ["ROUNDTRIP_TEST_LOG"] = "debug"
        super().setUpClass()
        cls.begins = {worker: [0] for worker in cls.cluster.compute_workers}  # where in its log each process of a worker began

    def lives(self, worker):
        data, begins = pathlib.Path(worker.log_path).read_bytes(), self.begins[worker]
        return [Life(data[begin:end].decode(errors="replace")) for begin, end in zip(begins, begins[1:] + [len(data)])]

    def coordinator(self):
        """Who was the last to begin; None when that process was killed."""
        lives = [(life, worker) for worker in self.cluster.compute_workers for life in self.lives(worker)]
        last, worker = max(lives, key=lambda one: one[0].coordinates)
        alive = worker.running() and last.coordinates and last.coordinates == self.lives(worker)[-1].coordinates
        return worker if alive else None

    def computed(self):
        return [id for worker in self.cluster.compute_workers for life in self.lives(worker) for id in life.computed]

    def kill(self, worker, away):
        worker.kill()
        self.begins[worker].append(worker.log_path.stat().st_size)
        self.away.append((time.monotonic() + away, worker))

    def bring_back(self, all_of_them=False):
        for back, worker in list(self.away):
            if all_of_them or time.monotonic() > back:
                self.away.remove((back, worker))
                worker.start()

    def ended(self, where):
        """None also while nobody owns its partition: that is answered 504."""
        operation = self.client.get(where)
        return operation.json() if operation.status == 200 and operation.json()["state"] in ("succeeded", "failed") else None

    def kill_until_the_end(self, where, before, rng):
        """
        Kills: the coordinator first, once some is done; then whichever. Some are back before they are missed, others are taken over. Each
        time something new was computed since the last kill: how long that takes is the machine's business, that it happens is ours.
        """
        kills, at_home, next_kill, done, end = 0, 0, 0.0, 2, time.monotonic() + (60 + 8 * SECONDS) * SLACK
        while not (operation := self.ended(where)):
            self.assertLess(time.monotonic(), end, "it does not come to an end")
            self.bring_back()
            running = [worker for worker in self.cluster.compute_workers if worker.running()]
            home = self.coordinator()
            due = time.monotonic() > next_kill and len(running) > 1
            count = len(set(self.computed()) - before)
            if due and (home or at_home > 0) and count >= done + 2:
                victim = home if at_home == 0 else rng.choice(running)
                at_home += victim is home
                kills, done = kills + 1, count
                self.kill(victim, rng.choice((0.2, 1, 9)))
                next_kill = time.monotonic() + rng.uniform(3, 7)
            time.sleep(0.2)
        self.bring_back(all_of_them=True)
        return operation, kills, at_home

    def reference(self, samples):
        if samples in (SAMPLES * seconds for seconds in KNOWN):
            return KNOWN[samples // SAMPLES]
        done = self.client.post("/computations/", {"kind": "pi", "params": {"samples": samples, "seed": 5}}, Prefer="respond-async")
        return self.wait_for("the same, undisturbed", lambda: self.ended(done.header("location")), 6 * SECONDS)["result"]["result"]["inside"]

    def test_killed_at_random(self):
        self.client = self.http()
        self.away, rng, samples = [], random.Random(SEED), SECONDS * SAMPLES
        print(f"kill: KILL_SECONDS={SECONDS} KILL_SEED={SEED}", flush=True)
        inside = self.reference(samples)
        before = set(self.computed())
        accepted = self.client.post("/computations/", {"kind": "pi", "params": {"samples": samples, "seed": 5}},
                                    Prefer="respond-async")
        self.assertEqual(accepted.status, 202, accepted.body)
        began = time.monotonic()
        operation, kills, at_home = self.kill_until_the_end(accepted.header("location"), before, rng)
        self.assertEqual((operation["state"], operation["result"]["result"]["inside"]), ("succeeded", inside), operation)
        parts = [id for id in self.computed() if id not in before]
        cut_short = sum(min(THREADS, len(life.open)) for worker in self.cluster.compute_workers for life in self.lives(worker)[:-1])
        count, computed = len(set(parts)), len(parts) + cut_short
        print(f"kill: {time.monotonic() - began:.0f} s, {kills} kills, {at_home} of them of the job's home; parts {count}, computed {computed} "
              f"({cut_short} of them cut short)", flush=True)
        self.assertGreaterEqual(kills, 3)
        self.assertGreaterEqual(at_home, 1)
        # What ran in the killed process, and of the five or so parts (parts-in-flight 16, three workers) that waited there those that were under
        # way elsewhere as well: up to 2.6 a kill seen on a machine where a part takes several times as long as is estimated, usually less than 1.
        self.assertLessEqual(computed - count, kills * (THREADS + 4))
