# SPDX-License-Identifier: Apache-2.0
"""Connections that wait: thousands, of which some have asked for what takes long."""
import select
import socket
import struct
import time

from measure import Failure

BATCH = 100
RESET_AT_CLOSE = struct.pack("ii", 1, 0)  # leaves no port behind in TIME_WAIT


class Crowd:
    """Many connections, each of which has had an answer, and some of which wait for another."""

    def __init__(self, port, count):
        self.sockets = []
        for first in range(0, count, BATCH):
            batch = [self.connect(port) for _ in range(min(BATCH, count - first))]
            self.ask(batch, lambda _: b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            for sock in batch:
                if b" 200 " not in sock.recv(4096).split(b"\r\n")[0] + b" ":
                    raise Failure("the gateway does not answer /health/live; see its log")

    def connect(self, port):
        sock = socket.create_connection(("127.0.0.1", port), 30)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
        self.sockets.append(sock)
        return sock

    @staticmethod
    def ask(sockets, request):
        for number, sock in enumerate(sockets):
            sock.sendall(request(number))

    def park(self, count, request):
        for first in range(0, count, BATCH):  # a worker bounds what queues behind one key
            self.ask(self.sockets[first:min(first + BATCH, count)], request)
            time.sleep(0.05)

    def answered(self):
        """How many did not stay parked, and the beginning of what one of them was told."""
        poll = select.epoll()
        for sock in self.sockets:
            poll.register(sock, select.EPOLLIN)
        events = poll.poll(0)
        poll.close()
        by_fd = {sock.fileno(): sock for sock in self.sockets}
        return len(events), by_fd[events[0][0]].recv(500) if events else b""

    def close(self):
        for sock in self.sockets:
            sock.close()
        self.sockets = []
