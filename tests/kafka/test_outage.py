# SPDX-License-Identifier: Apache-2.0
"""Kafka goes away and comes back, and topics that are missing or wrong. Each test breaks its broker, so each has its own."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "component"))

import http_client
from cluster import BreakingTest, Cluster
from kinds import Kinds
from processes import BUILD, SLACK, Process, wait_for
from test_scaling import Load, item
from test_unreachable import Unreachable


class Outages(BreakingTest):
    weight = 45

    def under_load(self, cluster, break_it):
        load = Load(cluster, 10_000_000)
        try:
            wait_for("load", lambda: len(load.created) > 50)
            break_it()
            count = len(load.created)
            wait_for("creations after it", lambda: len(load.created) > count + 50, 60)
        finally:
            load.finish()
        self.assertEqual(load.faults, [])
        client = cluster.http()
        for id in load.created:
            got = client.get(f"/items/{id}")
            self.assertEqual((got.status, got.header("etag"), got.json()), (200, '"1"', item(id, str(id))))

    def test_kafka_restarted_under_load(self):
        cluster = self.start(compute_workers=0)

        def restart():
            cluster.broker.stop()
            time.sleep(1)
            cluster.broker.start(keep=True)
        self.under_load(cluster, restart)

    def test_kafka_killed_under_load(self):
        cluster = self.start(compute_workers=0)

        def kill():
            pid = int((pathlib.Path(cluster.broker.dir) / "kafka.pid").read_text().split()[0])
            os.kill(pid, signal.SIGKILL)
            time.sleep(1)
            cluster.broker.start(keep=True)
        self.under_load(cluster, kill)

    def test_kafka_frozen_under_load(self):
        """Connections stay, nothing answers: as when the network swallows everything."""
        cluster = self.start(compute_workers=0)

        def freeze():
            pid = int((pathlib.Path(cluster.broker.dir) / "kafka.pid").read_text().split()[0])
            os.kill(pid, signal.SIGSTOP)
            try:
                client = cluster.http()
                began = time.monotonic()
                self.assertIn(client.request("GET", "/items/1", headers={"Prefer": "wait=1"}).status, (503, 504))
                self.assertLess(time.monotonic() - began, 1.0 + 0.1 * SLACK)
                self.assertEqual(client.get("/health/live").status, 200)
                time.sleep(4)
            finally:
                os.kill(pid, signal.SIGCONT)
        self.under_load(cluster, freeze)


class Gone(Unreachable):
    """Kafka is killed, and started again with what it had: what waits, and what comes meanwhile."""

    weight = 35
    test_frozen = None

    def test_killed(self):
        cluster = self.start()
        done = self.operation(cluster, 1000)
        self.assertEqual(cluster.http().get(done, Prefer="wait=20").json()["state"], "succeeded")
        self.assertEqual(cluster.http().post("/items/", item(3000, "n")).status, 200)
        long = self.operation(cluster, 9_000_000_000)
        polled = []
        poll = threading.Thread(target=lambda: polled.append(cluster.http(timeout=60).get(long, Prefer="wait=6")))
        poll.start()
        time.sleep(1)
        pid = int((pathlib.Path(cluster.broker.dir) / "kafka.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        began = time.monotonic()
        wait_for("the gateway to notice", lambda: cluster.http().get("/health/ready").status == 503)
        noticed = time.monotonic() - began
        at_once = self.all_at_once_refused(Kinds(cluster.port(), done, 2000))
        poll.join()
        self.assertEqual((polled[0].status, polled[0].json()["state"]), (200, "running"), polled[0].body)
        self.assertEqual(cluster.http().get("/health/live").status, 200)
        cluster.broker.start(keep=True)
        again = self.all_served_again(cluster, Kinds(cluster.port(), done, 3000), 30)
        print(f"killed: noticed after {noticed:.2f} s, then every kind refused within {at_once * 1000:.1f} ms; all served {again:.2f} s "
              f"after Kafka's start", flush=True)
        self.assertLess(noticed, 1 * SLACK)
        self.assertIn(cluster.http().delete(long).status, (202, 409))


class Topics(unittest.TestCase):
    weight = 12

    def make_topics(self, cluster, *flags):
        subprocess.run([str(BUILD / "deploy/roundtrip-topics"), "--kafka", cluster.bootstrap, *flags], check=True,
                       capture_output=True, timeout=120)

    def test_processes_wait_for_their_topics(self):
        cluster = Cluster(gateways=0, item_workers=0, compute_workers=0)
        self.addCleanup(cluster.clean)
        self.addCleanup(lambda: self.assertEqual(cluster.stop(), []))
        cluster.start_broker(topics=False)
        gateway = cluster.add_gateway(wait=False)
        worker = cluster.add_item_worker(wait=False)
        port = wait_for("the gateway to listen", lambda: [
            line.split("url=http://127.0.0.1:")[1].split()[0] for line in gateway.log().splitlines() if "url=" in line])[0]
        ready = wait_for("what is missing", lambda: [r for r in [http_client.Http(int(port)).get("/health/ready")]
                                                     if "roundtrip-topics" in r.json()["detail"]])[0]
        self.assertEqual(ready.status, 503)
        wait_for("the worker to say so", lambda: "roundtrip-topics" in worker.log() or "topic" in worker.log())
        self.make_topics(cluster)
        gateway.wait_ready()
        worker.wait_ready()
        self.assertEqual(cluster.http().post("/items/", item(1)).status, 200)

    def test_a_worker_refuses_topics_that_do_not_agree(self):
        cluster = Cluster(gateways=0, item_workers=0, compute_workers=0)
        self.addCleanup(cluster.clean)
        self.addCleanup(lambda: self.assertEqual(cluster.stop(), []))
        cluster.start_broker(topics=False)
        from confluent_kafka.admin import AdminClient, NewTopic
        admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
        wanted = [NewTopic("item.commands", 3, 1), NewTopic("item.events", 4, 1), NewTopic("dlq.item.commands", 3, 1)]
        for future in admin.create_topics(wanted).values():
            future.result(30)
        worker = Process("worker", [BUILD / "item-worker/roundtrip-item-worker", "--state-dir", cluster.state_dir("worker")]
                         + cluster.common("worker"), cluster.folder).start()
        self.assertEqual(worker.popen.wait(30 * SLACK), 1)
        self.assertIn("both need the same number", worker.log())
