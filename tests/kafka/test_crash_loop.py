# SPDX-License-Identifier: Apache-2.0
"""A command that ends its worker, again and again. On a real Kafka: its static members come back without a rebalance."""

import time

from processes import SLACK
from trial import TrialTest


class CrashLoop(TrialTest):
    weight = 40

    def test_a_command_that_ends_the_worker_is_found(self):
        worker = self.cluster.trial_workers[0]
        bombs = []
        before = [self.ask(f"near-{i}") for i in range(30)]
        for type in ("trial.put", "trial.pooled"):
            with self.subTest(type):
                bomb = f"bomb-{type}"
                (self.cluster.trial / f"crash-{bomb}").touch()
                id = self.ask(bomb, type=type)
                after = [self.ask(f"near-{i}", type="trial.pooled" if i % 3 == 0 else "trial.put") for i in range(30)]
                ends = 0
                end = time.monotonic() + 90 * SLACK
                while not self.dead_letters(id) and time.monotonic() < end:
                    if not worker.running():
                        ends += 1
                        worker.start()
                self.assertEqual([r.text("__dlq.errors.class") for r in self.dead_letters(id)], ["crashed"])
                self.assertEqual(self.answer(id).text(":status"), "500")
                for near in after:
                    self.assertEqual(self.answer(near, 30).text(":status"), "200")
                print(f"found after {ends} ends of the worker", flush=True)
                self.assertLessEqual(ends, 7)
                bombs.append(id)
        for near in before:
            self.assertEqual(self.answer(near).text(":status"), "200")
        self.assertEqual({r.text("ce_id") for r in self.dead.seen}, set(bombs), "no neighbour is blamed")
