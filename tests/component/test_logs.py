# SPDX-License-Identifier: Apache-2.0
"""Log lines: JSON, levels at run time, what they are about, what is left out."""

import json
import signal
import subprocess

from cluster import BreakingTest, ClusterTest
from kafka_client import Direct
from metrics import admin_of
from processes import BUILD, wait_for

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


class JsonLogs(ClusterTest):
    options = {"compute_workers": 0, "gateway_flags": ["--admin-port", "0", "--log-format", "json"],
               "worker_flags": ["--admin-port", "0", "--log-format", "json"]}

    def lines(self, process):
        """Objects without a member twice."""
        def members(pairs):
            assert len(dict(pairs)) == len(pairs), pairs
            return dict(pairs)
        return [json.loads(line, object_pairs_hook=members) for line in process.log().splitlines()]

    def levels(self, process, method="GET", body=None):
        http = admin_of(process)
        self.addCleanup(http.close)
        return http.request(method, "/log-levels", body)

    def test_every_line_is_an_object(self):
        gateway, worker = self.cluster.gateways[0], self.cluster.item_workers[0]
        Direct(self.cluster.bootstrap).send("item.commands", 'k" level=error\n\xff', b"{}", {"ce_type": "nobody.knows", "ce_id": 'i"d level=error'})
        letter = self.wait_for("the dead letter", lambda: [x for x in self.lines(worker) if x.get("id") == 'i"d level=error'])[0]
        self.assertEqual((letter["msg"], letter["level"], letter["module"]), ("dead letter", "warn", "worker/bury"))
        self.assertIsInstance(letter["offset"], int)
        for process in (gateway, worker):
            for line in self.lines(process):
                self.assertLessEqual({"ts", "level", "service", "instance", "module", "msg"}, set(line))
                self.assertEqual(line["instance"], process.name)

    def test_one_module_at_debug_and_its_lines_are_about_commands(self):
        gateway = self.cluster.gateways[0]
        before = self.levels(gateway).json()
        self.assertEqual(before, {"level": "info", "modules": {}})
        changed = self.levels(gateway, "PUT", {"modules": {"gateway/flow": "debug"}})
        self.assertEqual((changed.status, changed.json()), (200, {"level": "info", "modules": {"gateway/flow": "debug"}}))
        http = self.http()
        http.request("GET", "/items/1", headers={"traceparent": PARENT, "Authorization": "Bearer not-in-a-log"})
        lines = self.wait_for("debug lines", lambda: [line for line in self.lines(gateway) if line["level"] == "debug" and line["msg"] == "answered"])
        self.assertEqual({line["module"] for line in self.lines(gateway) if line["level"] == "debug"}, {"gateway/flow"})
        self.assertEqual(lines[-1]["trace_id"], TRACE)
        self.assertTrue(lines[-1]["id"])
        self.assertNotIn("not-in-a-log", gateway.log())
        self.assertEqual(self.levels(gateway, "PUT", {"modules": {}}).json(), before)
        count = len(self.lines(gateway))
        http.get("/items/1")
        self.assertEqual(len(self.lines(gateway)), count)

    def test_a_workers_lines_have_the_trace(self):
        worker = self.cluster.item_workers[0]
        Direct(self.cluster.bootstrap).send("item.commands", "9", b"{}", {"ce_type": "nobody.knows.it", "ce_id": "traced", "traceparent": PARENT})
        line = self.wait_for("its dead letter", lambda: [x for x in self.lines(worker) if x["msg"] == "dead letter" and x["id"] == "traced"])[0]
        self.assertEqual(line["trace_id"], TRACE)

    def test_wrong_levels_change_nothing(self):
        worker = self.cluster.item_workers[0]
        for body in ("no", "[]", {"level": "loud"}, {"level": 1}, {"modules": {"a": "loud"}}, {"modules": {"": "info"}},
                     {"modules": {"x" * 60: "info"}}, {"modules": {f"m{i}": "info" for i in range(40)}}, {"levels": {}}):
            with self.subTest(body):
                self.assertProblem(self.levels(worker, "PUT", body), 422)
        self.assertEqual(self.levels(worker).json(), {"level": "info", "modules": {}})

    def test_sigusr1_switches_to_debug_and_back(self):
        worker = self.cluster.item_workers[0]

        def debug_lines():
            return sum(line["level"] == "debug" for line in self.lines(worker))
        worker.signal(signal.SIGUSR1)
        self.wait_for("debug", lambda: self.http().get("/items/1") and debug_lines() > 0)
        worker.signal(signal.SIGUSR1)

        def silent():
            count = debug_lines()
            self.http().get("/items/1")
            return debug_lines() == count
        self.wait_for("silence", silent)
        self.assertTrue(worker.running())


class Repeats(BreakingTest):
    def test_a_place_that_says_too_much_is_counted_instead(self):
        cluster = self.start(gateways=0, compute_workers=0, worker_flags=["--admin-port", "0", "--log-repeats", "5"])
        worker = cluster.item_workers[0]
        direct = Direct(cluster.bootstrap)
        for i in range(200):
            direct.producer.produce("item.commands", key=str(i), value=b"{}", headers=[("ce_type", b"nobody.knows")])
        direct.producer.flush(20)
        http = admin_of(worker)
        self.addCleanup(http.close)

        def accounted():
            text = worker.log()
            left_out = sum(int(part.split()[0]) for part in text.split(" left_out=")[1:])
            written = text.count('msg="dead letter"')
            direct.send("item.commands", "x", b"{}", {"ce_type": "nobody.knows"})
            return left_out > 0 and left_out + written >= 200 and written < 200
        wait_for("all said or counted", accounted, 20, step=1.1)

    def test_a_wrong_format_is_refused(self):
        for program in ("gateway/roundtrip-gateway", "item-worker/roundtrip-item-worker", "deploy/roundtrip-topics"):
            with self.subTest(program):
                done = subprocess.run([BUILD / program, "--log-format", "xml"], capture_output=True, text=True, timeout=30, check=False)
                self.assertEqual(done.returncode, 2)
                self.assertIn("log-format must be logfmt or json", done.stderr)
