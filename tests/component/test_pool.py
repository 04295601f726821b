# SPDX-License-Identifier: Apache-2.0
"""Work on the pool as a direct producer sees it: its progress, how long it took, and what waits behind it."""

import time

from kafka_client import Watch
from processes import SLACK
from trial import TrialTest


class Pool(TrialTest):
    options = {**TrialTest.options, "worker_flags": ["--pool-threads", "1"]}

    def work(self, key, **options):
        return self.ask(key, f'"{key}"'.encode(), type="trial.pooled", **options)

    def hold(self, key, percent=0):
        """The work of that key goes on until release()."""
        path = self.cluster.trial / f"share-{key}"
        new = path.with_name("new-" + path.name)
        new.write_text(f"{percent}\n")
        new.rename(path)

    def release(self, key):
        (self.cluster.trial / f"share-{key}").unlink()

    def operation(self, key, id):
        reply = self.answer(self.ask(key, None, type="trial.operation", ce_subject=id))
        return reply.text(":status"), reply.json()

    def worked_ms(self, reply):
        timing = reply.text("server-timing")
        self.assertRegex(timing, r"^work;dur=[0-9]+\.[0-9]{3}$")
        return float(timing.partition("=")[2])

    def test_progress(self):
        self.hold("p", 25)
        id = self.work("p")
        self.wait_for("its progress", lambda: self.operation("p", id) == ("202", {"state": "running", "progress": 0.25}))
        self.hold("p", 99)
        self.wait_for("more of it", lambda: self.operation("p", id)[1]["progress"] == 0.99)
        self.hold("p", 50)
        time.sleep(0.1)
        self.assertEqual(self.operation("p", id)[1]["progress"], 0.99, "it never goes back")
        behind = self.ask("p", b'"then"')
        self.assertEqual(self.operation("p", behind), ("202", {"state": "pending"}))
        self.release("p")
        self.answer(id)
        status, done = self.operation("p", id)
        self.assertEqual((status, done["state"], "progress" in done), ("200", "succeeded", False))

    def test_progress_begins_anew_in_another_process(self):
        self.hold("again", 80)
        id = self.work("again")
        self.wait_for("its progress", lambda: self.operation("again", id)[1].get("progress") == 0.8)
        self.hold("again", 10)
        self.cluster.restart(self.cluster.trial_workers[0], kill=True)
        self.wait_for("its progress in another process", lambda: self.operation("again", id)[1].get("progress") == 0.1)
        self.release("again")
        self.assertEqual(self.answer(id).text(":status"), "200")

    def test_how_long_it_was_worked_on(self):
        """Working is told from waiting, and a repetition has not worked."""
        self.hold("long")
        long = self.work("long")
        self.wait_for("it to run", lambda: "progress" in self.operation("long", long)[1])
        behind = self.work("behind")
        time.sleep(1)
        self.release("long")
        self.assertTrue(1000 <= self.worked_ms(self.answer(long)) <= 3000 * SLACK)
        self.assertLess(self.worked_ms(self.answer(behind)), 500)
        self.work("long", id=long)
        again = self.answer(long, skip=1)
        self.assertEqual((again.text("ce_replayed"), again.text("server-timing")), ("true", None))
        self.assertIsNone(self.answer(self.ask("long")).text("server-timing"), "inline")

    def test_what_expires_behind_long_work_is_not_begun(self):
        events = Watch(self.cluster.bootstrap, "trial.events")
        self.addCleanup(events.close)
        self.hold("first")
        first = self.work("first")
        self.wait_for("it to run", lambda: "progress" in self.operation("first", first)[1])
        late, in_time = self.work("late", seconds=1), self.work("in-time", seconds=60 * SLACK)
        time.sleep(1.2)
        self.release("first")
        reply = self.answer(late)
        self.assertEqual((reply.text(":status"), reply.text("server-timing")), ("504", None))
        self.assertIn("nothing was changed", reply.json()["detail"])
        self.assertEqual(self.answer(in_time).text(":status"), "200")
        self.assertEqual((self.calls("late"), self.calls("in-time")), ([], ['"in-time"']))
        event = events.find(lambda r: r.text("ce_id") == late)
        self.assertEqual((event.text(":status"), event.text("ce_binding"), event.value), ("504", "false", b""))
        self.work("late", id=late)  # with time enough it is tried
        self.assertEqual(self.answer(late, skip=1).text(":status"), "200")
