# SPDX-License-Identifier: Apache-2.0
"""A rolling upgrade: programs of an earlier version beside today's, in one group, on one log; forward, and back again."""

import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "component"))

from cluster import Cluster
from kafka_client import Direct
from processes import BUILD, ROOT, wait_for
from test_scaling import Load, item

# Before computations had parts, checkpoints and results of their own (CHANGELOG.md): the last change of what is on the wire.
EARLIER = "2845c69"
TARGETS = ["roundtrip-gateway", "roundtrip-item-worker", "roundtrip-compute-worker"]


def earlier_build():
    """Made once, beside ours; None where history or tools are missing."""
    folder = ROOT / "build" / f"earlier-{EARLIER}"
    done = folder / "built"
    if done.exists():
        return folder / "build/release"
    if subprocess.run(["git", "-C", ROOT, "cat-file", "-e", EARLIER], capture_output=True, check=False).returncode != 0:
        return None
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    archive = subprocess.run(["git", "-C", ROOT, "archive", EARLIER], capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
    for command in (["cmake", "--preset", "release", "-DROUNDTRIP_TESTS=OFF"], ["cmake", "--build", "build/release", "--target", *TARGETS]):
        subprocess.run(["nice", "-n", "19", *command], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    done.touch()
    return folder / "build/release"


class MixedCluster(Cluster):
    """Whose processes can be started again as another version."""

    def __init__(self, earlier, **options):
        super().__init__(**options)
        self.earlier, self.now_earlier = pathlib.Path(earlier), True

    def add(self, name, program, flags=(), wait=False, bootstrap=None):
        path = pathlib.Path(program).relative_to(BUILD)
        process = super().add(name, (self.earlier if self.now_earlier else BUILD) / path, flags, wait, bootstrap)
        process.path = path
        return process

    def become(self, process, earlier):
        process.stop()
        process.arguments[0] = str((self.earlier if earlier else BUILD) / process.path)
        process.start().wait_ready()


class MixedVersions(unittest.TestCase):
    weight = 60

    def setUp(self):
        earlier = earlier_build()
        if earlier is None:
            self.skipTest(f"commit {EARLIER} is not here: it needs the whole history (git fetch --unshallow)")
        cluster = self.cluster = MixedCluster(earlier, gateways=1, item_workers=2, compute_workers=1, broker="kafka")
        self.addCleanup(cluster.clean)
        self.addCleanup(lambda: self.assertEqual(cluster.stop(), []))
        cluster.start()
        cluster.now_earlier = False
        cluster.add_gateway()

    def use(self, number):
        """What both versions know, through both gateways."""
        for gateway in range(2):
            http, id = self.cluster.http(gateway), 1000 + number * 10 + gateway
            self.assertEqual(http.post("/items/", item(id)).status, 200)
            self.assertEqual(http.put(f"/items/{id}", {"name": "m", "description": "e"}, If_Match='"1"').header("etag"), '"2"')
            self.assertEqual(http.get(f"/items/{id}").json(), {"id": id, "name": "m", "description": "e"})
            self.assertEqual(http.delete(f"/items/{id}").status, 204)
            self.assertEqual(http.get(f"/items/{id}").status, 404)
            heavy = http.get("/heavy_computation/", Request_Timeout="30")
            self.assertEqual(heavy.status, 200, f"step {number}, gateway {gateway}: {heavy.body}")
            accepted = http.post("/items/", item(id + 5), Prefer="respond-async")
            self.assertEqual(accepted.status, 202)
            other = self.cluster.http(1 - gateway)
            wait_for("the operation's end", lambda: other.get(accepted.header("location"), Prefer="wait=5").status == 200)
            http.close()
            other.close()

    def test_forward_and_back_under_load(self):
        cluster, steps = self.cluster, []
        load = Load(cluster, 300_000_000, gateways=2)
        try:
            self.use(0)
            for earlier in (False, True, False):
                for process in (*cluster.item_workers, *cluster.compute_workers):
                    count = len(load.created)
                    cluster.become(process, earlier)
                    wait_for("creations after it", lambda: len(load.created) > count + 20, 60)
                    self.use(len(steps) + 1)
                    steps.append((process.name, earlier))
        finally:
            load.finish()
        self.assertEqual(load.faults, [])
        client = cluster.http(1)
        for id in load.created:
            got = client.get(f"/items/{id}")
            self.assertEqual((got.status, got.header("etag"), got.json()), (200, '"1"', item(id, str(id))))
        print(f"mixed: {EARLIER} and today's, {len(steps)} processes changed version; {len(load.created)} items, {load.retries} requests repeated", flush=True)

    def test_a_key_is_known_to_both(self):
        """An outcome that one version stored is what the other answers a repetition with."""
        http = [self.cluster.http(gateway) for gateway in range(2)]
        for number, earlier in enumerate((False, True)):
            body = item(7000 + number)
            first = http[0].post("/items/", body, Idempotency_Key=f"both-{number}")
            self.assertEqual(first.status, 200)
            for worker in self.cluster.item_workers:
                self.cluster.become(worker, earlier)
            for client in http:
                again = client.post("/items/", body, Idempotency_Key=f"both-{number}")
                self.assertEqual((again.status, again.body), (200, first.body))

    def test_headers_of_a_later_version_are_ignored(self):
        direct = Direct(self.cluster.bootstrap)
        replies = direct.watch("replies.direct")
        self.addCleanup(replies.close)
        for worker, id in zip(self.cluster.item_workers, (8000, 8001)):
            reply = direct.call(replies, "item.commands", str(id), item(id), {"ce_type": "item.create", "ce_id": f"later-{id}", "ce_futureextension": "x",
                                                                             "roundtrip_unknown": b"\x00\xff"}, reply_partition=None)
            self.assertIsNotNone(reply, worker.name)
            self.assertEqual(reply.text(":status"), "200")
