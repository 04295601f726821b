# SPDX-License-Identifier: Apache-2.0
"""What only a real broker shows: peers take over, a paused worker that wakes does no harm, topics are as they should be."""

import subprocess
import time

from cluster import ClusterTest
from processes import BUILD, SLACK


def item(id, name="n"):
    return {"id": id, "name": name, "description": "d"}


class Takeover(ClusterTest):
    weight = 50
    options = {"item_workers": 2, "compute_workers": 0, "gateway_flags": ["--deadline", "15s"]}

    def write_all(self, ids, version):
        """Writes every item once, repeating with the same key until it is acknowledged; its version must be exact."""
        c = self.http()
        for id in ids:
            end = time.monotonic() + 60 * SLACK
            while True:
                if version == 1:
                    response = c.post("/items/", item(id, "v1"), Idempotency_Key=f"take-{id}-1")
                else:
                    response = c.put(f"/items/{id}", {"name": f"v{version}", "description": "d"},
                                     Idempotency_Key=f"take-{id}-{version}")
                if response.status == 200:
                    break
                self.assertIn(response.status, (503, 504), response.body)
                self.cluster.supervise()
                self.assertLess(time.monotonic(), end)
            self.assertEqual(response.header("etag"), f'"{version}"', f"item {id}")

    def check_all(self, ids, version):
        c = self.http()
        for id in ids:
            got = c.get(f"/items/{id}")
            self.assertEqual((got.status, got.header("etag"), got.json()), (200, f'"{version}"', item(id, f"v{version}")))

    def test_1_killed_worker_is_taken_over_by_its_peer(self):
        ids = range(5_000_000, 5_000_060)
        self.write_all(ids, 1)
        victim = self.cluster.item_workers[1]
        victim.kill()
        began = time.monotonic()
        self.write_all(ids, 2)
        self.assertLess(time.monotonic() - began, 10 * SLACK + 5)
        self.check_all(ids, 2)
        victim.start().wait_ready()
        self.write_all(ids, 3)

    def test_2_paused_worker_that_wakes_late_changes_nothing(self):
        ids = range(6_000_000, 6_000_060)
        self.write_all(ids, 1)
        sleeper = self.cluster.item_workers[0]
        sleeper.signal(19)  # SIGSTOP
        self.write_all(ids, 2)  # needs its peer to take over: the session time-out is 6 s
        self.write_all(ids, 3)
        sleeper.signal(18)  # SIGCONT: it believes it still owns what it owned
        self.write_all(ids, 4)
        self.check_all(ids, 4)

    def test_3_kill_in_the_middle_of_many_creations(self):
        ids = range(7_000_000, 7_000_400)
        worker = self.cluster.item_workers[0]
        for start in range(0, 400, 100):
            worker.kill()
            self.write_all(ids[start:start + 50], 1)
            worker.start()
            self.write_all(ids[start + 50:start + 100], 1)
        self.check_all(ids, 1)


class Topics(ClusterTest):
    options = {"gateways": 0, "item_workers": 0, "compute_workers": 0}

    def topics(self, *flags):
        return subprocess.run([str(BUILD / "deploy/roundtrip-topics"), "--kafka", self.cluster.bootstrap, *flags],
                              capture_output=True, text=True, timeout=60, check=False)

    def test_again_says_exists_and_other_settings_say_differs(self):
        again = self.topics("--reply-topics", "replies")
        self.assertEqual(again.returncode, 0, again.stdout + again.stderr)
        self.assertIn("exists", again.stdout)
        self.assertNotIn("created", again.stdout)
        other = self.topics("--partitions", "7")
        self.assertEqual(other.returncode, 1)
        self.assertIn("DIFFERS", other.stdout)
        window = self.topics("--dedupe-window", "1h")
        self.assertEqual(window.returncode, 1)
        self.assertIn("min.compaction.lag.ms", window.stdout)

    def test_settings_in_force(self):
        from confluent_kafka.admin import AdminClient, ConfigResource
        admin = AdminClient({"bootstrap.servers": self.cluster.bootstrap})
        resource = ConfigResource("topic", "item.events")
        config = admin.describe_configs([resource])[resource].result(30)
        self.assertEqual(config["cleanup.policy"].value, "compact")
        self.assertEqual(config["min.compaction.lag.ms"].value, str(24 * 3600 * 1000))
        topics = admin.list_topics(timeout=10).topics
        for name in ("item.commands", "item.events", "dlq.item.commands", "compute.commands", "compute.events"):
            self.assertEqual(len(topics[name].partitions), 6, name)
