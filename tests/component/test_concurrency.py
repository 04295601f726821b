# SPDX-License-Identifier: Apache-2.0
"""Many callers at once on the same things: one effect each, no lost update, limits that hold, nobody in another's way."""

import os
import re
import signal
import socket
import threading
import time
import unittest

from callers import at_once
from cluster import ClusterTest
from http_client import raw_exchange
from processes import SANITIZED, SLACK

MIB = 1 << 20


def item(id, name="n", description="d"):
    return {"id": id, "name": name, "description": description}


class SameItem(ClusterTest):
    options = {"gateways": 2, "compute_workers": 0}

    def test_of_many_creations_one_wins(self):
        for id in range(8001, 8006):
            answers = at_once(12, lambda n: self.cluster.http(n % 2).post("/items/", item(id, f"from {n}")))
            won = [n for n, answer in enumerate(answers) if answer.status == 200]
            self.assertEqual(sorted(answer.status for answer in answers), [200] + [400] * 11)
            got = self.http().get(f"/items/{id}")
            self.assertEqual((got.json()["name"], got.header("etag")), (f"from {won[0]}", '"1"'))

    def test_no_update_is_lost_with_if_match(self):
        """Callers that count by reading, adding one and writing back under If-Match: every success counts once."""
        id, each = 8010, 15
        self.http().post("/items/", item(id, "counter", "0"))

        def count(number):
            client, done = self.cluster.http(number % 2), 0
            while done < each:
                seen = client.get(f"/items/{id}")
                body = {"name": "counter", "description": str(int(seen.json()["description"]) + 1)}
                written = client.put(f"/items/{id}", body, If_Match=seen.header("etag"))
                self.assertIn(written.status, (200, 412), written.body)
                done += written.status == 200
        at_once(4, count)
        end = self.http().get(f"/items/{id}")
        self.assertEqual((end.json()["description"], end.header("etag")), (str(4 * each), f'"{4 * each + 1}"'))

    def test_one_key_from_many_callers_is_one_effect(self):
        answers = at_once(12, lambda n: self.cluster.http(n % 2).post("/items/", item(8020), Idempotency_Key="once-8020"))
        self.assertEqual({(answer.status, answer.body, answer.header("etag")) for answer in answers},
                         {(200, answers[0].body, '"1"')})
        self.assertEqual([answer.header("idempotency-replayed") for answer in answers].count(None), 1)
        put = self.http().put("/items/8020", {"name": "m", "description": ""})
        self.assertEqual(put.header("etag"), '"2"')

    def test_a_write_is_read_by_whoever_asks_next(self):
        """Read your writes, through the other gateway."""
        one, other = self.http(0), self.http(1)
        one.post("/items/", item(8030))
        for n in range(50):
            one, other = other, one
            self.assertEqual(one.put("/items/8030", {"name": str(n), "description": ""}).status, 200)
            self.assertEqual(other.get("/items/8030").json()["name"], str(n))


