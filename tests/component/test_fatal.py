# SPDX-License-Identifier: Apache-2.0
"""A producer that cannot go on: its process answers what waits, ends with 1, and is replaced."""

import os
import pathlib
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from http_client import Http
from processes import BUILD, ROOT, SLACK, once, sanitizer_env, scratch_folder, wait_for
from test_endings import Ending, item

RAISER = BUILD / "tests/libfatal_producer.so"


def environment(folder):
    """With it, a file in the folder with a program's name makes that program's producer fail for good."""
    asan = sanitizer_env()["ASAN_OPTIONS"] + ":verify_asan_link_order=0"
    return {"LD_PRELOAD": str(RAISER), "ROUNDTRIP_FATAL": str(folder), "ASAN_OPTIONS": asan}


class Fatal(Ending):
    weight = 20

    def begin(self, kind):
        cluster = self.start(compute_workers=0)
        self.folder = cluster.folder
        process = {"gateway": cluster.gateways, "item-worker": cluster.item_workers}[kind][0]
        process.environment = environment(self.folder)
        cluster.restart(process)
        wait_for("an item", lambda: cluster.http().post("/items/", item(1)).status in (200, 400))
        return cluster, process

    def raise_fatal(self, process):
        process.wanted = False
        (self.folder / f"roundtrip-{process.name.rsplit('-', 1)[0]}").touch()

    def test_gateway_answers_what_waits_and_ends_with_1(self):
        cluster, gateway = self.begin("gateway")
        worker = cluster.item_workers[0]
        worker.signal(19)  # SIGSTOP: so that requests wait
        asked = {"GET": (None, "Nothing was changed"), "PUT": ({"name": "m", "description": ""}, "may or may not"),
                 "DELETE": (None, "may or may not")}
        waiting = [(text, *self.in_background(lambda method=method, body=body: cluster.http().request(method, "/items/1", body)))
                   for method, (body, text) in asked.items()]
        with_key, keyed = self.in_background(lambda: cluster.http().post("/items/", item(2), Idempotency_Key="k"))
        time.sleep(1)
        began = time.monotonic()
        self.raise_fatal(gateway)
        for text, thread, results in waiting:
            thread.join()
            self.assertEqual(results[0].status, 503, results[0].body)
            self.assertIn(text, results[0].json()["detail"])
        with_key.join()
        self.assertIn("same Idempotency-Key", keyed[0].json()["detail"])
        self.assertLess(time.monotonic() - began, 1 + SLACK)
        self.assertEqual(gateway.popen.wait(10 * SLACK), 1, gateway.tail())
        self.assertLess(time.monotonic() - began, 3 + SLACK)
        self.assertIn("must be replaced", gateway.log())
        gateway.start().wait_ready()
        worker.signal(18)  # SIGCONT
        again = cluster.http().post("/items/", item(2), Idempotency_Key="k")
        self.assertEqual((again.status, again.header("etag")), (200, '"1"'), again.body)

    def test_worker_ends_with_1_and_its_commands_are_done_by_the_next(self):
        cluster, worker = self.begin("item-worker")
        answers = []

        def write():
            client, n = cluster.http(), 0
            while len(answers) < 60:
                answers.append(client.post("/items/", item(100 + n), Request_Timeout="30").status)
                n += 1
        thread, _ = self.in_background(write)
        wait_for("some writes", lambda: len(answers) > 20)
        self.raise_fatal(worker)
        self.assertEqual(worker.popen.wait(20 * SLACK), 1, worker.tail())
        worker.start().wait_ready()
        thread.join()
        self.assertEqual(set(answers), {200})


    def test_a_producer_of_parts_is_replaced_under_its_job(self):
        """It holds nothing that is not sent again, so neither the worker nor the job ends."""
        cluster = self.start(item_workers=0, worker_flags=["--checkpoint-interval", "200ms", "--parts-in-flight", "2"])
        worker = cluster.compute_workers[0]
        worker.environment = environment(cluster.folder)
        cluster.restart(worker)
        http = cluster.http(timeout=90)
        accepted = http.post("/computations/", {"kind": "primes", "params": {"n": 3_000_000_000}}, Prefer="respond-async")
        operation = accepted.header("location")
        wait_for("some parts", lambda: http.get(operation).json().get("progress", 0) > 0, 20)
        mark = cluster.folder / "roundtrip-compute-worker.parts"
        mark.touch()
        wait_for("its end", lambda: not mark.exists())
        wait_for("the job", lambda: http.get(operation).json()["state"] == "succeeded", 60)
        self.assertEqual(http.get(operation).json()["result"]["result"]["count"], 144449537)
        self.assertTrue(worker.running())
        self.assertIn("the producer of parts cannot go on; it is replaced", worker.log())


class Supervised(unittest.TestCase):
    """Under run-local: its supervisor starts another one."""

    weight = 15

    def deploy(self, script, *arguments):
        variables = {**os.environ, **sanitizer_env(), **environment(self.folder)}
        done = subprocess.run([str(ROOT / "deploy" / script), "--run-dir", str(self.folder / "run"), *arguments], text=True, env=variables,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    @once("run-local has a broker of its own")
    def test_gateway_is_replaced(self):
        scratch = scratch_folder()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.addCleanup(self.deploy, "stop-local")
        self.deploy("run-local", "--detach", "--port", "0", "--compute-workers", "0", "--no-build", "--no-install", "--build-dir", str(BUILD))
        run = self.folder / "run"
        port = int((run / "ready/gateway-1").read_text().split()[0].rstrip("/").rsplit(":", 1)[1])
        pid = (run / "pid/gateway-1.pid").read_text()
        self.assertEqual(Http(port).post("/items/", item(1)).status, 200)
        began = time.monotonic()
        (self.folder / "roundtrip-gateway").touch()

        def another_serves():
            try:
                return (run / "pid/gateway-1.pid").read_text() != pid and Http(port).get("/items/1").status == 200
            except OSError:
                return False
        wait_for("another gateway", another_serves, 20)
        print(f"fatal: another gateway serves after {time.monotonic() - began:.1f} s", flush=True)
        self.assertIn("gateway-1 ended by itself (exit 1)", (run / "log/supervisor.log").read_text())
        self.assertIn("must be replaced", (run / "log/gateway-1.log").read_text())
