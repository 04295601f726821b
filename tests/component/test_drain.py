# SPDX-License-Identifier: Apache-2.0
"""A gateway that is told to stop: who has a connection is answered, whatever the moment. Each test stops its gateway, so each has its own."""

import pathlib
import signal
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from crowd import Crowd
from http_client import raw_status
from processes import SLACK, wait_for
from test_endings import Ending

DELAY = ["--drain-delay", "3s"]


def item(id, name="n"):
    return {"id": id, "name": name, "description": "d"}


def load(client, n):
    """Two creations of items of their own, then a read."""
    id = (client + 1) * 1_000_000 + n
    return ("GET", "/items/1", None, 1) if n % 3 == 2 else ("POST", "/items/", item(id), id)


def read_all(sock):
    received = b""
    try:
        while chunk := sock.recv(65536):
            received += chunk
    except OSError:
        pass
    return received


class Drain(Ending):
    weight = 60

    def connect(self, cluster, text=b""):
        sock = socket.create_connection(("127.0.0.1", cluster.port()), 20 * SLACK)
        self.addCleanup(sock.close)
        sock.sendall(text)
        return sock

    def started(self, **options):
        """A gateway in use, and the moment of its SIGTERM is now."""
        cluster = self.start(compute_workers=0, **options)
        self.assertEqual(cluster.http().post("/items/", item(1)).status, 200)
        return cluster

    def stop(self, cluster):
        cluster.gateways[0].wanted = False
        cluster.gateways[0].signal(signal.SIGTERM)

    def ended(self, cluster, began, most, least=0.0):
        """With 0, that many seconds after SIGTERM."""
        gateway = cluster.gateways[0]
        self.assertEqual(gateway.popen.wait(30 * SLACK), 0, gateway.tail())
        took = time.monotonic() - began
        self.assertGreaterEqual(took, least)
        self.assertLess(took, most + SLACK - 1)

    def assertLast(self, received, status, body=b""):
        """One whole answer that closes its connection."""
        head, _, rest = received.partition(b"\r\n\r\n")
        self.assertEqual(raw_status(received), status, received)
        self.assertIn(b"connection: close", head.lower())
        length = [int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        self.assertEqual([len(rest)], length, received)
        self.assertIn(body, rest)

    def test_under_load(self):
        """No request that the gateway could have seen is without an answer, and what is without one had no effect."""
        cluster = self.started(gateways=2)
        crowd = Crowd(cluster.port(), load, keep=50, fresh=50, pause=0.02, seconds=20 * SLACK)  # some are between two requests
        try:
            wait_for("load", lambda: len(crowd.answered()) > 500, 30)
            began = time.monotonic()
            self.stop(cluster)
            self.ended(cluster, began, 5)
            crowd.thread.join(30 * SLACK)  # each client ends when it is refused
            self.assertFalse(crowd.thread.is_alive())
        finally:
            crowd.stop()
        after = [r for r in crowd.answered() if r.sent_at > began]
        unanswered = crowd.of("unanswered")
        print(f"drain: {len(crowd.answered())} answered, {len(after)} of them sent after SIGTERM, {sum(r.status == 503 for r in after)} of "
              f"these with 503; {len(unanswered)} kept connections were closed under a request; {len(crowd.of('refused'))} refused")
        self.assertGreater(len(after), 0)  # how many depends on how soon it is done
        self.assertEqual({r.status for r in crowd.answered()} - {200, 503}, set())
        self.assertEqual(crowd.of("cut") + crowd.of("late"), [])
        self.assertEqual([r for r in unanswered if not r.reused], [])
        self.assertEqual([r for r in after if not r.close and r.sent_at > began + SLACK], [])
        client = cluster.http(1)
        for request in unanswered:  # a kept connection, closed before a byte of the request was read
            if request.method == "POST":
                self.assertEqual(client.get(f"/items/{request.id}").status, 404, request)
        for request in crowd.answered()[::7]:
            if request.method == "POST" and request.status == 200:
                self.assertEqual(client.get(f"/items/{request.id}").status, 200, request)

    def test_a_kept_connection_that_is_closed_under_a_request(self):
        """HTTP/1.1 cannot rule that out. Then there is not a byte of an answer, and the request had no effect."""
        cluster = self.started(gateways=2)
        socks = [self.connect(cluster, b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(250)]
        for sock in socks:
            self.assertIn(b"200 OK", sock.recv(4096))
        began = time.monotonic()
        self.stop(cluster)
        outcomes = []
        for n, sock in enumerate(socks):  # the idle ones are closed a second after SIGTERM: in the middle of this
            time.sleep(max(0.0, began + 0.6 + n * 0.004 - time.monotonic()))
            text = b'{"id":%d,"name":"n","description":"d"}' % (10_000 + n)
            try:
                sock.sendall(b"POST /items/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
            except OSError:
                pass  # closed before
            received = read_all(sock)
            if received:
                self.assertLast(received, raw_status(received))
                self.assertIn(raw_status(received), (200, 503))
            outcomes.append(raw_status(received))
        self.ended(cluster, began, 5)
        print(f"drain: of requests on kept connections around their end {outcomes.count(200)} were served, {outcomes.count(503)} got 503, "
              f"{outcomes.count(0)} came too late", flush=True)
        self.assertGreater(outcomes.count(200), 0)
        self.assertGreater(outcomes.count(0), 0)
        client = cluster.http(1)
        for n, status in enumerate(outcomes):
            if status != 503:
                self.assertEqual(client.get(f"/items/{10_000 + n}").status, 200 if status == 200 else 404, n)

    def test_delay_serves_as_before_and_is_not_ready(self):
        cluster = self.started(gateway_flags=DELAY)
        idle = cluster.http()
        self.assertIsNone(idle.get("/health/ready").header("connection"))
        began = time.monotonic()
        self.stop(cluster)
        ready = wait_for("it to be not ready", lambda: [r for r in [cluster.http().get("/health/ready")] if r.status == 503])[0]
        self.assertIn("shutting down", ready.json()["detail"])
        for n in range(20):
            answer = cluster.http().post("/items/", item(100 + n))
            self.assertEqual((answer.status, answer.header("connection")), (200, "close"))
            time.sleep(0.05)
        answer = idle.get("/items/1")
        self.assertEqual((answer.status, answer.header("connection")), (200, "close"))
        self.assertLess(time.monotonic() - began, 3 + SLACK - 1)
        self.ended(cluster, began, 3 + 5, least=3)

    def test_second_signal_ends_the_delay(self):
        cluster = self.started(gateway_flags=["--drain-delay", "10m"])
        began = time.monotonic()
        self.stop(cluster)
        time.sleep(0.5)
        self.assertEqual(cluster.http().get("/items/1").status, 200)
        cluster.gateways[0].signal(signal.SIGINT)
        self.ended(cluster, began, 5)

    def test_a_body_that_comes_late_is_taken(self):
        cluster = self.started()
        text = b'{"id":2,"name":"n","description":"d"}'
        sock = self.connect(cluster, b"POST /items/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" %
                            len(text) + text[:9])
        time.sleep(0.3)
        began = time.monotonic()
        self.stop(cluster)
        time.sleep(1.5)
        sock.sendall(text[9:])
        self.assertLast(read_all(sock), 200, b'"id":2')
        self.ended(cluster, began, 5)

    def test_a_body_that_does_not_come_is_answered(self):
        cluster = self.started()
        head = b" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
        socks = [(self.connect(cluster, b"POST /items/" + head), 503, b"not complete"),
                 (self.connect(cluster, b"POST /nothing" + head), 404, b"nothing at this path")]
        time.sleep(0.3)
        began = time.monotonic()
        self.stop(cluster)
        for sock, status, body in socks:
            self.assertLast(read_all(sock), status, body)
        self.ended(cluster, began, 5, least=3.5)

    def test_a_connection_without_a_request_may_bring_one(self):
        cluster = self.started()
        silent = self.connect(cluster)
        late = self.connect(cluster)
        began = time.monotonic()
        self.stop(cluster)
        time.sleep(0.4)
        late.sendall(b"GET /items/1 HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertLast(read_all(late), 200, b'"id":1')
        self.assertEqual(read_all(silent), b"")
        self.ended(cluster, began, 3, least=0.9)

    def test_without_connections_it_ends_at_once(self):
        cluster = self.start(compute_workers=0)
        began = time.monotonic()
        self.stop(cluster)
        self.ended(cluster, began, 1)

    def test_what_the_kernel_has_accepted_is_answered(self):
        """Connections that wait in the listening socket when SIGTERM comes. The worker answers once that has been seen: before, an answer need not be
        its connection's last."""
        cluster = self.started()
        gateway, worker = cluster.gateways[0], cluster.item_workers[0]
        self.addCleanup(worker.signal, signal.SIGCONT)
        for repeat in range(1 if SLACK > 3 else 3):
            if repeat:
                gateway.start().wait_ready()
            worker.signal(signal.SIGSTOP)
            gateway.signal(signal.SIGSTOP)
            socks = [self.connect(cluster, b"GET /items/1 HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(60)]
            self.stop(cluster)
            gateway.signal(signal.SIGCONT)
            wait_for("the gateway to have seen the signal", lambda n=repeat + 1: gateway.log().count('msg="stopping"') == n)
            worker.signal(signal.SIGCONT)
            for sock in socks:  # some get 503 where 60 at once are more than the admission takes
                received = read_all(sock)
                self.assertIn(raw_status(received), (200, 503), received)
                self.assertLast(received, raw_status(received))
            self.assertEqual(gateway.popen.wait(30 * SLACK), 0, gateway.tail())

    def test_what_a_frozen_worker_has_is_answered(self):
        """503 for all that waits, within 5 s: reads, writes, lists, waits for operations; 202 stays true."""
        cluster = self.started()
        where = cluster.http().post("/items/", item(3), Prefer="respond-async").header("location")
        self.assertEqual(cluster.http().get(where, Prefer="wait=10").json()["state"], "succeeded")
        worker = cluster.item_workers[0]
        worker.signal(signal.SIGSTOP)
        self.addCleanup(worker.signal, signal.SIGCONT)
        wanted = {("GET", "/items/1"): 503, ("GET", "/items/"): 503, ("PUT", "/items/1"): 503, ("DELETE", "/items/1"): 503,
                  ("GET", where): 503, ("GET", where + "/events"): 503}
        prefer = {"Prefer": "wait=30"}
        waiting = [(key, *self.in_background(lambda key=key: cluster.http(timeout=60).request(
            *key, {"name": "m", "description": ""} if key[0] == "PUT" else None, prefer))) for key in wanted]
        accepted, result = self.in_background(lambda: cluster.http(timeout=60).post(
            "/items/", item(4), Prefer="respond-async, wait=30"))
        time.sleep(1)
        began = time.monotonic()
        self.stop(cluster)
        for key, thread, results in waiting:
            thread.join()
            self.assertEqual((key, results[0].status, results[0].header("connection")), (key, wanted[key], "close"))
            self.assertIn("shutting down", results[0].json()["detail"])
        accepted.join()
        self.assertEqual((result[0].status, result[0].header("connection")), (202, "close"))
        self.ended(cluster, began, 5, least=3.5)


class Waiters(Ending):
    weight = 10

    def test_waits_for_news_end_with_what_is_known(self):
        """A stream of events and a wait for an operation would outlast the shutdown: they end at once, to be asked elsewhere."""
        cluster = self.start(item_workers=0)
        begun = cluster.http().post("/computations/", {"kind": "primes", "params": {"n": 9_000_000_000}}, Prefer="respond-async")
        where = begun.header("location")
        wait_for("it to run", lambda: cluster.http().get(where).json()["state"] == "running")
        stream = socket.create_connection(("127.0.0.1", cluster.port()), 20 * SLACK)
        self.addCleanup(stream.close)
        stream.sendall(f"GET {where}/events HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        received = b""
        while b"running" not in received:
            received += stream.recv(65536)
        poll, result = self.in_background(lambda: cluster.http(timeout=60).get(where, Prefer="wait=50"))
        time.sleep(0.7)
        began = time.monotonic()
        cluster.gateways[0].signal(signal.SIGTERM)
        cluster.gateways[0].wanted = False
        self.assertTrue(read_all(stream).endswith(b"0\r\n\r\n"))
        poll.join()
        self.assertEqual((result[0].status, result[0].json()["state"]), (200, "running"))
        self.assertLess(time.monotonic() - began, 0.5 + SLACK)
        self.assertEqual(cluster.gateways[0].popen.wait(20 * SLACK), 0)
        self.assertLess(time.monotonic() - began, 3 + SLACK)
