# SPDX-License-Identifier: Apache-2.0
"""Kafka answers nothing any more, though its connections stay: frozen, or behind a network that swallows everything."""

import json
import os
import pathlib
import signal
import socket
import threading
import time

from cluster import BreakingTest
from kinds import Kinds, item
from processes import SLACK, wait_for

AT_ONCE = 0.05  # s, on a quiet machine
NOTICED = 1.5   # s from the first request that Kafka does not take


def freeze(cluster):
    """Returns what wakes it again."""
    if cluster.kind == "kafka":
        pid = int((pathlib.Path(cluster.broker.dir) / "kafka.pid").read_text().split()[0])
    else:
        pid = cluster.broker.pid
    os.kill(pid, signal.SIGSTOP)
    return lambda: os.kill(pid, signal.SIGCONT)


class Unreachable(BreakingTest):
    weight = 40
    plain = "it waits for the time-outs of Kafka's clients; test_kafka_gone_is_503_at_once_and_recovers and test_endings lose the broker, too"

    def operation(self, cluster, n):
        begun = cluster.http().post("/computations/", {"kind": "primes", "params": {"n": n}}, Prefer="respond-async")
        self.assertEqual(begun.status, 202, begun.body)
        return begun.header("location")

    def all_at_once_refused(self, kinds):
        """503 for every kind, without waiting for anything, and with what to do."""
        longest = 0
        for kind in kinds.requests:
            response, took = kinds.ask(kind)
            self.assertEqual((kind, response.status, response.header("retry-after")), (kind, 503, "1"), response.body)
            self.assertIn("no Kafka broker can be reached", response.json()["detail"])
            longest = max(longest, took)
        self.assertLess(longest, AT_ONCE * SLACK)
        return longest

    def all_served_again(self, cluster, kinds, seconds):
        """By the same gateway, and workers that are the same or were fenced: see ARCHITECTURE.md, "Kafka unreachable"."""
        began = time.monotonic()
        ready = Kinds(cluster.port(), "/operations/x", 1)

        def served(kind, *statuses):
            cluster.supervise()
            return ready.ask(kind)[0].status in statuses
        wait_for("the gateway to be ready", lambda: cluster.http().get("/health/ready").status == 200, seconds)
        wait_for("items", lambda: served("read", 200, 404), seconds)
        wait_for("computations", lambda: served("look at a computation", 404), seconds)
        took = time.monotonic() - began
        for kind in kinds.requests:
            response, _ = kinds.ask(kind, Request_Timeout="50")
            self.assertLess(response.status, 500, (kind, response.body))
        return took

    def test_frozen_for_so_long_that_it_is_sent_again(self):
        """Whatever is sent again is the same: a body that is not kept while its request waits is not."""
        cluster = self.start(compute_workers=0)
        self.addCleanup(freeze(cluster))
        time.sleep(0.1)
        answers = {}

        def create(id, size):
            body = json.dumps(item(id)) + " " * size
            answers[id] = cluster.http(timeout=90).post_json_text("/items/", body.encode(), Prefer="wait=40")
        threads = [threading.Thread(target=create, args=(id, size)) for id, size in ((1, 1), (2, 3000), (3, 5000), (4, 20000), (5, 200000))]
        for thread in threads:
            thread.start()
        time.sleep(7)  # Kafka's time-out is 4.5 s
        freeze(cluster)()
        while any(thread.is_alive() for thread in threads):
            cluster.supervise()  # of its own two tries to join again the later may fence the earlier
            time.sleep(0.1)
        self.assertEqual([answers[id].status for id in (1, 2)], [200, 200], answers[1].body + answers[2].body)
        for id in (3, 4, 5):
            self.assertIn(answers[id].status, (200, 503), answers[id].body)
            found = cluster.http().get(f"/items/{id}")
            self.assertTrue(found.status == 404 or found.json() == item(id), found.body)

    def test_frozen(self):
        cluster = self.start(worker_environment={"ROUNDTRIP_CHECKPOINT_INTERVAL": "1h"})  # the long job is to last: on one thread
        port, gateway = cluster.port(), cluster.gateways[0]
        done = self.operation(cluster, 1000)
        self.assertEqual(cluster.http().get(done, Prefer="wait=20").json()["state"], "succeeded")
        long = self.operation(cluster, 9_000_000_000)
        wait_for("it to run", lambda: cluster.http().get(long).json()["state"] == "running")
        stream = socket.create_connection(("127.0.0.1", port), 60 * SLACK)
        self.addCleanup(stream.close)
        stream.sendall(f"GET {long}/events HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        heard = b""
        while b"running" not in heard:
            heard += stream.recv(65536)
        polled = []
        poll = threading.Thread(target=lambda: polled.append(cluster.http(timeout=60).get(long, Prefer="wait=6")))
        poll.start()
        time.sleep(0.5)
        wake = freeze(cluster)
        self.addCleanup(wake)
        began = time.monotonic()
        # what is asked before that is noticed
        kinds, first = Kinds(port, done, 1000), []
        threads = [threading.Thread(target=lambda kind=kind: first.append((kind, *kinds.ask(kind)))) for kind in kinds.requests]
        for thread in threads:
            thread.start()
        wait_for("the gateway to notice", lambda: cluster.http().get("/health/ready").status == 503)
        noticed = time.monotonic() - began
        at_once = self.all_at_once_refused(Kinds(port, done, 2000))
        for thread in threads:
            thread.join()
        for kind, response, took in first:
            self.assertIn(response.status, (503, 504), (kind, response.body))
            self.assertLess(took, 30 + SLACK if kind == "wait for an operation" else 5 + SLACK, kind)
        poll.join()  # with what is known
        self.assertEqual((polled[0].status, polled[0].json()["state"]), (200, "running"), polled[0].body)
        self.assertEqual(cluster.http().get("/health/live").status, 200)
        wake()
        again = self.all_served_again(cluster, Kinds(port, done, 3000), 20)
        print(f"frozen: noticed after {noticed:.2f} s, then every kind refused within {at_once * 1000:.1f} ms; all served "
              f"{again:.2f} s after it woke; what waited: "
              + ", ".join(f"{kind} {response.status} {took:.1f} s" for kind, response, took in sorted(first)), flush=True)
        self.assertLess(noticed, NOTICED * SLACK)
        # who listens to events all the while hears of the end
        self.assertEqual(cluster.http().delete(long).status, 202)
        while b"\r\n0\r\n\r\n" not in heard:
            piece = stream.recv(65536)
            self.assertTrue(piece, heard)
            heard += piece
        self.assertIn(b"cancelled", heard)
        self.assertTrue(gateway.running() and cluster.item_workers[0].running())
