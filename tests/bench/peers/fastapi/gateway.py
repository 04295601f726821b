# SPDX-License-Identifier: Apache-2.0
"""The gateway with FastAPI and aiokafka, one uvicorn process with uvloop. See ../README.md."""
import asyncio
import contextlib
import itertools
import json
import os
import socket
import time

import uvicorn
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from fastapi import FastAPI, Response
from pydantic import BaseModel

from common import COMMANDS, REPLIES, parse, ready

PATIENCE_SECONDS = 10
options = parse()
pending: dict[bytes, asyncio.Future] = {}
numbers = itertools.count(time.time_ns())  # replies to an earlier process find nobody


class Item(BaseModel):
    id: int
    name: str
    description: str


class Bus:
    producer: AIOKafkaProducer
    consumer: AIOKafkaConsumer


async def ask(operation: str, key: str, body: bytes | None) -> tuple[int, bytes]:
    correlation = b"%d" % next(numbers)
    answer = pending[correlation] = asyncio.get_running_loop().create_future()
    try:
        await Bus.producer.send(COMMANDS, key=key.encode(), value=body, headers=[("operation", operation.encode()), ("correlation", correlation)])
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await answer
    except TimeoutError:
        return 504, b'{"detail":"no reply in time"}'
    finally:
        del pending[correlation]


async def listen():
    async for record in Bus.consumer:
        headers = dict(record.headers)
        answer = pending.get(headers["correlation"])
        if answer and not answer.done():
            answer.set_result((int(headers["status"]), record.value))


async def probe():
    """Replies from before the end of their topic was known are lost: until one comes."""
    while True:
        try:
            async with asyncio.timeout(0.5):
                await ask("read", "0", None)
                return
        except TimeoutError:
            pass


@contextlib.asynccontextmanager
async def lifespan(_app):
    Bus.producer = AIOKafkaProducer(bootstrap_servers=options.kafka, linger_ms=0, acks="all")
    Bus.consumer = AIOKafkaConsumer(bootstrap_servers=options.kafka, auto_offset_reset="latest", group_id=None)
    await Bus.producer.start()
    await Bus.consumer.start()
    partition = TopicPartition(REPLIES, 0)
    Bus.consumer.assign([partition])
    await Bus.consumer.seek_to_end(partition)
    listener = asyncio.create_task(listen())
    await probe()
    ready(options, f"http://127.0.0.1:{listening.getsockname()[1]}")
    yield
    listener.cancel()
    await Bus.consumer.stop()
    await Bus.producer.stop()


app = FastAPI(lifespan=lifespan)


@app.post("/items/")
async def create(item: Item):
    status, body = await ask("create", str(item.id), item.model_dump_json().encode())
    return Response(body, status, media_type="application/json")


@app.get("/items/{id}")
async def read(id: int):
    status, body = await ask("read", str(id), None)
    return Response(body, status, media_type="application/json")


if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", options.port), backlog=4096)
    server = uvicorn.Server(uvicorn.Config(app, loop="uvloop", http="httptools", access_log=False, log_level="warning"))
    server.run(sockets=[listening])
