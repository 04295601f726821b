# SPDX-License-Identifier: Apache-2.0
"""Ends in the middle of things: requests in flight, computations half done. Each test breaks its cluster, so each has its own."""

import signal
import socket
import threading
import time

from cluster import BreakingTest
from processes import SANITIZED, SLACK, wait_for


def item(id, name="n"):
    return {"id": id, "name": name, "description": "d"}


class Ending(BreakingTest):
    def in_background(self, work):
        """Runs work(); what it returns is the list's only entry once the thread is joined."""
        result = []
        thread = threading.Thread(target=lambda: result.append(work()))
        thread.start()
        self.addCleanup(thread.join)
        return thread, result

    def ends_well(self, process, seconds=5):
        """SIGTERM: it must exit with 0 in time."""
        began = time.monotonic()
        process.wanted = False
        process.signal(signal.SIGTERM)
        self.assertEqual(process.popen.wait(20 * SLACK), 0, process.tail())
        self.assertLess(time.monotonic() - began, seconds * SLACK)


class Gateway(Ending):
    weight = 15

    def test_what_waits_at_shutdown_may_still_be_answered(self):
        cluster = self.start(compute_workers=0)
        cluster.http().post("/items/", item(1))
        worker, gateway = cluster.item_workers[0], cluster.gateways[0]
        worker.signal(signal.SIGSTOP)
        waiting = [self.in_background(lambda: cluster.http().get("/items/1").status) for _ in range(6)]
        time.sleep(0.5)
        gateway.signal(signal.SIGTERM)
        time.sleep(0.5)
        with self.assertRaises(OSError):
            cluster.http().get("/items/1")  # nobody new gets in
        worker.signal(signal.SIGCONT)
        self.assertEqual(gateway.popen.wait(5 * SLACK), 0, gateway.tail())
        for thread, result in waiting:
            thread.join()
            self.assertEqual(result, [200])

    def test_killed_gateway_and_the_same_key_at_another(self):
        cluster = self.start(gateways=2, compute_workers=0)
        worker = cluster.item_workers[0]
        worker.signal(signal.SIGSTOP)

        def ask():
            try:
                return cluster.http(0).post("/items/", item(1), Idempotency_Key="k").status
            except OSError:
                return "cut off"
        thread, result = self.in_background(ask)
        time.sleep(0.5)
        cluster.gateways[0].kill()
        thread.join()
        self.assertEqual(result, ["cut off"])
        worker.signal(signal.SIGCONT)
        again = cluster.http(1).post("/items/", item(1), Idempotency_Key="k")
        self.assertEqual((again.status, again.header("etag"), again.header("idempotency-replayed")), (200, '"1"', "true"))

    def test_shutdown_under_load(self):
        cluster = self.start(gateways=2, item_workers=2)
        stop, statuses = threading.Event(), []

        def work(number):
            client, id = cluster.http(number % 2), number * 1000
            while not stop.is_set():
                try:
                    statuses.append(client.post("/items/", item(id)).status)
                    id += 1
                except OSError:
                    time.sleep(0.05)
        threads = [threading.Thread(target=work, args=(n + 1,)) for n in range(6)]
        for thread in threads:
            thread.start()
        try:
            wait_for("load", lambda: len(statuses) > 50)
            for process in (cluster.gateways[0], cluster.item_workers[0], cluster.compute_workers[0], cluster.gateways[1],
                            cluster.item_workers[1]):
                self.ends_well(process)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertLessEqual(set(statuses), {200, 503, 504})


