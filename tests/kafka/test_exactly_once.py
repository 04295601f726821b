# SPDX-License-Identifier: Apache-2.0
"""Ten thousand creations while the only worker is killed twice; a second process with its instance id; topics made anew."""

import queue
import subprocess
import threading
import time
import unittest

from confluent_kafka.admin import AdminClient

from cluster import Cluster
from processes import BUILD, SLACK, wait_for

COUNT, CLIENTS = 10_000, 12


class ExactlyOnce(unittest.TestCase):
    weight = 60

    def setUp(self):
        self.cluster = Cluster(compute_workers=0)
        self.addCleanup(self.cluster.clean)
        self.addCleanup(lambda: self.assertEqual(self.cluster.stop(), []))
        self.cluster.start()

    def create_all(self, ids):
        """Every id with its own key, tried again until it is acknowledged. How many attempts were needed beyond one each."""
        waiting, lock, state = queue.SimpleQueue(), threading.Lock(), {"done": 0, "retries": 0, "wrong": []}
        for id in ids:
            waiting.put(id)

        def work():
            client = self.cluster.http()
            while not waiting.empty():
                try:
                    id = waiting.get_nowait()
                except queue.Empty:
                    break
                response = client.post("/items/", {"id": id, "name": f"n{id}", "description": "d"}, Idempotency_Key=f"once-{id}")
                with lock:
                    if response.status in (503, 504):
                        state["retries"] += 1
                        waiting.put(id)
                    else:
                        state["done"] += 1
                        if (response.status, response.header("etag")) != (200, '"1"'):
                            state["wrong"].append((id, response.status, response.body))
                if response.status in (503, 504):
                    time.sleep(0.1)
            client.close()
        threads = [threading.Thread(target=work) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        return threads, state

    def test_ten_thousand_creations_through_two_kills(self):
        worker = self.cluster.item_workers[0]
        ids = range(1, COUNT + 1)
        threads, state = self.create_all(ids)
        for part in (1, 2):
            wait_for("a third of the creations", lambda: state["done"] > part * COUNT // 3, 60)
            worker.kill()
            worker.start().wait_ready()
        for thread in threads:
            thread.join(120 * SLACK)
        self.assertEqual((state["done"], state["wrong"]), (COUNT, []))
        client = self.cluster.http()
        for id in ids:
            got = client.get(f"/items/{id}")
            self.assertEqual((got.status, got.header("etag"), got.json()["name"]), (200, '"1"', f"n{id}"))
        client.close()

    def test_a_second_process_with_the_same_instance_id_takes_over_and_the_first_ends(self):
        worker = self.cluster.item_workers[0]
        first, at = worker.popen, worker.arguments.index("--state-dir") + 1
        client = self.cluster.http()
        self.assertEqual(client.post("/items/", {"id": 1, "name": "n", "description": "d"}).status, 200)
        worker.arguments[at] += "-b"
        worker.ready_path = worker.ready_path.with_name("second.ready")
        worker.start().wait_ready()
        self.assertEqual(first.wait(15 * SLACK), 1)
        self.assertIn("must be restarted", worker.log())
        got = client.get("/items/1")
        self.assertEqual((got.status, got.header("etag")), (200, '"1"'))
        client.close()

    def test_topics_made_anew_and_longer_than_before_are_noticed(self):
        worker, client = self.cluster.item_workers[0], self.cluster.http()
        for id in range(1, 21):
            self.assertEqual(client.post("/items/", {"id": id, "name": "old", "description": "d"}).status, 200)
        worker.stop()
        names = ["item.commands", "item.events"]
        admin = AdminClient({"bootstrap.servers": self.cluster.bootstrap})
        for future in admin.delete_topics(names, operation_timeout=30).values():
            future.result(30)
        wait_for("the topics to be gone", lambda: not set(names) & set(admin.list_topics(timeout=10).topics))
        subprocess.run([str(BUILD / "deploy/roundtrip-topics"), "--kafka", self.cluster.bootstrap, "--services", "item"],
                       check=True, capture_output=True, timeout=60)
        at = worker.arguments.index("--state-dir") + 1
        before = worker.arguments[at]
        worker.arguments[at] += "-other"
        worker.start().wait_ready()

        def written(id):
            return client.post("/items/", {"id": id, "name": "new", "description": "d"}, Idempotency_Key=f"new-{id}").status == 200
        for id in range(101, 161):
            wait_for(f"item {id}", lambda: written(id), 20)
        worker.stop()
        worker.arguments[at] = before  # the copy of the topics that were: its checkpoints lie within the new ones
        worker.start().wait_ready()
        self.assertIn("the local state is of another log", worker.log())
        wait_for("an answer", lambda: client.get("/items/101").status == 200, 20)
        self.assertEqual(client.get("/items/1").status, 404)
        self.assertEqual(client.get("/items/160").json()["name"], "new")
        client.close()
