# SPDX-License-Identifier: Apache-2.0
"""Talking to the topics as an outsider would: confluent-kafka's Python client and kcat."""

import json
import subprocess
import time
import uuid

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from processes import SLACK, wait_for


def partition_of(key, partitions):
    """Where Java's default partitioner, murmur2, puts a key."""
    data, mask, m = key.encode(), 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(data)
    whole = len(data) // 4 * 4
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i:i + 4], "little") * m & mask
        h = (h * m & mask) ^ ((k ^ k >> 24) * m & mask)
    if whole < len(data):
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return ((h ^ h >> 15) & 0x7FFFFFFF) % partitions


class Direct:
    """A direct producer of commands that reads replies of a topic of its choice."""

    def __init__(self, bootstrap, partitioner="murmur2_random"):
        self.bootstrap = bootstrap
        self.producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0, "partitioner": partitioner})

    def send(self, topic, key, value=None, headers=None, partition=None):
        """`value`: bytes as they are, None, or anything as JSON. Where it went: (partition, offset)."""
        placed = []

        def delivered(error, message):
            placed.append(error or (message.partition(), message.offset()))
        if value is not None and not isinstance(value, bytes):
            value = json.dumps(value).encode()
        extra = {} if partition is None else {"partition": partition}
        pairs = [(k, v.encode() if isinstance(v, str) else v) for k, v in (headers or {}).items()]
        self.producer.produce(topic, key=key, value=value, headers=pairs, on_delivery=delivered, **extra)
        self.producer.flush(10 * SLACK)
        assert placed and isinstance(placed[0], tuple), placed
        return placed[0]

    def watch(self, topic):
        return Watch(self.bootstrap, topic)

    def call(self, watch, topic, key, value=None, headers=None, partition=None, reply_partition=b"0", seconds=10):
        """Sends a command and waits for its reply on `watch`."""
        correlation = uuid.uuid4().hex.encode()
        own = {"kafka_replyTopic": watch.topic, "kafka_replyPartition": reply_partition,
               "kafka_correlationId": correlation}
        self.send(topic, key, value, {**own, **(headers or {})}, partition)
        return watch.find(lambda m: m.headers.get("kafka_correlationId") == correlation, seconds)


class Record:
    def __init__(self, message):
        self.partition, self.offset = message.partition(), message.offset()
        self.key, self.value = message.key(), message.value()
        self.headers = dict(message.headers() or [])

    def text(self, name):
        value = self.headers.get(name)
        return None if value is None else value.decode()

    def json(self):
        return json.loads(self.value)


def ends(consumer, topic, partition, seconds=10):
    """(low, high) of a partition. Waits: a topic made a moment ago has no leader yet, and a broker that came back may take its partitions at this very moment."""
    def asked():
        try:
            consumer.list_topics(topic, timeout=5 * SLACK)  # asks anew who leads
            return consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=5 * SLACK)
        except KafkaException:
            return None
    return wait_for(f"the ends of {topic}/{partition}", asked, seconds)


class Watch:
    """All records of a topic from now on, over all its partitions."""

    def __init__(self, bootstrap, topic, from_beginning=False):
        self.topic = topic
        self.consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"watch-{uuid.uuid4().hex}",
                                  "enable.auto.commit": False, "auto.offset.reset": "earliest", "fetch.wait.max.ms": 20})
        count = wait_for(f"topic {topic}", lambda: len(
            self.consumer.list_topics(topic, timeout=5).topics[topic].partitions))
        start = []
        for p in range(count):
            low, high = ends(self.consumer, topic, p)
            start.append(TopicPartition(topic, p, low if from_beginning else high))
        self.consumer.assign(start)
        self.seen = []

    def poll(self, seconds=0.1):
        message = self.consumer.poll(seconds)
        if message is not None and not message.error():
            self.seen.append(Record(message))

    def find(self, wanted, seconds=10):
        """The first record, seen already or coming, for which wanted(record) holds; None when none comes."""
        end = time.monotonic() + seconds * SLACK
        checked = 0
        while True:
            for record in self.seen[checked:]:
                if wanted(record):
                    return record
            checked = len(self.seen)
            if time.monotonic() > end:
                return None
            self.poll()

    def close(self):
        self.consumer.close()


def kcat_produce(bootstrap, topic, line, headers):
    """Produces "key:value" with kcat, whose default partitioner is not murmur2."""
    command = ["kcat", "-P", "-b", bootstrap, "-t", topic, "-K:"]
    for name, value in headers.items():
        command += ["-H", f"{name}={value}"]
    subprocess.run(command, input=line.encode(), check=True, timeout=60, capture_output=True)
