# SPDX-License-Identifier: Apache-2.0
"""How long a partition is away when its worker is killed, paused or cut off, and that every request of that time is answered.

Each outage is measured from the fault to the first answer to a write, for every partition that the victim owned. What is written
meanwhile is written once: a request has 15 s, is never repeated, and must raise its item's version by exactly one.
"""

import os
import re
import signal
import statistics
import subprocess
import threading
import time
import unittest

import http_client
from cluster import Cluster, ClusterTest
from kafka_client import partition_of
from processes import BUILD, ROOT, SLACK, wait_for
from proxy import Proxy

PARTITIONS = 6
RESTARTED, BY_PEER = 2.0, 10.0  # what the product promises, in seconds
SESSION = 6.0
PATIENCE = "15"  # Request-Timeout of what is sent in an outage
EACH = 3         # writes in an outage to every partition
SERVES = re.compile(r'partition serves.* partition=(\d+) ')


def items_by_partition(first, each):
    """`each` item ids for every partition."""
    found, id = {p: [] for p in range(PARTITIONS)}, first
    while any(len(ids) < each for ids in found.values()):
        ids = found[partition_of(str(id), PARTITIONS)]
        if len(ids) < each:
            ids.append(id)
        id += 1
    return found


class Outage:
    """A fault, and writes to every partition from that moment on, each on a connection of its own."""

    def __init__(self, fault, port, ids, version):
        self.port, self.version = port, version
        self.answers = {}  # item -> (seconds since the fault, status, ETag)
        self.began = time.monotonic()
        fault()
        self.threads = [threading.Thread(target=self.write, args=(id, number))
                        for number, row in enumerate(zip(*ids.values())) for id in row]
        for thread in self.threads:
            thread.start()

    def write(self, id, number):
        time.sleep(0.4 * number)
        client = http_client.Http(self.port)
        body = {"name": f"v{self.version}", "description": "d"}
        response = client.put(f"/items/{id}", body, Request_Timeout=PATIENCE)
        self.answers[id] = (time.monotonic() - self.began, response.status, response.header("etag"))
        client.close()

    def join(self):
        for thread in self.threads:
            thread.join()
        return self

    def seconds(self, ids):
        """Until the first answer of these items' partition."""
        return min(self.answers[id][0] for id in ids)


class Reads:
    """Reads items over and over: none may ever be seen in a version below one that was acknowledged before it was asked."""

    def __init__(self, port, ids, version):
        self.port, self.ids, self.known = port, ids, dict.fromkeys(ids, version)
        self.count, self.faults, self.end = 0, [], threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        client = http_client.Http(self.port)
        while not self.end.is_set():
            for id in self.ids:
                least = self.known[id]
                response = client.get(f"/items/{id}", Cache_Control="no-cache")
                if response.status in (503, 504):
                    continue
                version = int(response.header("etag", '"0"').strip('"'))
                if response.status != 200 or version < least:
                    self.faults.append(f"item {id}: {response.status}, version {version} after {least}")
                self.known[id] = max(self.known[id], version)
                self.count += 1
        client.close()

    def wrote(self, id, version):
        self.known[id] = max(self.known[id], version)

    def finish(self):
        self.end.set()
        self.thread.join()


