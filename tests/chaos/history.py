# SPDX-License-Identifier: Apache-2.0
"""What the clients asked and saw, in monotonic time."""

import dataclasses
import json
import math
import threading


@dataclasses.dataclass
class Operation:
    """One thing a client wanted done; `attempts` tries with one id until an answer was definite."""

    client: str
    key: int
    kind: str  # create, get, put, delete
    id: str
    call: float
    value: str = None  # what create and put write
    if_match: int = None
    ret: float = math.inf
    status: int = None  # None: nobody knows whether it happened
    version: int = None
    seen: str = None
    attempts: int = 0

    def brief(self):
        asked = self.kind + (f" {self.value}" if self.value else "") + (f" if {self.if_match}" if self.if_match else "")
        got = "?" if self.status is None else f"{self.status} v{self.version} {self.seen or ''}"
        return f"{self.call:10.4f} {self.ret:10.4f} {self.client:10} item {self.key}: {asked} -> {got} ({self.id})"


class History:
    def __init__(self):
        self.lock = threading.Lock()
        self.operations = []
        self.violations = []
        self.late = []  # (seconds over the deadline, operation id)
        self.requests = 0

    def add(self, operation):
        with self.lock:
            self.operations.append(operation)

    def violation(self, what, operations=()):
        with self.lock:
            self.violations.append((what, [op.brief() for op in operations]))

    def by_key(self):
        keys = {}
        for op in self.operations:
            if op.kind != "get" or op.status is not None:  # a read that nobody saw says nothing
                keys.setdefault(op.key, []).append(op)
        return keys

    def save(self, path):
        with open(path, "w", encoding="utf-8") as out:
            for op in sorted(self.operations, key=lambda op: op.call):
                out.write(json.dumps(dataclasses.asdict(op) | {"ret": None if op.ret == math.inf else op.ret}) + "\n")
