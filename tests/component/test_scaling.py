# SPDX-License-Identifier: Apache-2.0
"""Processes that come, go, die and come back: nothing is lost, answers reach their callers."""

import threading
import time

from cluster import BreakingTest, Cluster, ClusterTest
from processes import BROKER, SLACK


def item(id, name="n"):
    return {"id": id, "name": name, "description": "d"}


class Load:
    """Threads that create items and read them back, repeating what failed with the same Idempotency-Key."""

    def __init__(self, cluster, first_id, threads=4, gateways=1):
        self.cluster, self.gateways = cluster, gateways
        self.stop_event = threading.Event()
        self.created, self.faults, self.retries = [], [], 0
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.work, args=(first_id + i * 1_000_000, i)) for i in range(threads)]
        for thread in self.threads:
            thread.start()

    def until_ok(self, client, request, seconds=40):
        end = time.monotonic() + seconds * SLACK
        while True:
            try:
                response = request(client)
            except OSError as error:
                response, fault = None, error
            if response is not None and response.status == 200:
                return response
            with self.lock:
                self.retries += 1
                self.cluster.supervise()
            if time.monotonic() > end:
                with self.lock:
                    self.faults.append(f"gave up: {response.status if response else fault} {response.body if response else ''}")
                return None
            time.sleep(0.05)

    def work(self, id, number):
        client = self.cluster.http(number % self.gateways, timeout=20)
        while not self.stop_event.is_set():
            key = f"load-{id}"
            made = self.until_ok(client, lambda c: c.post("/items/", item(id, str(id)), Idempotency_Key=key))
            if made is None:
                return
            if made.header("etag") != '"1"' or made.json()["name"] != str(id):
                self.faults.append(f"wrong answer to the creation of {id}: {made.headers} {made.body}")
            got = self.until_ok(client, lambda c: c.get(f"/items/{id}"))
            if got is None or got.json() != item(id, str(id)):
                self.faults.append(f"item {id} is {got and got.body}")
            self.created.append(id)
            id += 1

    def finish(self):
        self.stop_event.set()
        for thread in self.threads:
            thread.join()
        return self


class Scaling(ClusterTest):
    weight = 40
    options = {"gateways": 2, "compute_workers": 0}

    def check_all(self, ids):
        """Every item is there in version 1. On a starved machine the group may be between two assignments: reads may wait."""
        c = self.http()
        for id in ids:
            got = c.get(f"/items/{id}")
            if got.status in (503, 504):
                got = self.wait_for(f"item {id}", lambda: (r := c.get(f"/items/{id}")).status not in (503, 504) and r, 30)
            self.assertEqual((got.status, got.header("etag"), got.json()), (200, '"1"', item(id, str(id))))

    def test_1_two_gateways_each_get_their_own_replies(self):
        load = Load(self.cluster, 100_000_000, threads=6, gateways=2)
        time.sleep(3)
        load.finish()
        self.assertEqual(load.faults, [])
        self.assertEqual(load.retries, 0)
        self.assertGreater(len(load.created), 100)

    def test_2_workers_join_and_leave_under_load(self):
        load = Load(self.cluster, 200_000_000, gateways=2)
        second = self.cluster.add_item_worker()
        third = self.cluster.add_item_worker()
        time.sleep(2)
        second.stop()
        time.sleep(2)
        third.stop()
        time.sleep(1)
        load.finish()
        self.assertEqual(load.faults, [])
        self.assertGreater(len(load.created), 20)
        self.check_all(load.created)

    def test_3_a_worker_that_is_restarted_or_killed_loses_nothing(self):
        worker = self.cluster.item_workers[0]
        load = Load(self.cluster, 300_000_000)
        time.sleep(1)
        self.cluster.restart(worker)
        time.sleep(1)
        self.cluster.restart(worker, kill=True)
        time.sleep(1)
        load.finish()
        self.assertEqual(load.faults, [])
        self.check_all(load.created)

    def test_4_state_is_rebuilt_from_the_log(self):
        c = self.http()
        for id in range(400_000_000, 400_000_050):
            self.assertEqual(c.post("/items/", item(id, "a"), Idempotency_Key=f"rebuild-{id}").status, 200)
            self.assertEqual(c.put(f"/items/{id}", {"name": "b", "description": ""}).status, 200)
        self.cluster.restart(self.cluster.item_workers[0], kill=True, wipe_state=True)
        c = self.http()
        for id in range(400_000_000, 400_000_050):
            got = c.get(f"/items/{id}")
            self.assertEqual((got.status, got.header("etag"), got.json()["name"]), (200, '"2"', "b"))
        again = c.post("/items/", item(400_000_000, "a"), Idempotency_Key="rebuild-400000000")
        self.assertEqual((again.status, again.header("etag")), (200, '"1"'))

    def test_5_a_second_process_on_the_same_state_is_refused(self):
        first = self.cluster.item_workers[0]
        from processes import Process
        twin = Process("twin", list(first.arguments), self.cluster.folder).start()
        self.assertEqual(twin.popen.wait(30 * SLACK), 1)
        self.assertIn("state folder", twin.log())
        self.assertEqual(self.http().get("/items/1").status, 404)


