# SPDX-License-Identifier: Apache-2.0
"""The worker with aiokafka: items in memory, at-least-once, offsets committed in the background. See ../README.md."""
import asyncio
import signal

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.abc import ConsumerRebalanceListener

from common import COMMANDS, REPLIES, parse, ready

options = parse()
items: dict[bytes, bytes] = {}


def handle(operation, key, value):
    if operation == b"create":
        if key in items:
            return b"409", b'{"detail":"it exists"}'
        items[key] = value
        return b"201", value
    if key in items:
        return b"200", items[key]
    return b"404", b'{"detail":"no such item"}'


class Assigned(ConsumerRebalanceListener):
    async def on_partitions_revoked(self, revoked):
        pass

    async def on_partitions_assigned(self, assigned):
        ready(options, "ready")


async def serve():
    producer = AIOKafkaProducer(bootstrap_servers=options.kafka, linger_ms=0, acks="all")
    consumer = AIOKafkaConsumer(bootstrap_servers=options.kafka, group_id="peer.fastapi.workers", auto_offset_reset="earliest")
    consumer.subscribe([COMMANDS], listener=Assigned())
    await producer.start()
    await consumer.start()
    try:
        async for record in consumer:
            headers = dict(record.headers)
            status, body = handle(headers["operation"], record.key, record.value)
            await producer.send(REPLIES, value=body, partition=0, headers=[("correlation", headers["correlation"]), ("status", status)])
    finally:
        await consumer.stop()
        await producer.stop()


async def main():
    task = asyncio.create_task(serve())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        pass


uvloop.run(main())
