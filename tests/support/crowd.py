# SPDX-License-Identifier: Apache-2.0
"""Many HTTP clients at once, in one thread, which account for each request: what was sent and what came back, to the byte."""

import asyncio
import dataclasses
import json
import threading
import time


@dataclasses.dataclass
class Request:
    """One request and its outcome: the status of a complete answer, or what became of it without one."""

    method: str
    id: int
    reused: bool  # on a connection that had an answer before
    sent_at: float = 0.0
    ended_at: float = 0.0
    status: int = 0
    close: bool = False  # the answer said so
    outcome: str = ""  # "answered"; "refused": no connection; "unanswered": not a byte; "cut": some bytes; "late": none in time
    body: bytes = b""


class Crowd:
    """`keep` clients that keep their connections and `fresh` ones that do not send one request after the other to `port`.

    plan(client, n): (method, path, body or None, id) of the client's n-th request. A client ends when it is refused, or, with
    `again`, tries again.
    """

    def __init__(self, port, plan, keep, fresh, again=False, pause=0.0, seconds=30.0):
        self.port, self.plan, self.again, self.pause, self.seconds = port, plan, again, pause, seconds
        self.requests = []
        self.stopping = False
        kinds = [True] * keep + [False] * fresh
        self.thread = threading.Thread(target=lambda: asyncio.run(self.all(kinds)))
        self.thread.start()

    def answered(self):
        return [r for r in self.requests if r.outcome == "answered"]

    def of(self, outcome):
        return [r for r in self.requests if r.outcome == outcome]

    def stop(self):
        self.stopping = True
        self.thread.join()

    # ---- its thread ----

    async def all(self, kinds):
        await asyncio.gather(*(self.client(number, keep) for number, keep in enumerate(kinds)))

    async def client(self, number, keep):
        connection, n = None, 0
        while not self.stopping:
            method, path, body, id = self.plan(number, n)
            n += 1
            request = Request(method, id, connection is not None)
            connection = await self.one(request, connection, keep, path, body)
            request.ended_at = time.monotonic()
            self.requests.append(request)
            if request.outcome == "refused" and not self.again:
                break
            await asyncio.sleep(self.pause if request.outcome != "refused" else max(self.pause, 0.05))
        if connection:
            connection[1].close()

    async def one(self, request, connection, keep, path, body):
        """The connection, if it can be used again."""
        if connection is None:
            try:
                connection = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", self.port), self.seconds)
            except (OSError, asyncio.TimeoutError):
                request.outcome = "refused"
                return None
        reader, writer = connection
        text = json.dumps(body).encode() if body is not None else b""
        head = f"{request.method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        if not keep:
            head += "Connection: close\r\n"
        if body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n"
        request.sent_at = time.monotonic()
        try:
            writer.write(head.encode() + b"\r\n" + text)
            await asyncio.wait_for(self.answer(request, reader), self.seconds)
        except asyncio.TimeoutError:
            request.outcome = "late"
        except (OSError, asyncio.IncompleteReadError) as error:
            partial = getattr(error, "partial", b"")
            request.outcome = "cut" if partial or request.status else "unanswered"
        if request.outcome == "answered" and keep and not request.close:
            return connection
        writer.close()
        return None

    async def answer(self, request, reader):
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        request.status = int(lines[0].split(" ")[1])
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        request.close = headers.get("connection", "").lower() == "close"
        request.body = await reader.readexactly(int(headers.get("content-length", "0")))
        request.outcome = "answered"
