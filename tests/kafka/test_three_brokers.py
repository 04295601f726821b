# SPDX-License-Identifier: Apache-2.0
"""Three brokers, of which one is lost. What is asked of them meanwhile: tests/chaos --brokers 3, tests/containers."""

import os
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "component"))

from confluent_kafka.admin import AdminClient

from cluster import BreakingTest
from processes import wait_for
from test_scaling import item


class ThreeBrokers(BreakingTest):
    weight = 60

    def leader(self, cluster, topic, partition):
        return AdminClient({"bootstrap.servers": cluster.bootstrap}).list_topics(topic, 10).topics[topic].partitions[partition].leader

    def test_a_gateway_that_starts_while_the_leader_of_its_replies_is_gone(self):
        cluster = self.start(broker="kafka-three", compute_workers=0)
        lost = self.leader(cluster, "replies", 5)
        os.kill(cluster.broker.pid_of(lost), signal.SIGKILL)
        gateway = cluster.add_gateway(wait=False, flags=["--reply-partition", "5"])
        wait_for("Kafka to choose another", lambda: self.leader(cluster, "replies", 5) not in (lost, -1), 30, 0.5)
        cluster.broker.start_node(lost)
        gateway.wait_ready()
        http = cluster.http(1)
        self.addCleanup(http.close)
        wait_for("an answer", lambda: http.post("/items/", item(1)).status in (200, 400), 30, 0.5)
