# SPDX-License-Identifier: Apache-2.0
"""Sends many commands fast, as any Kafka client would, without a reply: to create items, to change them, to make dead letters."""

import time

from confluent_kafka import Consumer, Producer, TopicPartition

COMMANDS, EVENTS, DEAD = "item.commands", "item.events", "dlq.item.commands"
IN_FLIGHT = 20_000  # commands without an event: enough to keep a worker busy
TELL_SECONDS = 10
STALL_SECONDS = 60  # a worker that does nothing for so long does nothing at all


class Records:
    """How many more records a topic holds than at first."""

    def __init__(self, bootstrap, topic):
        self.topic, self.consumer = topic, Consumer({"bootstrap.servers": bootstrap, "group.id": "many-items"})
        self.partitions = self.consumer.list_topics(topic, timeout=10).topics[topic].partitions
        self.first = self.end()
        self.most, self.grew = 0, time.monotonic()

    def end(self):
        return sum(self.consumer.get_watermark_offsets(TopicPartition(self.topic, p), timeout=30)[1] for p in self.partitions)

    def count(self):
        found = self.end() - self.first
        if found > self.most:
            self.most, self.grew = found, time.monotonic()
        elif time.monotonic() - self.grew > STALL_SECONDS:
            raise RuntimeError(f"{self.topic} has not grown for {STALL_SECONDS} s, at {found:,} records: see the worker's log")
        return found


def send_all(bootstrap, commands, count, topic, note=lambda text: None):
    """`commands` yields `count` times (id, value, headers); returns once `topic` has a record for each. Seconds it took."""
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 20, "acks": "all",
                         "queue.buffering.max.messages": 200_000})
    done = Records(bootstrap, topic)
    began = told = time.monotonic()
    for number, (id, value, headers) in enumerate(commands, 1):
        producer.produce(COMMANDS, key=str(id), value=value, headers=headers)
        if number % 1000:
            continue
        producer.poll(0)
        while number - (found := done.count()) > IN_FLIGHT:
            producer.poll(0.01)
        if time.monotonic() - told > TELL_SECONDS:
            told = time.monotonic()
            note(f"  {found:,} of {count:,}")
    producer.flush()
    while done.count() < count:
        time.sleep(0.02)
    seconds = time.monotonic() - began
    done.consumer.close()
    return seconds


def create_all(bootstrap, count, length, note=lambda text: None):
    """Items 1 to `count`, each with a description of `length` letters."""
    text = "d" * length
    commands = ((id, f'{{"id":{id},"name":"item {id}","description":"{text}"}}', [("ce_type", "item.create"), ("ce_id", f"many-{id}")])
                for id in range(1, count + 1))
    return send_all(bootstrap, commands, count, EVENTS, note)


def change_all(bootstrap, count, times, length, note=lambda text: None):
    """Items 1 to `count`, which are there, `times` over."""
    text = "c" * length
    commands = ((id, f'{{"name":"item {id}","description":"{turn} {text}"}}', [("ce_type", "item.put"), ("ce_id", f"change-{turn}-{id}")])
                for turn in range(1, times + 1) for id in range(1, count + 1))
    return send_all(bootstrap, commands, count * times, EVENTS, note)


def spoil(bootstrap, count, note=lambda text: None):
    """Commands without a type: each becomes a dead letter."""
    commands = ((id, "{}", [("ce_id", f"spoilt-{id}")]) for id in range(1, count + 1))
    return send_all(bootstrap, commands, count, DEAD, note)
