# SPDX-License-Identifier: Apache-2.0
"""What the gateway refuses by itself: each with the right status and a problem that says what to do."""

import json
import socket
import time

from cluster import ClusterTest
from http_client import raw_exchange, raw_status
from processes import SLACK

ITEM = {"id": 1, "name": "n", "description": "d"}


class Errors(ClusterTest):
    options = {"compute_workers": 0}
    def raw(self, text, timeout=5.0):
        data = text if isinstance(text, bytes) else text.encode()
        return raw_exchange(self.cluster.port(), data, timeout)

    def test_unknown_path(self):
        for path in ("/", "/nope", "/items/1/2", "/itemsx", "/health", "/heavy_computation/x"):
            with self.subTest(path=path):
                self.assertProblem(self.http().get(path), 404)

    def test_wrong_method_names_the_right_ones(self):
        c = self.http()
        for method, path, allowed in (("PATCH", "/items/1", "GET, HEAD, PUT, DELETE, OPTIONS"),
                                      ("DELETE", "/items/", "GET, HEAD, POST, OPTIONS"),
                                      ("POST", "/heavy_computation/", "GET, HEAD, OPTIONS"),
                                      ("PUT", "/computations/", "GET, HEAD, POST, OPTIONS"), ("POST", "/health/live", "GET, HEAD, OPTIONS")):
            with self.subTest(method=method, path=path):
                response = c.request(method, path)
                self.assertProblem(response, 405)
                self.assertEqual({m.strip() for m in response.header("allow").split(",")}, set(allowed.split(", ")))

    def test_too_large_a_body(self):
        c = self.http()
        self.assertProblem(c.post_json_text("/items/", b"x" * (300 * 1024)), 413)
        chunked = (b"POST /items/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
                   + b"10000\r\n" + b"x" * 65536 + b"\r\n") + (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 5 + b"0\r\n\r\n"
        self.assertEqual(raw_status(self.raw(chunked)), 413)
        self.assertEqual(self.http().get("/health/live").status, 200)

    def test_chunked_body_of_the_right_size(self):
        body = json.dumps({"id": 2001, "name": "n", "description": "d"}).encode()
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:10], body[10:]))
        received = self.raw(b"POST /items/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
                            b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
        self.assertEqual(raw_status(received), 200, received)

    def test_media_types(self):
        c = self.http()
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", "application/json; charset=latin1"):
            with self.subTest(kind=kind):
                self.assertProblem(c.request("POST", "/items/", json.dumps(ITEM), {"Content-Type": kind}), 415)
        self.assertProblem(c.request("POST", "/items/", json.dumps(ITEM)), 415)
        for id, kind in ((2002, "application/json; charset=utf-8"), (2003, "Application/JSON")):
            with self.subTest(kind=kind):
                response = c.request("POST", "/items/", json.dumps({**ITEM, "id": id}), {"Content-Type": kind})
                self.assertEqual(response.status, 200, response.body)

    def test_too_large_headers(self):
        c = self.http()
        self.assertProblem(c.get("/items/1", X_Filler="y" * (10 * 1024)), 431)
        self.assertEqual(self.http().get("/items/1", X_Filler="y" * (50 * 1024)).status, 431)  # libmicrohttpd's own words
        self.assertEqual(self.http().get("/health/live").status, 200)

    def test_smuggling_is_refused_and_the_connection_closed(self):
        item = b'{"id":2004,"name":"n","description":"d"}'
        length = b"Content-Length: %d\r\n" % len(item)
        head = b"POST /items/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        for name, headers in (("two lengths", length + length.replace(b"4", b"3")), ("same length twice", length + length),
                              ("length and chunked", length + b"Transfer-Encoding: chunked\r\n"),
                              ("odd coding", b"Transfer-Encoding: gzip, chunked\r\n"),
                              ("twice chunked", b"Transfer-Encoding: chunked, chunked\r\n"),
                              ("not a number", b"Content-Length: 4x\r\n"), ("negative", b"Content-Length: -4\r\n")):
            with self.subTest(name):
                received = self.raw(head + headers + b"\r\n" + item + b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n", 3.0)
                self.assertIn(raw_status(received), (0, 400, 411, 413, 501), received)
                self.assertNotIn(b" 200 ", received)  # what followed was not taken for a request
        self.assertProblem(self.http().get("/items/2004"), 404)

    def test_garbage_does_not_disturb_others(self):
        for data in (b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /items/1\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"A" * 100000):
            self.raw(data, 1.0)
        self.assertEqual(self.http().get("/health/live").status, 200)

    def test_deadline_is_kept_when_no_worker_answers(self):
        worker = self.cluster.item_workers[0]
        c = self.http()
        c.post("/items/", {**ITEM, "id": 2005})
        worker.signal(19)  # SIGSTOP
        try:
            for headers in ({"Prefer": "wait=1"}, {"Request-Timeout": "0.5"}):
                with self.subTest(headers=headers):
                    limit = 1.0 if "Prefer" in headers else 0.5
                    began = time.monotonic()
                    response = c.request("GET", "/items/2005", headers=headers)
                    took = time.monotonic() - began
                    self.assertProblem(response, 504)
                    self.assertGreaterEqual(took, limit * 0.95)
                    self.assertLess(took, limit + 0.1 * SLACK)
        finally:
            worker.signal(18)  # SIGCONT
        self.wait_for("the worker to answer again", lambda: self.http().get("/items/2005").status == 200, 15)

    def slowly(self, id, headers, seconds):
        """POSTs an item whose body's second half comes so late; the raw answer, and when it came after the head."""
        body = json.dumps({**ITEM, "id": id}).encode()
        head = f"POST /items/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.cluster.port()), 30 * SLACK) as sock:
            sock.sendall(head.encode() + body[:10])
            began = time.monotonic()
            time.sleep(seconds)
            sock.sendall(body[10:])
            received = b""
            while chunk := sock.recv(65536):
                received += chunk
            return received, time.monotonic() - began

    def test_a_slow_body_uses_the_requests_time(self):
        received, took = self.slowly(2010, "Request-Timeout: 30\r\n", 0.5)
        self.assertEqual(raw_status(received), 200)
        received, took = self.slowly(2011, "Request-Timeout: 0.5\r\n", 1)
        self.assertEqual(raw_status(received), 408)
        self.assertIn(b"the request had 0.500 s", received)
        self.assertLess(took, 1 + 0.2 * SLACK)
        received, took = self.slowly(2012, "Request-Timeout: 0.5\r\nPrefer: respond-async\r\n", 1)
        self.assertEqual(raw_status(received), 408)
        received, took = self.slowly(2013, "Request-Timeout: 30\r\nPrefer: respond-async\r\n", 0.5)
        self.assertEqual(raw_status(received), 202)
        statuses = [self.http().get(f"/items/{id}").status for id in (2010, 2011, 2012)]
        self.assertEqual(statuses, [200, 404, 404], "nothing was sent")

    def test_a_deadline_counts_from_the_head(self):
        worker = self.cluster.item_workers[0]
        worker.signal(19)  # SIGSTOP
        try:
            received, took = self.slowly(2014, "Request-Timeout: 2\r\n", 1.2)
        finally:
            worker.signal(18)  # SIGCONT
        self.assertEqual(raw_status(received), 504)
        self.assertGreaterEqual(took, 1.9)
        self.assertLess(took, 2 + 0.15 * SLACK)
        self.wait_for("the worker to answer again", lambda: self.http().get("/items/2014").status in (200, 404), 15)
        self.assertEqual(self.http().get("/items/2014").status, 404, "nor does the worker begin it later")

    def test_health(self):
        c = self.http()
        self.assertEqual(c.get("/health/live").status, 200)
        self.assertEqual(c.get("/health/ready").status, 200)
        self.assertEqual(c.get("/health/ready/").status, 200)