class Worker(Ending):
    weight = 25
    PRIMES, COUNT = (200_000_000, 11078937) if SANITIZED else (1_000_000_000, 50847534)

    def compute_through(self, end):
        """A computation whose worker goes away under it, by end(cluster, worker), is done by the next one."""
        cluster = self.start(item_workers=0, gateway_flags=["--deadline", "60s", "--max-deadline", "60s"])
        worker = cluster.compute_workers[0]
        thread, result = self.in_background(lambda: cluster.http(timeout=90).post(
            "/computations/", {"kind": "primes", "params": {"n": self.PRIMES}}))
        wait_for("the work to begin", lambda: worker.cpu_seconds() > 0.5)
        end(cluster, worker)
        thread.join()
        self.assertEqual((result[0].status, result[0].json()["result"]["count"]), (200, self.COUNT), result[0].body)
        again = cluster.http().get(f"/computations/{result[0].json()['id']}")
        self.assertEqual(again.json(), result[0].json())

    def test_killed_compute_worker(self):
        self.compute_through(lambda cluster, worker: cluster.restart(worker, kill=True))

    def test_stopped_compute_worker_does_not_finish_first(self):
        def end(cluster, worker):
            self.ends_well(worker)
            cluster.restart(worker)
        self.compute_through(end)

    def test_peer_takes_the_computation_over(self):
        def end(cluster, worker):
            cluster.add_compute_worker()
            worker.kill()
        self.compute_through(end)

    def test_workers_stop_though_kafka_does_not_answer(self):
        cluster = self.start()
        cluster.http().post("/items/", item(1))
        if cluster.kind == "embedded":
            cluster.broker.signal(signal.SIGSTOP)
            self.addCleanup(cluster.broker.signal, signal.SIGCONT)
        else:
            cluster.broker.stop()
        thread, result = self.in_background(lambda: cluster.http().put("/items/1", {"name": "m", "description": ""}).status)
        time.sleep(0.5)
        for process in (cluster.item_workers[0], cluster.compute_workers[0], cluster.gateways[0]):
            self.ends_well(process, 10)
        thread.join()
        self.assertIn(result[0], (503, 504))

    def test_killed_again_and_again(self):
        """Every acknowledged write is there afterwards, whatever the moment of the kill."""
        cluster = self.start(compute_workers=0)
        worker, stop = cluster.item_workers[0], threading.Event()
        acknowledged = []  # (id, name, etag) in order

        def request(client, n):
            id, body = n % 40, {"name": str(n), "description": ""}
            if n < 40:
                return client.post("/items/", {"id": id, **body}, Idempotency_Key=f"n{n}")
            return client.put(f"/items/{id}", body, Idempotency_Key=f"n{n}")

        def write():
            client, n = cluster.http(), 0
            while not stop.is_set():
                answer = request(client, n)
                if answer.status == 200:
                    acknowledged.append((n % 40, str(n), answer.header("etag")))
                    n += 1
                else:
                    time.sleep(0.05)
        thread, _ = self.in_background(write)
        try:
            for _ in range(4):
                time.sleep(0.7)
                cluster.restart(worker, kill=True)
            count = len(acknowledged)
            wait_for("writes after the last kill", lambda: len(acknowledged) > max(count, 40))
        finally:
            stop.set()
            thread.join()
        client = cluster.http()
        newest = {id: (name, etag) for id, name, etag in acknowledged}
        in_flight = str(len(acknowledged))  # the one write that may have had its effect without its answer
        for id, wanted in newest.items():
            got = client.get(f"/items/{id}")
            if got.json()["name"] != in_flight:
                self.assertEqual((got.json()["name"], got.header("etag")), wanted)
        self.assertEqual([int(name) for _, name, _ in acknowledged], list(range(len(acknowledged))))


class NotEarly(BreakingTest):
    once = "the embedded broker can be frozen as a process; another one changes nothing"

    def test_a_gateway_may_refuse_connections_until_it_is_ready(self):
        cluster = self.start(item_workers=0, compute_workers=0)
        cluster.broker.signal(signal.SIGSTOP)
        gateway = cluster.add_gateway(wait=False, flags=["--serve-early", "false"])
        try:
            line = wait_for("its address", lambda: [x for x in gateway.log().splitlines() if 'msg="listening"' in x])[0]
            address = ("127.0.0.1", int(line.split("url=http://127.0.0.1:")[1].split()[0]))
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(address, 5)
        finally:
            cluster.broker.signal(signal.SIGCONT)
        gateway.wait_ready()
        http = cluster.http(1)
        self.addCleanup(http.close)
        self.assertEqual(http.get("/health/ready").status, 200)
