# SPDX-License-Identifier: Apache-2.0
"""Callers of both kinds: by HTTP through either gateway, and straight over Kafka."""

import http.client
import json
import random
import threading
import time
import uuid

from confluent_kafka import Consumer, Producer, TopicPartition

from faults import DEADLINE
from history import Operation
from kafka_client import ends

GIVE_UP = 25.0      # an operation without a definite answer by then is unknown
DEFINITE = {200, 204, 400, 404, 412, 422}
REPLY_TOPIC = "replies.direct"


class Client(threading.Thread):
    """Asks one thing after another about items of the present epoch. `choose()` gives the keys in play."""

    def __init__(self, name, seed, history, keys, stop):
        super().__init__(name=name, daemon=True)
        self.random = random.Random(f"{seed}/{name}")
        self.history, self.keys, self.stop = history, keys, stop
        self.serial = 0
        self.versions = {}  # the last version seen of a key
        self.crashed = None

    def next_operation(self, kind=None, key=None):
        self.serial += 1
        key = key or self.random.choice(self.keys())
        kind = kind or self.random.choices(["create", "put", "get", "delete"], [3, 4, 4, 2])[0]
        op = Operation(self.name, key, kind, f"{self.name}-{self.serial}-{uuid.uuid4().hex[:8]}", time.monotonic())
        if kind in ("create", "put"):
            op.value = f"{self.name}-{self.serial}"
        if kind in ("put", "delete") and key in self.versions and self.random.random() < 0.3:
            op.if_match = self.versions[key]
        return op

    def run(self):
        try:
            self.open()
            while not self.stop.is_set():
                self.do(self.next_operation())
                time.sleep(self.random.random() * 0.01)
        except Exception as error:  # pylint: disable=broad-except
            self.crashed = repr(error)

    def do(self, op):
        """Tries until the answer is definite or the time is over; then the operation is history."""
        end = op.call + GIVE_UP
        while op.status is None and time.monotonic() < end:
            op.attempts += 1
            answer = self.attempt(op)
            if answer and answer[0] in DEFINITE:
                op.ret = time.monotonic()
                op.status, op.version, op.seen = answer
            elif op.kind == "get":
                break  # a read tried again would be another one
            elif op.status is None:
                time.sleep(0.05)
        if op.version:
            self.versions[op.key] = op.version
        self.history.add(op)
        return op

    def see(self, op, status, etag, body):
        """(status, version, value) of an answer; whatever is not this caller's is a violation."""
        if status not in DEFINITE:
            return (status, None, None)
        if status == 422:
            self.history.violation(f"an id was refused as used by another command: {body[:200]}", [op])
        if status != 200:
            return (status, None, None)
        state = json.loads(body)
        if state["id"] != op.key or (op.value and state["name"] != op.value):
            self.history.violation(f"an answer to somebody else: {body[:200]}", [op])
        return (status, int(etag.strip('"')) if etag else None, state["name"])


class HttpClient(Client):
    def __init__(self, *args, ports=(), faulted=None, lag=None):
        super().__init__(*args)
        self.ports, self.faulted, self.lag = ports, faulted, lag
        self.at = self.random.randrange(len(ports))
        self.connections = {}

    def open(self):
        pass

    def request_of(self, op):
        headers = {}
        if op.kind != "get":
            headers["Idempotency-Key"] = op.id
        else:  # an answer from a gateway's copy says that it is stale: it is not in the order that is checked here
            headers["Cache-Control"] = "no-cache"
        if op.if_match:
            headers["If-Match"] = f'"{op.if_match}"'
        if op.kind == "create":
            body = {"id": op.key, "name": op.value, "description": "d"}
            return "POST", "/items/", json.dumps(body), headers | {"Content-Type": "application/json"}
        if op.kind == "put":
            return ("PUT", f"/items/{op.key}", json.dumps({"name": op.value, "description": "d"}),
                    headers | {"Content-Type": "application/json"})
        return {"get": "GET", "delete": "DELETE"}[op.kind], f"/items/{op.key}", None, headers

    def attempt(self, op):
        began = time.monotonic()
        try:
            connection = self.connections.get(self.at)
            if not connection:
                connection = http.client.HTTPConnection("127.0.0.1", self.ports[self.at], timeout=DEADLINE + 12)
                self.connections[self.at] = connection
            method, path, body, headers = self.request_of(op)
            connection.request(method, path, body=body, headers=headers)
            raw = connection.getresponse()
            text = raw.read().decode()
        except (OSError, http.client.HTTPException):
            connection.close()
            self.connections.pop(self.at, None)
            self.at = (self.at + 1) % len(self.ports)
            time.sleep(0.02)
            return None
        self.check_deadline(op, began, time.monotonic())
        if raw.status >= 500 and self.random.random() < 0.3:
            self.at = (self.at + 1) % len(self.ports)
        return self.see(op, raw.status, raw.getheader("etag"), text)

    def check_deadline(self, op, began, ended):
        """Time over the deadline that neither a fault of this gateway nor the machine's own lag explains."""
        self.history.requests += 1
        over = ended - began - DEADLINE
        if over > 0 and not self.faulted(f"gateway-{self.at + 1}", began, ended):
            self.history.late.append((over - self.lag.most(began, ended), op.id))