class Endings(BreakingTest):
    """Each test breaks its cluster, so each has its own."""

    weight = 30

    def test_shutdown_answers_everybody(self):
        cluster = self.start(compute_workers=0)
        c = cluster.http()
        self.assertEqual(c.post("/items/", item(1)).status, 200)
        cluster.item_workers[0].signal(19)
        statuses, threads = [], []
        for _ in range(8):
            threads.append(threading.Thread(target=lambda: statuses.append(cluster.http().get("/items/1").status)))
            threads[-1].start()
        time.sleep(0.5)
        gateway, began = cluster.gateways[0], time.monotonic()
        gateway.signal(15)
        code = gateway.popen.wait(20 * SLACK)
        took = time.monotonic() - began
        for thread in threads:
            thread.join()
        self.assertEqual(code, 0, gateway.tail())
        self.assertLess(took, 5 * SLACK)
        self.assertEqual(len(statuses), 8)
        self.assertLessEqual(set(statuses), {200, 503, 504})
        cluster.item_workers[0].signal(18)

    def test_kafka_gone_is_503_at_once_and_recovers(self):
        cluster = self.start(compute_workers=0)
        if BROKER == "embedded":
            cluster.broker.signal(19)  # its port stays open but nothing answers: the deadline is what helps
            response = cluster.http().request("GET", "/items/1", headers={"Prefer": "wait=1"})
            self.assertIn(response.status, (503, 504))
            cluster.broker.signal(18)
        else:
            self.assertEqual(cluster.http().post("/items/", item(7)).status, 200)
            cluster.broker.stop()
            self.wait("503", lambda: cluster.http().get("/items/7").status == 503)
            began = time.monotonic()
            response = cluster.http().get("/items/7")
            self.assertEqual(response.status, 503)
            self.assertTrue(response.header("retry-after"))
            self.assertLess(time.monotonic() - began, 0.5 * SLACK)
            self.assertEqual(cluster.http().get("/health/live").status, 200)
            self.assertEqual(cluster.http().get("/health/ready").status, 503)
            cluster.broker.start(keep=True)
        self.wait("an answer again", lambda: cluster.http().get("/items/7").status in (200, 404))
        if BROKER == "kafka":
            self.assertEqual(cluster.http().get("/items/7").status, 200)

    def wait(self, what, condition, seconds=40):
        from processes import wait_for
        return wait_for(what, condition, seconds, 0.1)

    def test_not_ready_without_kafka(self):
        cluster = Cluster()
        self.addCleanup(cluster.clean)
        self.addCleanup(lambda: self.assertEqual(cluster.stop(), []))
        cluster.bootstrap, cluster.kind = "127.0.0.1:1", "none"
        from processes import BUILD, Process
        import http_client
        import socket
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        gateway = Process("gateway", [BUILD / "gateway/roundtrip-gateway", "--kafka", "127.0.0.1:1", "--port", port], cluster.folder)
        cluster.gateways.append(gateway.start())
        cluster.everything.append(gateway)

        def live():
            try:
                return http_client.Http(port).get("/health/live").status == 200
            except OSError:
                return False
        self.wait("liveness", live)
        ready = http_client.Http(port).get("/health/ready")
        self.assertEqual(ready.status, 503)
        self.assertGreater(len(ready.json()["detail"]), 10)
        self.assertEqual(http_client.Http(port).get("/items/1").status, 503)
