# SPDX-License-Identifier: Apache-2.0
"""GET /debug/state of every process: its memory, what waits, its partitions and the commands in them."""

import threading

from cluster import ClusterTest
from metrics import admin_of
from processes import wait_for
from trial import TrialTest

ADMIN = {"gateway_flags": ["--admin-port", "0", "--lag-interval", "200ms"], "worker_flags": ["--admin-port", "0"]}


def state_of(process):
    http = admin_of(process)
    try:
        response = http.get("/debug/state")
        assert response.status == 200, response.body
        assert response.header("content-type") == "application/json"
        return response.json()
    finally:
        http.close()


class Debug(ClusterTest):
    options = ADMIN

    def long_job(self, key):
        return self.http().post("/computations/", {"kind": "pi", "params": {"samples": 10_000_000_000, "seed": 1}},
                                Prefer="respond-async", **{"Idempotency-Key": f'"{key}"'}).header("location")

    def test_the_process_and_its_memory(self):
        for process in self.cluster.everything:
            with self.subTest(process.name):
                found = state_of(process)["process"]
                self.assertEqual((found["pid"], found["instance"]), (process.pid, process.name))
                self.assertGreater(found["threads"], 3)
                memory = found["memory"]
                self.assertGreaterEqual(memory["resident_peak"], memory["resident"] - (1 << 20))
                self.assertGreater(memory["resident"], memory["own"])
                self.assertGreater(memory["own"], 1 << 20)
                self.assertEqual(set(memory["heap"]), {"used", "kept", "mapped"})

    def test_a_workers_partitions(self):
        http = self.http()
        before = {p["partition"]: p for p in state_of(self.cluster.item_workers[0])["partitions"]}
        self.assertEqual(set(before), set(range(6)))
        for number in range(60):
            self.assertEqual(http.post("/items/", {"id": 1000 + number, "name": "n", "description": "d"}).status, 200)

        def settled():
            found = state_of(self.cluster.item_workers[0])["partitions"]
            return found if all(p["commands"] == 0 and p["events_appended"] == p["events_settled"] for p in found) else None
        after = wait_for("all settled", settled)
        for p in after:
            self.assertEqual((p["phase"], p["paused"], p["oldest"]), ("serving", False, []))
            self.assertTrue(p["claim"])
            self.assertGreater(p["state"]["used"], 0)
            self.assertEqual(p["committable_offset"], p["next_offset"])
        grown = sum(p["next_event_offset"] - before[p["partition"]]["next_event_offset"] for p in after)
        self.assertEqual(grown, 60)

    def test_a_command_that_runs_is_shown_until_it_ends(self):
        where = self.long_job("debug-1")
        worker = self.cluster.compute_workers[0]

        def running():
            state = state_of(worker)
            return [c for p in state["partitions"] for c in p["oldest"] if c["stage"] == "running" and c["type"] == "compute.start"]
        command = wait_for("it to run", running)[0]  # its parts run too
        self.assertEqual((command["id"], command["type"], command["attempts"]), ("idem:POST:/computations:debug-1", "compute.start", 0))
        self.assertEqual(command["cancelled"], False)
        older = wait_for("more progress", lambda: (lambda c: c if c and c[0]["running_ms"] > command["running_ms"] else None)(running()))[0]
        self.assertGreater(older["age_ms"], command["age_ms"])
        self.assertGreaterEqual(state_of(worker)["pool"]["running"], 1)
        self.assertEqual(self.http().delete(where).status // 100, 2)
        wait_for("its end", lambda: running() == [])

    def test_what_waits_at_the_gateway(self):
        where = self.long_job("debug-2")
        gateway = self.cluster.gateways[0]
        self.assertEqual(state_of(gateway)["pending"]["nearest"], [])
        waiter = threading.Thread(target=lambda: self.cluster.http().get(where, Prefer="wait=20"))
        waiter.start()
        found = wait_for("it to wait for news", lambda: [r for r in state_of(gateway)["pending"]["nearest"] if r["waits_for"] == "news"])
        self.assertEqual((found[0]["method"], found[0]["route"], len(found)), ("GET", "/operations/{id}", 1))
        self.assertLess(found[0]["ends_in_ms"], 20_001)
        self.assertEqual(self.http().delete(where).status // 100, 2)
        waiter.join()
        wait_for("nothing waits", lambda: state_of(gateway)["pending"] == {"count": 0, "max": 10000, "nearest": []})

    def test_what_a_gateway_knows_of_the_services(self):
        def known():
            state = state_of(self.cluster.gateways[0])
            return state if all(p["behind"] == 0 for s in state["services"] for p in s["partitions"]) else None
        state = wait_for("all lags", known)
        self.assertEqual({s["service"]: (s["breaker"], len(s["partitions"])) for s in state["services"]},
                         {"item": ("closed", 6), "compute": ("closed", 6)})
        self.assertEqual(state["ready"], True)

    def test_who_may_ask(self):
        for process in self.cluster.everything:
            with self.subTest(process.name):
                http = admin_of(process)
                self.addCleanup(http.close)
                self.assertProblem(http.get("/debug/state", Host="evil.example"), 403)
                self.assertProblem(http.get("/debug/state", Origin="http://evil.example"), 403)
                self.assertProblem(http.post("/debug/state", {}), 405)
        self.assertProblem(self.http().get("/debug/state"), 404)


class Stuck(TrialTest):
    """A handler that blocks the loop: the listener answers all the same."""

    options = {**TrialTest.options, "worker_flags": ["--admin-port", "0", "--handler-limit", "20s"]}

    def test_a_loop_that_stands_still_is_said(self):
        worker = self.cluster.trial_workers[0]
        self.assertEqual(len(state_of(worker)["partitions"]), 6)
        hang = self.cluster.trial / "hang-stuck"
        hang.touch()
        self.ask("stuck")
        state = wait_for("the loop to stand", lambda: (lambda s: s if s["partitions"] is None else None)(state_of(worker)), 15)
        self.assertGreaterEqual(state["loop"]["turned_ms_ago"], 1500)
        hang.unlink()
        state = wait_for("it to go on", lambda: (lambda s: s if s["partitions"] else None)(state_of(worker)), 15)
        self.assertLess(state["loop"]["turned_ms_ago"], 1000)
