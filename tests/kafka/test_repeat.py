# SPDX-License-Identifier: Apache-2.0
"""A command that Kafka did not take in time is sent again while its caller still waits: one effect, and an answer."""

import os
import pathlib
import re
import signal
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "component"))

from cluster import ClusterTest
from processes import SLACK


class Repeated(ClusterTest):
    options = {"compute_workers": 0, "gateway_flags": ["--deadline", "2s"]}
    weight = 20

    def test_a_broker_that_stands_still_for_longer_than_sending_may_take(self):
        client = self.http()
        self.assertEqual(client.post("/items/", {"id": 1, "name": "n", "description": "d"}).status, 200)
        answers = []

        def write(id):
            body = {"id": id, "name": "n", "description": "d"}
            answers.append(self.cluster.http(0, 60 * SLACK).post("/items/", body, Prefer="wait=30"))
        threads = [threading.Thread(target=write, args=(id,)) for id in range(100, 105)]
        broker = int((pathlib.Path(self.cluster.broker.dir) / "kafka.pid").read_text().split()[0])
        os.kill(broker, signal.SIGSTOP)
        try:
            for thread in threads:
                thread.start()
            time.sleep(3)
        finally:
            os.kill(broker, signal.SIGCONT)
        for thread in threads:
            thread.join()
        self.assertEqual([answer.status for answer in answers], [200] * 5, [answer.body for answer in answers])
        self.assertEqual({answer.header("etag") for answer in answers}, {'"1"'})
        gateway = self.cluster.gateways[0]
        self.assertEqual(gateway.stop(), 0)
        counted = dict(re.findall(r"(\w+)=(\d+)", gateway.log().rsplit("served", 1)[1]))
        self.assertGreaterEqual(int(counted["repeated"]), 5)
