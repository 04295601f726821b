# SPDX-License-Identifier: Apache-2.0
"""The disk under the local state is full: the worker ends and says why; with room again it goes on where it was."""

import os
import subprocess
import unittest

from cluster import Cluster
from processes import wait_for


class DiskFull(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster(compute_workers=0, item_workers=0, gateway_flags=["--deadline", "2s"])
        self.addCleanup(self.cluster.clean)
        self.mounted = self.cluster.state_dir("item-worker-1")
        self.mounted.mkdir(parents=True)
        if os.getuid() != 0 or self.mount("size=2m").returncode != 0:
            self.skipTest("a file system of two megabytes cannot be mounted here: needs root")
        self.addCleanup(lambda: subprocess.run(["umount", str(self.mounted)], check=False))
        self.addCleanup(lambda: self.assertEqual(self.cluster.stop(), []))
        self.cluster.start()
        self.worker = self.cluster.add_item_worker()

    def mount(self, options):
        return subprocess.run(["mount", "-t", "tmpfs", "-o", options, "roundtrip-test", str(self.mounted)],
                              capture_output=True, check=False)

    def test_a_full_disk_ends_the_worker_cleanly_and_loses_nothing(self):
        client, kept = self.cluster.http(), []
        for id in range(1, 2000):
            response = client.post("/items/", {"id": id, "name": f"n{id}", "description": "d" * 4000})
            if response.status != 200:
                self.assertIn(response.status, (503, 504))
                break
            kept.append(id)
        self.assertLess(len(kept), 1990)
        wait_for("the worker to end", lambda: not self.worker.running(), 20)
        self.assertEqual(self.worker.popen.returncode, 1)
        self.assertIn("No space left on device", self.worker.log())
        self.assertIn("free disk space, then start again: nothing is lost", self.worker.log())
        self.assertEqual(self.mount("remount,size=64m").returncode, 0)
        self.worker.start().wait_ready()
        for id in kept:
            got = client.get(f"/items/{id}")
            self.assertEqual((got.status, got.header("etag"), got.json()["name"]), (200, '"1"', f"n{id}"))
        client.close()
