# SPDX-License-Identifier: Apache-2.0
"""Creates many items fast: commands as any Kafka client would send them, without a reply."""

import time

from confluent_kafka import Consumer, Producer, TopicPartition

COMMANDS, EVENTS = "item.commands", "item.events"
IN_FLIGHT = 20_000  # commands without an event: enough to keep a worker busy
TELL_SECONDS = 10


class Events:
    """How many records the event log holds."""

    def __init__(self, bootstrap):
        self.consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "many-items"})
        self.partitions = self.consumer.list_topics(EVENTS, timeout=10).topics[EVENTS].partitions
        self.first = self.end()

    def end(self):
        return sum(self.consumer.get_watermark_offsets(TopicPartition(EVENTS, p), timeout=30)[1] for p in self.partitions)

    def count(self):
        return self.end() - self.first


def create_all(bootstrap, count, length, note=lambda text: None):
    """Items 1 to `count`, each with a description of `length` letters; returns once their events are there. Seconds it took."""
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 20, "acks": "all",
                         "queue.buffering.max.messages": 200_000})
    events = Events(bootstrap)
    began = told = time.monotonic()
    text = "d" * length
    for id in range(1, count + 1):
        producer.produce(COMMANDS, key=str(id), value=f'{{"id":{id},"name":"item {id}","description":"{text}"}}',
                         headers=[("ce_type", "item.create"), ("ce_id", f"many-{id}")])
        if id % 1000:
            continue
        producer.poll(0)
        while id - (done := events.count()) > IN_FLIGHT:
            producer.poll(0.01)
        if time.monotonic() - told > TELL_SECONDS:
            told = time.monotonic()
            note(f"  {done:,} of {count:,}")
    producer.flush()
    while events.count() < count:
        time.sleep(0.02)
    seconds = time.monotonic() - began
    events.consumer.close()
    return seconds
