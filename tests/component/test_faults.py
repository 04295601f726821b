# SPDX-License-Identifier: Apache-2.0
"""When a handler's dependency fails: attempts that keep order, dead letters, outages. tests/trial-worker fails on demand."""

import signal
import time

from processes import BROKER, SLACK, sanitizer_env
from trial import TrialTest

OUTAGE = 60 if BROKER == "kafka" else 6


class KeyQueue(TrialTest):
    options = {**TrialTest.options, "worker_flags": ["--key-queue", "8", "--breaker-pause-max", "2s"]}

    def test_many_behind_one_pause_the_partition_and_keep_their_order(self):
        self.fail_times("busy", 4)
        ids = [self.ask("busy", f'"{i}"'.encode()) for i in range(40)]
        replies = [self.answer(id) for id in ids]
        self.assertEqual([r.text("etag") for r in replies], [f'"{i + 1}"' for i in range(40)])
        self.assertEqual(self.cluster.trial_workers[0].tail(10_000).count("many commands wait behind one of their key"), 1)
        self.assertEqual(self.answer(self.ask("busy", type="trial.look")).value, b'"39"')


class Faults(TrialTest):
    weight = 60

    def test_a_transient_fault_is_tried_again(self):
        for type in ("trial.put", "trial.pooled"):
            with self.subTest(type):
                key = f"again-{type}"
                self.fail_times(key, 3)
                reply = self.answer(self.ask(key, type=type))
                self.assertEqual((reply.text(":status"), reply.text("etag")), ("200", '"1"'))
                self.assertEqual(len(self.calls(key)), 4)

    def test_order_is_kept_and_others_are_not_delayed(self):
        self.fail_times("slow", 4)
        ids = [self.ask("slow", f'"{i}"'.encode()) for i in range(3)]
        look = self.ask("slow", None, type="trial.look")
        times = []
        for i in range(100):
            began = time.monotonic()
            self.assertEqual(self.answer(self.ask(f"quick-{i}")).text(":status"), "200")
            times.append(time.monotonic() - began)
        replies = [self.answer(id) for id in ids]
        self.assertEqual([r.text("etag") for r in replies], ['"1"', '"2"', '"3"'])
        self.assertEqual(self.answer(look).value, b'"2"', "a read sent after them shows them all")
        self.assertEqual([c for c in self.calls("slow")], ['"0"'] * 5 + ['"1"', '"2"'])
        print(f"other keys while one retries: p99 {sorted(times)[98] * 1000:.1f} ms", flush=True)

    def test_attempts_used_up_is_a_dead_letter_and_does_not_bind(self):
        self.fail_times("never", 1000)
        id = self.ask("never")
        reply = self.answer(id)
        self.assertEqual(reply.text(":status"), "503")
        self.assertIn("does not answer", reply.json()["detail"])
        self.wait_for("the dead letter", lambda: self.dead_letters(id))
        letter = self.dead_letters(id)[0]
        self.assertEqual((letter.key, letter.value, letter.text("ce_type")), (b"never", b'"x"', "trial.put"))
        self.assertEqual(letter.text("__dlq.errors.class"), "exhausted")
        self.assertEqual(letter.text("__dlq.errors.message"), "the dependency does not answer")
        self.assertEqual(len(self.calls("never")), 5)
        self.fail_times("never", 2)  # and when it works, its attempts are counted anew
        self.ask("never", id=id)
        again = self.answer(id, skip=1)
        self.assertEqual((again.text(":status"), again.text("ce_replayed")), ("200", None))
        self.assertEqual(len(self.dead_letters(id)), 1)

    def test_a_permanent_fault_is_a_dead_letter_at_once(self):
        (self.cluster.trial / "broken-bad").touch()
        id = self.ask("bad")
        self.assertEqual(self.answer(id).text(":status"), "500")
        self.wait_for("the dead letter", lambda: self.dead_letters(id))
        self.assertEqual(self.dead_letters(id)[0].text("__dlq.errors.class"), "permanent")
        self.assertEqual(len(self.calls("bad")), 1)

    def test_attempts_survive_a_kill(self):
        self.fail_times("killed", 1000)
        id = self.ask("killed", type="trial.slow")
        for calls in (2, 4):
            self.wait_for("some attempts", lambda: len(self.calls("killed")) >= calls, 20)
            time.sleep(0.1)  # the count is acknowledged
            self.cluster.restart(self.cluster.trial_workers[0], kill=True, wipe_state=calls == 4)
        self.assertEqual(self.answer(id, 40).text(":status"), "503")
        self.assertEqual(len(self.calls("killed")), 6)

    def test_a_deadline_that_comes_first_is_answered_in_time(self):
        self.fail_times("hurry", 1000)
        began = time.monotonic()
        reply = self.answer(self.ask("hurry", type="trial.slow", seconds=1.5))
        self.assertEqual((reply.text(":status"), reply.text("retry-after")), ("503", "1"))
        self.assertLess(time.monotonic() - began, 1.5 * SLACK)
        self.assertEqual(self.dead_letters(reply.text("ce_correlationid")), [])

    def test_a_deadline_behind_one_that_is_tried_again_is_answered_in_time(self):
        (self.cluster.trial / "down").touch()
        patient = [self.ask(f"before-{i}") for i in range(10)]
        self.wait_for("an outage", lambda: "breaker opens" in self.cluster.trial_workers[0].log())
        began = time.monotonic()
        reply = self.answer(self.ask("before-1", seconds=2), 10)
        self.assertEqual(reply.text(":status"), "503")
        self.assertGreaterEqual(int(reply.text("retry-after")), 1)
        self.assertLess(time.monotonic() - began, 2 * SLACK)
        (self.cluster.trial / "down").unlink()
        for id in patient:
            self.assertEqual(self.answer(id, 30).text(":status"), "200")
        self.assertEqual(self.answer(self.ask("before-1", type="trial.look")).text("etag"), '"1"')

    def test_a_list_that_meets_a_fault_is_told_so(self):
        self.fail_times("lister", 1)
        reply = self.answer(self.ask("lister", type="trial.list"))
        self.assertEqual((reply.text(":status"), reply.text("retry-after")), ("503", "1"))
        self.assertIn("does not answer", reply.json()["detail"])

    def test_an_outage_is_not_poison(self):
        """Many keys fail: nothing is dead-lettered, callers hear in time, and all is done when it is over."""
        down = self.cluster.trial / "down"
        down.touch()
        patient = [self.ask(f"patient-{i}") for i in range(40)]
        hurried = self.ask("hurried", seconds=3)
        reply = self.answer(hurried, 5)
        self.assertEqual(reply.text(":status"), "503")
        self.assertGreaterEqual(int(reply.text("retry-after")), 1)
        time.sleep(OUTAGE)
        attempts = len(self.calls("patient-0"))
        down.unlink()
        for id in patient:
            self.assertEqual(self.answer(id, 30).text(":status"), "200")
        self.assertEqual([id for id in patient + [hurried] if self.dead_letters(id)], [])
        self.assertLess(attempts, 5 + OUTAGE, "one probe at a time")
        log = self.cluster.trial_workers[0].log()
        self.assertIn("breaker opens", log)
        self.assertIn("breaker closes", log)


