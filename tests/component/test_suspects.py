# SPDX-License-Identifier: Apache-2.0
"""A long job in a worker that is killed again and again: neither it nor its neighbours are blamed, and nobody waits for it."""

import time

from processes import SLACK
from trial import TrialTest


class LongJob(TrialTest):
    def others(self, calls):
        began = time.monotonic()
        others = [self.ask(f"other-{calls}-{i}", type="trial.pooled" if i % 3 == 0 else "trial.put") for i in range(12)]
        for other in others:
            self.assertEqual(self.answer(other, 20).text(":status"), "200")
        took = time.monotonic() - began
        print(f"12 others beside a long job in process {calls}: {took:.1f} s", flush=True)
        self.assertLess(took, 5 * SLACK)

    def test_the_others_do_not_wait_for_it(self):
        worker = self.cluster.trial_workers[0]
        share = self.cluster.trial / "share-long"
        share.write_text("1")
        self.addCleanup(lambda: share.unlink(missing_ok=True))
        (self.cluster.trial / "calls").touch()
        id = self.ask("long", type="trial.pooled")
        for calls in (1, 2, 3, 4):
            self.wait_for("the job", lambda: len(self.calls("long")) >= calls, 20)
            if calls > 2:  # the third claim in a row from the same command
                self.others(calls)
            if calls < 4:
                self.cluster.restart(worker, kill=True)
        share.unlink()
        self.assertEqual(self.answer(id, 30).text(":status"), "200")
        self.assertEqual(self.dead_letters(id), [])


class Restarts(TrialTest):
    def test_orderly_restarts_are_no_crashes(self):
        worker = self.cluster.trial_workers[0]
        share = self.cluster.trial / "share-calm"
        share.write_text("1")
        self.addCleanup(lambda: share.unlink(missing_ok=True))
        (self.cluster.trial / "calls").touch()
        id = self.ask("calm", type="trial.pooled")
        for calls in range(1, 5):
            self.wait_for("the job", lambda: len(self.calls("calm")) >= calls, 20)
            self.cluster.restart(worker)
        self.assertNotIn("came and went without progress", worker.log())
        share.unlink()
        self.assertEqual(self.answer(id, 30).text(":status"), "200")