class TakeoverTime(ClusterTest):
    weight = 80
    options = {"item_workers": 0, "compute_workers": 0, "gateway_flags": ["--max-deadline", "60s"]}
    first_id = 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.proxy = Proxy(cls.cluster.bootstrap)
        cls.addClassCleanup(cls.proxy.close)
        cls.victim = cls.cluster.add_item_worker(bootstrap=cls.proxy.address)
        cls.peer = cls.cluster.add_item_worker()
        wait_for("both to have partitions", lambda: len(cls.owned(cls.victim)) == 3 and len(cls.owned(cls.peer)) >= 3)

    @staticmethod
    def owned(worker, since=0):
        """The partitions that it says it serves, in its log from `since` on, after its last rebalance."""
        text = worker.log()[since:].rsplit("event=revoke", 1)[-1]
        return {int(p) for p in SERVES.findall(text)}

    def setUp(self):
        self.ids = items_by_partition(TakeoverTime.first_id, EACH)
        TakeoverTime.first_id = 1 + max(max(ids) for ids in self.ids.values())
        client = self.http()
        for row in self.ids.values():
            for id in row:
                body = {"id": id, "name": "v1", "description": "d"}
                self.assertEqual(client.post("/items/", body, Request_Timeout=PATIENCE).status, 200)
        self.version = 1
        self.theirs = sorted(self.owned(self.victim))
        self.assertEqual(len(self.theirs), 3, self.victim.tail())

    def outage(self, fault, limit):
        """Writes during `fault()`; every one must be answered once. The seconds until the last partition of the victim answered."""
        self.version += 1
        outage = Outage(fault, self.cluster.port(), self.ids, self.version).join()
        for id, (_, status, etag) in outage.answers.items():
            self.assertEqual((status, etag), (200, f'"{self.version}"'), f"item {id} of {outage.answers}")
        seconds = {p: outage.seconds(self.ids[p]) for p in self.theirs}
        told = ", ".join(f"{p}: {s:.2f} s" for p, s in seconds.items())
        print(f"{self.id().rsplit('.', 1)[-1]}: partitions away {told} (limit {limit:.0f} s)", flush=True)
        return max(seconds.values())

    def check_all(self):
        client = self.http()
        for row in self.ids.values():
            for id in row:
                got = client.get(f"/items/{id}", Request_Timeout=PATIENCE)
                self.assertEqual((got.status, got.header("etag"), got.json()["name"]),
                                 (200, f'"{self.version}"', f"v{self.version}"), f"item {id}")

    def serves_again(self, since):
        """The victim, healed, has its partitions again: by itself, or restarted where it ended and said that it must be."""
        def done():
            self.cluster.supervise()
            return sorted(self.owned(self.victim, since)) == self.theirs
        wait_for("the victim to serve again", done, 20)

    def test_1_restarted_at_once(self):
        """Three times, since one look at a busy machine says little: the median counts."""
        def restart():
            self.victim.kill()
            self.victim.start()
        before = len(self.peer.log())
        seconds = [self.outage(restart, RESTARTED) for _ in range(3)]
        self.assertLess(statistics.median(seconds), RESTARTED)
        self.assertNotIn("rebalance", self.peer.log()[before:])  # KIP-345: nobody else notices
        self.check_all()

    def test_2_killed_and_served_by_its_peer(self):
        since = len(self.victim.log())
        self.assertLess(self.outage(self.victim.kill, BY_PEER), BY_PEER)
        self.victim.start().wait_ready()
        self.serves_again(since)
        self.check_all()

    def wake_late(self, fault, heal):
        """Fault, takeover, more writes; then the old owner wakes while everything is read over and over."""
        since = len(self.victim.log())
        everything = [id for row in self.ids.values() for id in row]
        reads = Reads(self.cluster.port(), everything, 1)
        try:
            seconds = self.outage(fault, BY_PEER)
            for id in everything:
                reads.wrote(id, self.version)
            heal()
            for id in everything:
                self.assert_written(id)
                reads.wrote(id, self.version + 1)
            self.version += 1
            self.serves_again(since)
        finally:
            heal()
            reads.finish()
        self.assertEqual(reads.faults, [])
        self.assertGreater(reads.count, 50)
        self.assertLess(seconds, BY_PEER)
        self.check_all()

    def assert_written(self, id):
        body = {"name": f"v{self.version + 1}", "description": "d"}
        response = self.http().put(f"/items/{id}", body, Request_Timeout=PATIENCE)
        self.assertEqual((response.status, response.header("etag")), (200, f'"{self.version + 1}"'), response.body)

    def test_3_paused_for_longer_than_the_session(self):
        self.wake_late(lambda: self.victim.signal(signal.SIGSTOP), lambda: self.victim.signal(signal.SIGCONT))

    def test_4_cut_off_and_what_it_sent_arrives_late(self):
        self.wake_late(self.proxy.cut, self.proxy.heal)

    def test_5_cut_off_and_its_connections_break(self):
        self.wake_late(self.proxy.cut, lambda: self.proxy.heal(reset=not self.proxy.open.is_set()))


class Supervised(unittest.TestCase):
    """The same by deploy/local-supervisor, which restarts what dies."""

    weight = 30

    def setUp(self):
        self.cluster = Cluster(gateways=0, item_workers=0, compute_workers=0)
        self.addCleanup(self.cluster.clean)
        self.addCleanup(lambda: self.assertEqual(self.cluster.stop(), []))
        self.cluster.start()
        self.run_dir = self.cluster.folder / "run"
        self.addCleanup(self.deploy, "stop-local")
        self.deploy("run-local", "--detach", "--kafka", self.cluster.bootstrap, "--port", "0", "--item-workers", "2",
                    "--compute-workers", "0", "--no-build", "--no-install", "--build-dir", str(BUILD))

    def deploy(self, script, *arguments):
        done = subprocess.run([str(ROOT / "deploy" / script), "--run-dir", str(self.run_dir), *arguments], text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_killed_under_the_supervisor(self):
        port = int((self.run_dir / "ready/gateway-1").read_text().split()[0].rstrip("/").rsplit(":", 1)[1])
        log = self.run_dir / "log/item-worker-1.log"
        ids = items_by_partition(1, 1)
        client = http_client.Http(port)
        for (id,) in ids.values():
            self.assertEqual(client.post("/items/", {"id": id, "name": "v1", "description": "d"},
                                         Request_Timeout=PATIENCE).status, 200)
        theirs = {int(p) for p in SERVES.findall(log.read_text().rsplit("event=revoke", 1)[-1])}
        self.assertEqual(len(theirs), 3)
        pid = int((self.run_dir / "pid/item-worker-1.pid").read_text().split()[0])
        outage = Outage(lambda: os.kill(pid, signal.SIGKILL), port, ids, 2).join()
        client.close()
        self.assertEqual({a[1:] for a in outage.answers.values()}, {(200, '"2"')}, outage.answers)
        seconds = max(outage.seconds(ids[p]) for p in theirs)
        print(f"killed under the supervisor: away for {seconds:.2f} s", flush=True)
        self.assertLess(seconds, RESTARTED * SLACK)
