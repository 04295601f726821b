# SPDX-License-Identifier: Apache-2.0
"""What a start costs: from the checkpoint where there is a local copy, and the whole log, fast, where there is none."""

import re
import shutil
import time

from cluster import ClusterTest
from many_items import create_all
from processes import SLACK

COUNT, PARTITIONS = 120_000, 6
SERVES = re.compile(r"partition serves.* claim_offset=(\d+) replayed_from=(\d+) ")


class Startup(ClusterTest):
    weight = 40
    options = {"compute_workers": 0}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.worker = cls.cluster.item_workers[0]
        create_all(cls.cluster.bootstrap, COUNT, 100)

    def start(self):
        """Seconds to ready, and for each partition how many records it replayed up to its claim, and from where."""
        since, began = len(self.worker.log()), time.monotonic()
        self.worker.start().wait_ready()
        seconds = time.monotonic() - began
        serves = [(int(claim) - int(origin), int(origin)) for claim, origin in SERVES.findall(self.worker.log()[since:])]
        self.assertEqual(len(serves), PARTITIONS, self.worker.tail())
        print(f"{self.id().rsplit('.', 1)[-1]}: ready after {seconds:.2f} s, {sum(n for n, _ in serves)} records replayed")
        return seconds, serves

    def check_sample(self):
        client = self.http()
        for id in range(1, COUNT, COUNT // 50):
            got = client.get(f"/items/{id}")
            self.assertEqual((got.status, got.header("etag"), got.json()["name"]), (200, '"1"', f"item {id}"))

    def test_1_from_the_checkpoint_after_a_stop(self):
        self.worker.stop()
        _, serves = self.start()
        self.assertEqual([n for n, _ in serves], [0] * PARTITIONS)  # the claim alone is new
        self.assertGreater(sum(origin for _, origin in serves), COUNT)
        self.check_sample()

    def test_2_from_the_checkpoint_after_a_kill(self):
        self.worker.kill()
        _, serves = self.start()
        self.assertLess(sum(n for n, _ in serves), COUNT / 10)
        self.check_sample()

    def test_3_the_whole_log_without_a_copy(self):
        """Far less than librdkafka needs that stops for a second whenever its queue was full: 8 s."""
        self.worker.stop()
        shutil.rmtree(self.cluster.state_dir(self.worker.name))
        seconds, serves = self.start()
        self.assertEqual([origin for _, origin in serves], [0] * PARTITIONS)
        self.assertGreater(sum(n for n, _ in serves), COUNT)
        self.assertLess(seconds, 3 * SLACK)
        self.check_sample()