class Poison(TrialTest):
    def test_poison_on_many_keys_does_not_hold_up_the_others(self):
        """Many keys never work: that looks like an outage until one of the others is tried, so each must have its turn."""
        for i in range(12):
            self.fail_times(f"poison-{i}", 100_000)
            self.ask(f"poison-{i}")
        self.wait_for("an outage", lambda: "breaker opens" in self.cluster.trial_workers[0].log())
        good = [self.ask(f"good-{i}") for i in range(20)]
        for id in good:
            self.assertEqual(self.answer(id, 60).text(":status"), "200")

    def test_restarts_in_an_outage_blame_nobody(self):
        down = self.cluster.trial / "down"
        down.touch()
        waiting = [self.ask(f"wait-{i}", type="trial.slow") for i in range(20)]
        for _ in range(4):
            time.sleep(1)
            self.cluster.restart(self.cluster.trial_workers[0], kill=False)
        down.unlink()
        for id in waiting:
            self.assertEqual(self.answer(id, 60).text(":status"), "200")
        self.assertEqual([id for id in waiting if self.dead_letters(id)], [])


class Stop(TrialTest):
    # its thread is left behind, which ThreadSanitizer is to take as meant
    options = {**TrialTest.options,
               "worker_environment": {"TSAN_OPTIONS": sanitizer_env()["TSAN_OPTIONS"] + ":report_thread_leaks=0"}}

    def test_a_handler_that_does_not_stop_does_not_keep_its_process(self):
        worker = self.cluster.trial_workers[0]
        (self.cluster.trial / "hang-stuck").touch()
        (self.cluster.trial / "calls").touch()
        id = self.ask("stuck", type="trial.pooled")
        self.wait_for("the call", lambda: self.calls("stuck"))
        worker.popen.send_signal(signal.SIGTERM)
        self.assertEqual(worker.popen.wait(10 * SLACK), 1)
        (self.cluster.trial / "hang-stuck").unlink()
        worker.start()
        self.assertEqual(self.answer(id, 30).text(":status"), "200")
