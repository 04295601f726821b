# SPDX-License-Identifier: Apache-2.0
"""Asynchronous answers: 202 and an operation that any gateway tells about, waits for, and cancels."""

import base64
import json
import re
import socket
import threading
import time
import uuid

from cluster import ClusterTest
from kafka_client import Direct
from processes import SLACK


def operation_id(service, command, key):
    """As any producer of commands can write it."""
    return base64.urlsafe_b64encode(f"{service}\n{command}\n{key}".encode()).decode().rstrip("=")


class Operations(ClusterTest):
    # in one piece: what is cut into parts tells its progress by whole parts only
    options = {"gateways": 2, "item_workers": 1, "compute_workers": 1, "worker_environment": {"ROUNDTRIP_CHECKPOINT_INTERVAL": "1h"}}
    weight = 30

    def accepted(self, response):
        self.assertEqual(response.status, 202, response.body)
        self.assertEqual(response.header("location"), "/operations/" + response.json()["id"])
        self.assertEqual(response.header("retry-after"), "1")
        return response.header("location")

    def create(self, id, gateway=0, **headers):
        return self.http(gateway).post("/items/", {"id": id, "name": "n", "description": "d"}, **headers)

    def start(self, n=3_000_000_000, **headers):
        """A computation of some seconds: its operation."""
        response = self.http().post("/computations/", {"kind": "primes", "params": {"n": n}}, **{"Prefer": "respond-async", **headers})
        return self.accepted(response)

    def test_at_once(self):
        response = self.create(9000, Prefer="respond-async")
        self.assertEqual(response.header("preference-applied"), "respond-async")
        where = self.accepted(response)
        for gateway in (0, 1):
            done = self.http(gateway).get(where, Prefer="wait=10")
            self.assertEqual(done.status, 200, done.body)
            self.assertEqual((done.json()["state"], done.json()["status"], done.json()["etag"]), ("succeeded", 200, '"1"'))
            self.assertEqual(done.json()["result"]["id"], 9000)
        self.assertEqual(self.http().get("/items/9000").status, 200)

    def test_quick_enough_is_answered(self):
        response = self.create(9001, Prefer="respond-async, wait=10")
        self.assertEqual((response.status, response.header("preference-applied")), (200, "wait=10"))

    def test_not_quick_enough_is_accepted(self):
        began = time.monotonic()
        response = self.http().post("/computations/", {"kind": "primes", "params": {"n": 5_000_000_000}}, Prefer="respond-async, wait=1")
        self.assertGreater(time.monotonic() - began, 0.9)
        self.assertEqual(response.header("preference-applied"), "respond-async, wait=1")
        where = self.accepted(response)
        running = self.http(1).get(where)
        self.assertEqual((running.status, running.json()["state"], running.header("retry-after")), (200, "running", "1"))
        self.assertEqual(self.http().delete(where).status, 202)

    def test_a_refusal_is_a_failed_operation(self):
        self.create(9002)
        where = self.accepted(self.create(9002, Prefer="respond-async"))
        done = self.http(1).get(where, Prefer="wait=10").json()
        self.assertEqual((done["state"], done["status"], done["result"]["detail"]), ("failed", 400, "Item already exists"))

    def test_waiting_ends_when_it_is_done(self):
        where = self.start(500_000_000)
        waits = [None, None]

        def wait(gateway):
            waits[gateway] = self.cluster.http(gateway, 60 * SLACK).get(where, Prefer="wait=50")
        threads = [threading.Thread(target=wait, args=(g,)) for g in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for response in waits:
            self.assertEqual((response.status, response.json()["state"]), (200, "succeeded"), response.body)
            self.assertEqual(response.json()["result"]["result"]["count"], 26355867)
            self.assertEqual(response.header("preference-applied"), "wait=50")

    def test_waiting_ends_when_its_time_is_over(self):
        where = self.start(9_000_000_000)
        began = time.monotonic()
        response = self.http().get(where, Prefer="wait=1")
        self.assertEqual((response.status, response.json()["state"]), (200, "running"))
        self.assertTrue(0.9 < time.monotonic() - began < 1 + 2 * SLACK)
        self.assertEqual(self.http().delete(where).status, 202)

    def test_cancelled(self):
        where = self.start(9_000_000_000)
        self.assertEqual(self.http().get(where).json()["state"], "running")
        began = time.monotonic()
        cancelled = self.http(1).delete(where)
        self.assertEqual((cancelled.status, cancelled.json()["state"]), (202, "cancelling"), cancelled.body)
        done = self.http().get(where, Prefer="wait=30").json()
        self.assertEqual((done["state"], done["status"]), ("failed", 409))
        self.assertLess(time.monotonic() - began, 2 * SLACK)
        self.assertIn("cancelled", done["result"]["detail"])
        self.assertProblem(self.http().delete(where), 409)

    def test_with_an_idempotency_key(self):
        key = uuid.uuid4().hex
        where = self.accepted(self.create(9003, Prefer="respond-async", Idempotency_Key=key))
        self.assertEqual(self.http(1).get(where, Prefer="wait=10").json()["state"], "succeeded")
        again = self.create(9003, gateway=1, Idempotency_Key=key)
        self.assertEqual((again.status, again.header("idempotency-replayed")), (200, "true"))

    def test_produced_directly(self):
        direct = Direct(self.cluster.bootstrap)
        direct.send("item.commands", "9004", {"id": 9004, "name": "n", "description": "d"}, {"ce_type": "item.create", "ce_id": "own-id"})
        done = self.http().get("/operations/" + operation_id("item", "own-id", "9004"), Prefer="wait=10")
        self.assertEqual((done.status, done.json()["state"]), (200, "succeeded"), done.body)

    def test_there_is_no_such_operation(self):
        for id in ("x", "", operation_id("nobody", "a", "1"), operation_id("item", "a", "not-a-number"), operation_id("item", "a", "")):
            with self.subTest(id):
                self.assertIn(self.http().get(f"/operations/{id}").status, (404, 422) if "bm90" in id or id else (404,))
        self.assertProblem(self.http().get("/operations/" + operation_id("item", "nobody-asked", "1")), 404)
        self.assertProblem(self.http().delete("/operations/" + operation_id("item", "nobody-asked", "1")), 404)

    def test_after_every_process_was_started_anew(self):
        where = self.accepted(self.create(9005, Prefer="respond-async"))
        self.assertEqual(self.http().get(where, Prefer="wait=10").json()["state"], "succeeded")
        for process in self.cluster.item_workers + self.cluster.gateways:
            self.cluster.restart(process)
        done = self.http(1).get(where, Prefer="wait=10")
        self.assertEqual((done.status, done.json()["state"]), (200, "succeeded"), done.body)

    def stream(self, where, gateway=0, seconds=60, headers=""):
        """All that comes until the server ends it: the headers and the events' data."""
        with socket.create_connection(("127.0.0.1", self.cluster.port(gateway)), seconds * SLACK) as sock:
            sock.sendall(f"GET {where}/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n".encode())
            received = b""
            while chunk := sock.recv(65536):
                received += chunk
        head, _, body = received.partition(b"\r\n\r\n")
        return head.decode().lower(), [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: ")]

    def test_streamed(self):
        where = self.start(500_000_000)
        head, events = self.stream(where)
        self.assertIn("content-type: text/event-stream", head)
        self.assertEqual((events[0]["state"], events[-1]["state"]), ("running", "succeeded"))
        self.assertEqual(events[-1]["result"]["result"]["count"], 26355867)
        head, events = self.stream(where, gateway=1)
        self.assertEqual([e["state"] for e in events], ["succeeded"], "one that is over has one event")
        self.assertProblem(self.http().get("/operations/" + operation_id("item", "nobody-asked", "1") + "/events"), 404)

    def assertGrows(self, shares):
        self.assertEqual(shares, sorted(set(shares)), "only what has changed is told, and it never goes back")
        self.assertTrue(all(0 <= share <= 1 for share in shares), shares)

    def test_progress_is_streamed(self):
        where = self.start(7_000_000_000)
        self.cluster.add_gateway(flags=["--progress-interval", "200ms"])
        head, events = self.stream(where, len(self.cluster.gateways) - 1, headers="Request-Timeout: 1\r\n")
        self.assertEqual(events[-1]["state"], "succeeded")
        shares = [e["progress"] for e in events[:-1] if "progress" in e]
        self.assertGreater(len(shares), 5, events)
        self.assertGrows(shares)
        self.assertGreater(shares[-1], 0.5)
        self.assertNotIn("progress", events[-1])

    def test_many_streams_take_turns(self):
        """300 streams that would all ask ten times a second: the worker gets 500 questions a second at most."""
        where = self.start(9_000_000_000)
        gateway = self.cluster.add_gateway(flags=["--progress-interval", "100ms"])
        port = self.cluster.port(len(self.cluster.gateways) - 1)
        began = time.monotonic()
        streams = [socket.create_connection(("127.0.0.1", port), 30 * SLACK) for _ in range(300)]
        for sock in streams:
            sock.sendall(f"GET {where}/events HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        for sock in streams:
            self.assertIn(b" 200 ", sock.recv(4096).split(b"\r\n")[0])
        for sock in streams:
            self.assertIn(b'"progress"', sock.recv(4096), "each is told")
        time.sleep(2)
        self.assertEqual(self.http().delete(where).status, 202)
        for sock in streams:
            received = b""
            while b"cancelled" not in received:
                received += sock.recv(65536)
            sock.close()
        took = time.monotonic() - began
        self.assertEqual(gateway.stop(), 0)
        questions = int(re.findall(r"served.* commands=(\d+)", gateway.log())[-1]) - 2 * len(streams)
        print(f"{len(streams)} streams: {questions / took:.0f} questions a second for {took:.1f} s", flush=True)
        self.assertLess(questions, 500 * took * 1.1)
        self.assertGreater(questions, 2 * len(streams))

    def test_progress_of_who_waits_is_the_newest(self):
        where = self.start(9_000_000_000)
        at_once = self.http().get(where).json()
        began = time.monotonic()
        later = self.http(1).get(where, Prefer="wait=2")
        self.assertGreater(time.monotonic() - began, 1.9)
        now = self.http().get(where).json()
        self.assertEqual((later.status, later.json()["state"], later.header("preference-applied")), (200, "running", "wait=2"))
        first, middle, last = at_once.get("progress", 0), later.json()["progress"], now["progress"]
        self.assertLess(first, middle)
        self.assertLess(last - middle, (middle - first) / 2, "that of the end of the wait, not of its beginning")
        self.assertEqual(self.http().delete(where).status, 202)

    def test_a_stream_outlives_the_time_of_its_first_question(self):
        where = self.start(9_000_000_000)
        ended = []
        thread = threading.Thread(target=lambda: ended.append(self.stream(where, headers="Request-Timeout: 1\r\n")))
        thread.start()
        time.sleep(2.5)
        self.assertEqual(self.http(1).delete(where).status, 202)
        thread.join()
        self.assertEqual((ended[0][1][-1]["state"], ended[0][1][-1]["status"]), ("failed", 409))

    def test_streams_end_when_the_gateway_does(self):
        where = self.start(9_000_000_000)
        gateway = self.cluster.add_gateway()
        at = len(self.cluster.gateways) - 1
        ended = []
        threads = [threading.Thread(target=lambda: ended.append(self.stream(where, at))) for _ in range(5)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        began = time.monotonic()
        self.assertEqual(gateway.stop(), 0)
        for thread in threads:
            thread.join()
        self.assertLess(time.monotonic() - began, 8 * SLACK)
        self.assertEqual([{e["state"] for e in events} for _, events in ended], [{"running"}] * 5)
        self.assertEqual(self.http().delete(where).status, 202)

    def test_a_client_that_leaves_its_stream(self):
        where = self.start(9_000_000_000)
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", self.cluster.port()), 10) as sock:
                sock.sendall(f"GET {where}/events HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                self.assertIn(b"200", sock.recv(4096))
        self.assertEqual(self.http().delete(where).status, 202)
        self.assertEqual(self.http().get("/health/ready").status, 200)

    def test_many_wait_for_one(self):
        where = self.start(1_000_000_000)
        answers = []

        def wait():
            with_own = self.cluster.http(0, 60 * SLACK)
            answers.append(with_own.get(where, Prefer="wait=50").json()["state"])
            with_own.close()
        threads = [threading.Thread(target=wait) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(answers, ["succeeded"] * 50)
