# SPDX-License-Identifier: Apache-2.0
"""A command that ends its worker, again and again, by a crash or by never returning. On a real Kafka: its static members come back without a rebalance."""

import time

from processes import SLACK
from trial import TrialTest


class CrashLoop(TrialTest):
    options = {**TrialTest.options, "worker_flags": ["--handler-limit", "1s"]}
    weight = 60

    def test_a_command_that_ends_the_worker_is_found(self):
        worker = self.cluster.trial_workers[0]
        bombs = []
        before = [self.ask(f"near-{i}") for i in range(30)]
        for how, type in (("crash", "trial.put"), ("crash", "trial.pooled"), ("hang", "trial.put"), ("hang", "trial.list")):
            with self.subTest(f"{how} {type}"):
                bomb = f"{how}-{type}"
                (self.cluster.trial / f"{how}-{bomb}").touch()
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

    def test_a_handler_on_the_pool_that_does_not_stop(self):
        """Its deadline has passed by then: the worker that comes after it answers so."""
        worker = self.cluster.trial_workers[0]
        (self.cluster.trial / "hang-stuck").touch()
        id = self.ask("stuck", type="trial.pooled", seconds=2)
        self.wait_for("the end of the worker", lambda: not worker.running(), 30 * SLACK)
        self.assertIn("a handler on the pool does not stop", worker.tail())
        worker.start()
        self.assertEqual(self.answer(id, 60).text(":status"), "504")
        self.assertEqual(self.answer(self.ask("free", type="trial.pooled")).text(":status"), "200")
        self.assertEqual(self.dead_letters(id), [])
