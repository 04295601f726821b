# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy before Kafka that can be cut: whoever uses it is then off the network, but alive.

Kafka tells clients its own address. The proxy puts its port in place of Kafka's wherever an answer names it, so it needs neither a
listener of its own in Kafka nor privileges on the machine.
"""

import contextlib
import socket
import struct
import threading

HOST = "127.0.0.1"
FRAME_HEAD = 4


class Proxy:
    """Forwards from `address` to `bootstrap`. Cut, it accepts and reads, but nothing passes."""

    def __init__(self, bootstrap):
        port = int(bootstrap.rsplit(":", 1)[1])
        self.upstream = (HOST, port)
        self.listener = socket.create_server((HOST, 0))
        own = self.listener.getsockname()[1]
        self.address = f"{HOST}:{own}"
        self.named, self.instead = (HOST.encode() + struct.pack(">i", p) for p in (port, own))
        self.open = threading.Event()
        self.open.set()
        self.lock = threading.Lock()
        self.sockets = set()
        threading.Thread(target=self.accept, daemon=True).start()

    def cut(self):
        self.open.clear()

    def heal(self, reset=False):
        """What was on its way arrives late; with `reset` it never does, and the connections break."""
        if reset:
            self.break_all()
        self.open.set()

    def close(self):
        self.listener.close()
        self.heal(reset=True)

    # ---- its threads ----

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.keep(client)
            threading.Thread(target=self.connect, args=(client,), daemon=True).start()

    def connect(self, client):
        self.open.wait()
        try:
            server = socket.create_connection(self.upstream)
        except OSError:
            self.drop(client)
            return
        self.keep(server)
        threading.Thread(target=self.carry, args=(client, server, self.chunks), daemon=True).start()
        threading.Thread(target=self.carry, args=(server, client, self.answers), daemon=True).start()

    def carry(self, source, target, pieces):
        try:
            for piece in pieces(source):
                self.open.wait()
                target.sendall(piece)
        except OSError:
            pass
        self.drop(source)
        self.drop(target)

    def chunks(self, source):
        while piece := source.recv(1 << 16):
            yield piece

    def answers(self, source):
        """Whole frames of Kafka's protocol, with our address in them."""
        pending = bytearray()
        for piece in self.chunks(source):
            pending += piece
            while len(pending) >= FRAME_HEAD:
                end = FRAME_HEAD + struct.unpack_from(">i", pending)[0]
                if len(pending) < end:
                    break
                yield bytes(pending[:end]).replace(self.named, self.instead)
                del pending[:end]

    # ---- its sockets ----

    def keep(self, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.lock:
            self.sockets.add(sock)

    def drop(self, sock):
        with self.lock:
            self.sockets.discard(sock)
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()

    def break_all(self):
        with self.lock:
            sockets = list(self.sockets)
        for sock in sockets:
            self.drop(sock)
