# SPDX-License-Identifier: Apache-2.0
"""Backup and restore: the topics are the state. They are copied to a Kafka that has nothing, and everything is there again."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "component"))

from confluent_kafka import Consumer, Producer, TopicPartition

from cluster import BreakingTest, Cluster
from kafka_client import ends
from processes import wait_for

TOPICS = ("item.events", "compute.events", "dlq.item.commands", "control")


def copy(topic, source, target):
    """Every record, to the partition it was in, in its order, as MirrorMaker does. How many."""
    consumer = Consumer({"bootstrap.servers": source, "group.id": "backup", "enable.auto.commit": False})
    producer = Producer({"bootstrap.servers": target, "enable.idempotence": True})
    partitions = consumer.list_topics(topic, 10).topics[topic].partitions
    left = {p: ends(consumer, topic, p)[1] for p in partitions}
    consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
    count = 0
    while any(consumer.position([TopicPartition(topic, p)])[0].offset < end for p, end in left.items() if end > 0):
        for message in consumer.consume(500, 1):
            assert not message.error(), message.error()
            producer.produce(topic, message.value(), message.key(), message.partition(), timestamp=message.timestamp()[1], headers=message.headers())
            count += 1
        producer.flush(30)
    consumer.close()
    return count


class Restore(BreakingTest):
    weight = 20

    def test_from_a_copy_of_the_topics(self):
        first = self.start(broker="kafka")
        http = first.http()
        for id in range(1, 101):
            self.assertEqual(http.post("/items/", {"id": id, "name": f"n{id}", "description": "d"}, Idempotency_Key=f"k{id}").status, 200)
        for id in range(1, 101, 3):
            self.assertEqual(http.put(f"/items/{id}", {"name": "changed", "description": "e"}).status, 200)
        for id in range(2, 101, 10):
            self.assertEqual(http.delete(f"/items/{id}").status, 204)
        computed = http.post("/computations/", {"kind": "primes", "params": {"n": 100000}}, Prefer="respond-async").header("location")
        wait_for("its end", lambda: http.get(computed, Prefer="wait=5").status == 200, 20)
        before = {id: (r.status, r.body, r.header("etag")) for id in range(1, 102) for r in [http.get(f"/items/{id}")]}
        result = http.get(computed).body
        http.close()
        for process in first.everything:
            process.stop()

        second = Cluster(broker="kafka")
        self.addCleanup(second.clean)
        self.addCleanup(lambda: self.assertEqual(second.stop(), []))
        second.start_broker()
        copied = {topic: copy(topic, first.bootstrap, second.bootstrap) for topic in TOPICS}
        self.assertGreaterEqual(copied["item.events"], 100)
        second.add_item_worker()
        second.add_compute_worker()
        second.add_gateway()
        http = second.http()
        self.addCleanup(http.close)
        self.assertEqual({id: (r.status, r.body, r.header("etag")) for id in before for r in [http.get(f"/items/{id}")]}, before)
        self.assertEqual(http.get(computed).body, result)
        again = http.post("/items/", {"id": 3, "name": "n3", "description": "d"}, Idempotency_Key="k3")
        self.assertEqual((again.status, again.json()["name"]), (200, "n3"), "what was done under a key is still known")
        self.assertEqual(http.post("/items/", {"id": 4, "name": "other", "description": "d"}).status, 400)
        self.assertEqual(http.put("/items/4", {"name": "after", "description": "f"}).status, 200)
        print(f"restore: {copied} records copied", flush=True)