class Connections(ClusterTest):
    options = {"compute_workers": 0, "gateway_flags": ["--max-pending", "4", "--max-connections", "40", "--idle-timeout", "2s"]}

    def setUp(self):
        self.http().post("/items/", item(1))

    def stopped_worker(self):
        worker = self.cluster.item_workers[0]
        worker.signal(signal.SIGSTOP)
        self.addCleanup(worker.signal, signal.SIGCONT)
        return worker

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.cluster.gateways[0].pid}/fd"))

    def test_requests_behind_each_other_are_answered_in_order(self):
        for id in range(8100, 8110):
            self.http().post("/items/", item(id))
        requests = b"".join(b"GET /items/%d HTTP/1.1\r\nHost: x\r\n%s\r\n" % (id, b"Connection: close\r\n" if id == 8109 else b"")
                            for id in range(8100, 8110))
        received = raw_exchange(self.cluster.port(), requests)
        self.assertEqual([int(id) for id in re.findall(rb'\{"id":(\d+)', received)], list(range(8100, 8110)))

    def test_more_than_may_wait_is_refused_at_once(self):
        worker = self.stopped_worker()
        answers = []
        waiting = [threading.Thread(target=lambda: answers.append(self.cluster.http().get("/items/1").status)) for _ in range(4)]
        for thread in waiting:
            thread.start()
        time.sleep(0.5)
        began = time.monotonic()
        refused = self.http().get("/items/1", Prefer="wait=2")
        self.assertLess(time.monotonic() - began, 0.5 * SLACK)
        self.assertProblem(refused, 503)
        self.assertTrue(refused.header("retry-after"))
        worker.signal(signal.SIGCONT)
        for thread in waiting:
            thread.join()
        self.assertEqual(answers, [200] * 4)
        self.assertEqual(self.http().get("/items/1").status, 200)

    def test_callers_that_leave_disturb_nobody(self):
        worker = self.stopped_worker()
        client = self.http()
        self.assertEqual(client.get("/health/live").status, 200)
        before = self.descriptors()
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", self.cluster.port())) as leaving:
                leaving.sendall(b"GET /items/1 HTTP/1.1\r\nHost: x\r\nPrefer: wait=1\r\n\r\n")
        time.sleep(0.2)
        worker.signal(signal.SIGCONT)
        self.wait_for("an answer", lambda: client.get("/items/1").status == 200)
        for request in (b"POST /items/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
                        b"GET /ite", b""):
            for _ in range(5):
                with socket.create_connection(("127.0.0.1", self.cluster.port())) as leaving:
                    leaving.sendall(request)
        self.assertEqual(client.get("/items/1").status, 200)
        self.wait_for("the connections to be gone", lambda: self.descriptors() <= before)
        worker.signal(signal.SIGSTOP)  # and none of the four places is taken
        answers = []
        waiting = [threading.Thread(target=lambda: answers.append(self.cluster.http().get("/items/1").status)) for _ in range(4)]
        for thread in waiting:
            thread.start()
        time.sleep(0.5)
        worker.signal(signal.SIGCONT)
        for thread in waiting:
            thread.join()
        self.assertEqual(answers, [200] * 4)

    def refusal(self):
        received = raw_exchange(self.cluster.port(), b"GET /items/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return received if b"503 Service Unavailable" in received else None

    def test_too_many_connections_are_told_so(self):
        held = [socket.create_connection(("127.0.0.1", self.cluster.port())) for _ in range(40)]
        try:
            received = self.wait_for("a refusal", lambda: self.refusal())
            self.assertIn(b"Retry-After: ", received)
            head, body = received.split(b"\r\n\r\n", 1)
            self.assertIn(b"Content-Length: %d\r\n" % len(body), head + b"\r\n")
        finally:
            for connection in held:
                connection.close()

        def served():
            try:
                return self.http().get("/items/1").status == 200
            except OSError:
                return False
        self.wait_for("room", served)

    def test_a_slow_caller_does_not_hold_up_others(self):
        body = b'{"id":8120,"name":"slow","description":"d"}'
        text = (b"POST /items/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n" % len(body)) + body
        with socket.create_connection(("127.0.0.1", self.cluster.port())) as slow:
            for at in range(0, len(text), 12):
                slow.sendall(text[at:at + 12])
                self.assertEqual(self.http().get("/items/1").status, 200)
            slow.settimeout(10 * SLACK)
            self.assertIn(b" 200 ", slow.recv(4096).split(b"\r\n", 1)[0] + b" ")


class SharedReplyPartition(ClusterTest):
    options = {"gateways": 2, "compute_workers": 0, "gateway_flags": ["--reply-partition", "3"]}

    def test_each_gateway_drops_what_is_the_others(self):
        for id in range(8200, 8204):
            self.http().post("/items/", item(id))

        def read(number):
            client, id = self.cluster.http(number % 2), 8200 + number
            return [client.get(f"/items/{id}").json()["id"] == id for _ in range(30)]
        self.assertTrue(all(all(right) for right in at_once(4, read)))
        gateway = self.cluster.gateways[1]
        self.assertEqual(gateway.stop(), 0)
        counted = dict(re.findall(r"(\w+)=(\d+)", gateway.log().rsplit("served", 1)[1]))
        self.assertEqual(counted["matched"], "60")
        self.assertGreaterEqual(int(counted["foreign"]), 60)
        self.assertEqual((counted["malformed"], counted["late"], counted["duplicate"]), ("0", "0", "0"))


class LateReplies(ClusterTest):
    options = {"compute_workers": 0}

    def test_a_reply_after_its_deadline_reaches_nobody(self):
        worker = self.cluster.item_workers[0]
        client = self.http()
        client.post("/items/", item(8300, "first"))
        client.post("/items/", item(8301, "second"))
        worker.signal(signal.SIGSTOP)
        try:
            self.assertProblem(client.get("/items/8300", Prefer="wait=1"), 504)
        finally:
            worker.signal(signal.SIGCONT)
        for _ in range(20):  # on the same connection
            self.assertEqual(client.get("/items/8301").json()["name"], "second")
        gateway = self.cluster.gateways[0]
        self.assertEqual(gateway.stop(), 0)
        counted = dict(re.findall(r"(\w+)=(\d+)", gateway.log().rsplit("served", 1)[1]))
        self.assertEqual((counted["expired"], counted["late"]), ("1", "1"))

    def test_an_expired_write_has_no_effect(self):
        """In a cluster of its own gateway: the first test has stopped the other."""
        gateway = self.cluster.add_gateway()
        number = len(self.cluster.gateways) - 1
        worker = self.cluster.item_workers[0]
        self.assertTrue(gateway.running())
        worker.signal(signal.SIGSTOP)
        try:
            problem = self.assertProblem(self.cluster.http(number).post(
                "/items/", item(8310), Prefer="wait=1", Idempotency_Key="late-8310"), 504)
            self.assertIn("Idempotency-Key", problem["detail"])
            time.sleep(0.3)
        finally:
            worker.signal(signal.SIGCONT)
        self.assertProblem(self.cluster.http(number).get("/items/8310"), 404)
        again = self.cluster.http(number).post("/items/", item(8310), Idempotency_Key="late-8310")
        self.assertEqual((again.status, again.header("etag")), (200, '"1"'))


class Memory(ClusterTest):
    options = {"compute_workers": 0, "item_workers": 0}

    @unittest.skipIf(SANITIZED, "a sanitizer's allocator keeps what is freed")
    def test_what_connections_took_is_given_back(self):
        """Some 40 KiB each while they are open, and nothing soon after they have gone."""
        gateway = self.cluster.gateways[0]
        before = gateway.resident()
        crowd = [socket.create_connection(("127.0.0.1", self.cluster.port())) for _ in range(900)]
        for one in crowd:
            one.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertTrue(one.recv(4096).startswith(b"HTTP/1.1 200"))
        self.assertGreater(gateway.resident(), before + 20 * MIB)
        for one in crowd:
            one.close()
        self.wait_for("its memory to be given back", lambda: gateway.resident() < before + 8 * MIB, 15 * SLACK)