class Replies(threading.Thread):
    """Reads the reply topic for all direct clients and hands each answer to the one that waits for its correlation id."""

    def __init__(self, bootstrap, history):
        super().__init__(daemon=True)
        self.history = history
        self.waiting, self.lock = {}, threading.Lock()
        self.consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": uuid.uuid4().hex, "fetch.wait.max.ms": 10,
                                  "enable.auto.commit": False})
        count = len(self.consumer.list_topics(REPLY_TOPIC, timeout=20).topics[REPLY_TOPIC].partitions)
        self.consumer.assign([TopicPartition(REPLY_TOPIC, p, ends(self.consumer, REPLY_TOPIC, p, 60)[1]) for p in range(count)])
        self.ended = threading.Event()

    def run(self):
        while not self.ended.is_set():
            message = self.consumer.poll(0.05)
            if message is None or message.error():
                continue
            headers = dict(message.headers() or [])
            with self.lock:
                slot = self.waiting.get(headers.get("kafka_correlationId"))
            if slot:
                slot.answers.append((headers, (message.value() or b"").decode()))
                slot.event.set()
        self.consumer.close()


class Slot:
    def __init__(self):
        self.answers, self.event = [], threading.Event()


class DirectClient(Client):
    """Some commands are sent twice on purpose: both must get the same answer."""

    def __init__(self, *args, bootstrap="", replies=None):
        super().__init__(*args)
        self.bootstrap, self.replies = bootstrap, replies

    def open(self):
        self.producer = Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 0, "partitioner": "murmur2_random",
                                  "message.timeout.ms": 10000})

    def attempt(self, op):
        correlation, slot = uuid.uuid4().hex.encode(), Slot()
        with self.replies.lock:
            self.replies.waiting[correlation] = slot
        headers = {"ce_type": f"item.{op.kind}", "ce_id": op.id, "kafka_replyTopic": REPLY_TOPIC,
                   "kafka_replyPartition": "0", "kafka_correlationId": correlation}
        if op.if_match:
            headers["if-match"] = f'"{op.if_match}"'
        body = {"id": op.key, "name": op.value, "description": "d"} if op.value else None
        twice = op.kind != "get" and self.random.random() < 0.2
        for _ in range(2 if twice else 1):
            self.producer.produce("item.commands", key=str(op.key), value=json.dumps(body).encode() if body else b"",
                                  headers=[(k, v if isinstance(v, bytes) else v.encode()) for k, v in headers.items()])
        answered = self.wait(slot, 2 if twice else 1)
        with self.replies.lock:
            del self.replies.waiting[correlation]
        if not answered:
            return None
        if any(h.get("ce_correlationid", b"").decode() != op.id for h, _ in slot.answers):
            self.history.violation("a reply names another command", [op])
        seen = [self.see(op, int(h[":status"]), h.get("etag", b"").decode(), text) for h, text in slot.answers]
        definite = [s for s in seen if s[0] in DEFINITE]
        if len(set(definite)) > 1:
            self.history.violation(f"one command, two answers: {definite}", [op])
        return definite[0] if definite else seen[0]

    def wait(self, slot, wanted):
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end and len(slot.answers) < wanted:
            self.producer.poll(0)
            slot.event.wait(0.02)
            slot.event.clear()
        return slot.answers
