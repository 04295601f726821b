# SPDX-License-Identifier: Apache-2.0
"""Clients that break the rules, dawdle, or leave: refused, cut off or noticed, while everybody else is served."""

import json
import re
import signal
import socket
import struct
import threading
import time

from cluster import ClusterTest
from http_client import raw_exchange, raw_status
from processes import SLACK

READ_TIMEOUT = 2.0
HOST = b"Host: x\r\n"
CLOSE = b"Connection: close\r\n"


def get(path, headers=b"", version=b"HTTP/1.1"):
    return b"GET " + path + b" " + version + b"\r\n" + HOST + headers + b"\r\n"


def item(id):
    return b'{"id":%d,"name":"n","description":"d"}' % id


def post(headers, body, version=b"HTTP/1.1"):
    return b"POST /items/ " + version + b"\r\n" + HOST + b"Content-Type: application/json\r\n" + headers + b"\r\n" + body


def create(id):
    """A request that must not be taken for one."""
    return post(b"Content-Length: %d\r\n" % len(item(id)) + CLOSE, item(id))


def chunks(*parts):
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


class HostileTest(ClusterTest):
    options = {"compute_workers": 0, "gateway_flags": ["--read-timeout", f"{READ_TIMEOUT:.0f}s", "--idle-timeout", "3s"]}

    def setUp(self):
        self.other = self.http()
        self.wait_for("the item", lambda: self.other.post("/items/", {"id": 1, "name": "n", "description": "d"}).status in (200, 400))

    def raw(self, data, timeout=1.0):
        return raw_exchange(self.cluster.port(), data, timeout * SLACK)

    def connect(self):
        sock = socket.create_connection(("127.0.0.1", self.cluster.port()), 20 * SLACK)
        self.addCleanup(sock.close)
        return sock

    def others_are_served(self):
        self.assertEqual(self.other.get("/items/1").status, 200)

    def until_closed(self, sock):
        received = b""
        try:
            while data := sock.recv(65536):
                received += data
        except ConnectionResetError:
            pass
        return received


class Smuggling(HostileTest):
    """What a proxy before us might take for one request must not be two here: the second one would create an item."""

    def refused(self, name, outer, id, statuses=(400,)):
        with self.subTest(name):
            received = self.raw(outer + create(id))
            self.assertIn(raw_status(received), statuses, received)
            self.assertNotIn(b" 200 ", received)
            self.others_are_served()
            self.assertProblem(self.other.get(f"/items/{id}"), 404)

    def test_headers_that_say_how_long_the_body_is(self):
        body = item(9000)
        length, chunked = b"Content-Length: %d\r\n" % len(body), b"Transfer-Encoding: chunked\r\n"
        cases = (
            ("another length", length + b"content-length: 0\r\n", body, (400,)),
            ("chunked, then a length", chunked + length, chunks(body), (400,)),
            ("a length, then chunked", b"Content-Length: 4\r\n" + chunked, chunks(body), (400,)),
            ("blank before the colon of chunked", b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n", (400,)),
            ("blank before the colon of the length", b"Content-Length : 0\r\n", body, (400,)),
            ("tab before the colon", b"Content-Length\t: 0\r\n", body, (400,)),
            ("a control character", b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n", (400,)),
            ("a parameter", b"Transfer-Encoding: chunked;q=1\r\n", b"0\r\n\r\n", (501,)),
            ("an empty list member", b"Transfer-Encoding: , chunked\r\n", b"0\r\n\r\n", (501,)),
            ("identity", b"Transfer-Encoding: identity\r\n", b"0\r\n\r\n", (501,)),
            ("quoted", b'Transfer-Encoding: "chunked"\r\n', b"0\r\n\r\n", (501,)),
            ("nothing", b"Transfer-Encoding:\r\n", b"0\r\n\r\n", (501,)),
            ("chunked and identity", chunked + b"Transfer-Encoding: identity\r\n", b"0\r\n\r\n", (400,)),
            ("folded", b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n", (400,)),
            ("folded into another", b"X: a\r\n Content-Length: 0\r\n" + chunked, b"0\r\n\r\n", (400,)),
            ("behind a bare CR", b"X: a\rContent-Length: 0\r\n" + chunked, chunks(body), (400,)),
            ("behind a NUL", b"X: a\x00\r\n" + length, body, (400,)),
            ("a name with a blank", b"Content Length: 0\r\n" + length, body, (400,)),
            ("a first line that begins with a blank", b" Content-Length: 0\r\n" + chunked, b"0\r\n\r\n", (400,)),
            ("no colon", b"Content-Length 0\r\n" + chunked, b"0\r\n\r\n", (400,)),
            ("a plus", b"Content-Length: +0\r\n", body, (400,)),
            ("hexadecimal", b"Content-Length: 0x0\r\n", body, (400,)),
            ("a list", b"Content-Length: 0, 0\r\n", body, (400,)),
            ("beyond all bounds", b"Content-Length: 18446744073709551616\r\n", body, (400, 413)),
        )
        for number, (name, headers, content, statuses) in enumerate(cases):
            self.refused(name, post(headers, content), 9001 + number, statuses)
        self.assertProblem(self.other.get("/items/9000"), 404)
        self.refused("chunked in HTTP/1.0", post(chunked, b"0\r\n\r\n", b"HTTP/1.0"), 9090)

    def test_chunks(self):
        body = item(9100)
        for number, (name, text) in enumerate((
                ("a plus", b"+%x\r\n%s\r\n0\r\n\r\n"), ("0x", b"0x%x\r\n%s\r\n0\r\n\r\n"), ("a blank after the size", b"%x \r\n%s\r\n0\r\n\r\n"),
                ("a blank before the size", b" %x\r\n%s\r\n0\r\n\r\n"), ("a bare CR", b"%x\r%s\r\n0\r\n\r\n"),
                ("no line end after the data", b"%x\r\n%sXX0\r\n\r\n"), ("a size too small", b"2;%x\r\n%s\r\n0\r\n\r\n"))):
            self.refused(name, post(b"Transfer-Encoding: chunked\r\n", text % (len(body), body)), 9101 + number)
        for number, (name, size) in enumerate((("negative", b"-1"), ("no size", b""), ("no number", b"xyz"), ("64 bits and more", b"f" * 17))):
            self.refused(name, post(b"Transfer-Encoding: chunked\r\n", size + b"\r\n" + body + b"\r\n0\r\n\r\n"), 9120 + number, (400, 413))
        self.assertProblem(self.other.get("/items/9100"), 404)

    def test_a_trailer_does_not_change_what_follows(self):
        body = item(9140)
        received = self.raw(post(b"Transfer-Encoding: chunked\r\n", chunks(body)[:-2] + b"Content-Length: 100\r\nHost: y\r\n\r\n") +
                            get(b"/health/live", CLOSE))
        self.assertEqual(re.findall(rb"HTTP/1.1 (\d+)", received), [b"200", b"200"], received)

    def test_a_body_where_none_is_needed_is_not_the_next_request(self):
        hidden = create(9150)
        for headers, body in ((b"Content-Length: %d\r\n" % len(hidden), hidden), (b"Transfer-Encoding: chunked\r\n", chunks(hidden))):
            received = self.raw(get(b"/health/live", headers) + body + get(b"/health/live", CLOSE))
            self.assertEqual(re.findall(rb"HTTP/1.1 (\d+)", received), [b"200", b"200"], received)
        self.assertProblem(self.other.get("/items/9150"), 404)


class Malformed(HostileTest):
    def told(self, name, data, *statuses):
        """Statuses that will do; 0: closed without a word."""
        with self.subTest(name):
            self.assertIn(raw_status(self.raw(data)), statuses)
            self.others_are_served()

    def test_request_lines(self):
        for name, line, statuses in (
                ("HTTP/0.9", b"GET /health/live", (0, 400)), ("HTTP/2", b"GET / HTTP/2.0", (505,)), ("HTTP/2's preface", b"PRI * HTTP/2.0", (505,)),
                ("lower case", b"GET / http/1.1", (400,)), ("HTTP/1.10", b"GET / HTTP/1.10", (400,)), ("HTTP/01.1", b"GET / HTTP/01.1", (400,)),
                ("two blanks", b"GET  /health/live  HTTP/1.1", (400,)), ("tabs", b"GET\t/health/live\tHTTP/1.1", (0, 400)),
                ("a blank in the path", b"GET /health/live x HTTP/1.1", (400,)), ("CONNECT", b"CONNECT x:80 HTTP/1.1", (400, 405)),
                ("an asterisk", b"GET * HTTP/1.1", (400,)), ("TRACE", b"TRACE / HTTP/1.1", (404, 405)),
                ("an unknown method", b"get /health/live HTTP/1.1", (405, 501)), ("a long method", b"A" * 4000 + b" / HTTP/1.1", (400, 404, 405, 501)),
                ("a control character in the method", b"G\x01T /health/live HTTP/1.1", (400, 405)), ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", (0, 400))):
            self.told(name, line + b"\r\n" + HOST + CLOSE + b"\r\n", *statuses)
        self.told("absolute form", get(b"http://elsewhere/health/live", CLOSE), 200)
        self.told("no host", b"GET /health/live HTTP/1.1\r\n\r\n", 400)
        self.told("two hosts", get(b"/health/live", HOST + CLOSE), 400)
        for host in (b"a b", b"a/b", b"a@b", b"<x>"):
            self.told(f"host {host}", b"GET /health/live HTTP/1.1\r\nHost: " + host + b"\r\n" + CLOSE + b"\r\n", 400)

    def test_paths(self):
        for path, *statuses in ((b"/items/%2f1", 400), (b"/items%2F1", 400), (b"/items/1%00", 400), (b"/items/1\x00", 400), (b"/items/%", 400),
                                (b"/items/%4", 400), (b"/items/%zz", 400), (b"/items/%ff%fe", 400), (b"/items/\xff", 400), (b"/items/%c0%af", 400),
                                (b"/items/%ed%a0%80", 400), (b"/items/%0d%0aX:y", 400), (b"/items/1#x", 400), (b"/items/../health/live", 404),
                                (b"/items/%2e%2e/health/live", 404), (b"/./health/live", 404), (b"//health//live", 404), (b"/items\\1", 404),
                                (b"/items/%2531", 404, 422), (b"/items/1;x=y", 404, 422), (b"/items/" + b"1" * 2000, 414),
                                (b"/items/?limit=1%00", 422), (b"/items/?after=%ff", 422), (b"/items/?limit=%", 422), (b"/items/?limit=1\x00", 400),
                                (b"/items/?limit=" + b"1" * 5000, 422), (b"/items/?" + b"a&" * 30, 400), (b"/items/?" + b"a=1&" * 2000, 400),
                                (b"/items/?" + b"&" * 9000, 400), (b"/" * 8000, 404, 414), (b"/" * 9000, 431)):
            self.told(path[:40], get(path, CLOSE), *statuses)

    def test_what_is_refused_by_hand_has_no_effect(self):
        """Its body is here already when the request line is refused."""
        for count in (65, 400):
            received = self.raw(b"POST /items/?" + b"a&" * count + create(9600 + count).split(b"/items/", 1)[1])
            self.assertEqual(raw_status(received), 400, received)
            self.assertProblem(self.other.get(f"/items/{9600 + count}"), 404)

    def test_floods_of_headers(self):
        for name, headers in (("101", b"".join(b"X%d: y\r\n" % n for n in range(101))), ("5000", b"".join(b"X%d: y\r\n" % n for n in range(5000))),
                              ("a million bytes", b"X: " + b"y" * 1000000 + b"\r\n"), ("cookies", b"Cookie: " + b"a=1;" * 3000 + b"\r\n"),
                              ("a long name", b"X" * 20000 + b": y\r\n")):
            self.told(name, get(b"/health/live", headers + CLOSE), 431)

    def test_as_many_and_as_long_headers_as_are_taken(self):
        """The request line and headers are 8 KiB to the byte, in a hundred headers: libmicrohttpd's memory for a connection holds them and an answer's."""
        names = [b"X%d: " % n for n in range(97)]  # with Host, Connection and Content-Type a hundred
        for name, head, status in (("GET", get(b"/health/live", CLOSE + b"Content-Type: x\r\n"), 200), ("a problem", get(b"/items/9699", CLOSE + b"Content-Type: x\r\n"), 404)):
            room = 8192 - len(head) - sum(len(one) + 2 for one in names)
            values = [b"y" * (room // 97 + (n < room % 97)) for n in range(97)]
            many = b"".join(one + value + b"\r\n" for one, value in zip(names, values))
            self.assertEqual(len(head) + len(many), 8192)
            self.told(name, head[:-2] + many + b"\r\n", status)
            self.told(name + ", a byte more", head[:-2] + b"Z" + many + b"\r\n", 431)

    def test_what_is_offered_and_not_taken(self):
        self.told("websocket", get(b"/health/live", b"Upgrade: websocket\r\n" + CLOSE), 200)
        self.told("h2c", get(b"/health/live", b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n" + CLOSE), 200)
        self.told("trailers", get(b"/health/live", b"TE: trailers\r\n" + CLOSE), 200)
        self.told("a body too large is not asked for", post(b"Expect: 100-continue\r\nContent-Length: 99999999\r\n", b""), 413)

    def test_a_body_that_is_asked_for(self):
        sock = self.connect()
        sock.sendall(post(b"Expect: 100-continue\r\nContent-Length: %d\r\n" % len(item(9200)) + CLOSE, b""))
        self.assertEqual(raw_status(sock.recv(4096)), 100)
        sock.sendall(item(9200))
        self.assertIn(b" 200 ", self.until_closed(sock))

    def test_a_long_pipeline(self):
        count = 500
        received = self.raw(get(b"/health/live") * (count - 1) + get(b"/health/live", CLOSE), 10)
        self.assertEqual(len(re.findall(rb"HTTP/1.1 200", received)), count)
        self.others_are_served()

    def test_json_bombs(self):
        strict = {
            "depth": b"[" * 100000, "depth in objects": b'{"a":' * 50000, "closed depth": b"[" * 5000 + b"]" * 5000,
            "fraction": b'{"id":1.' + b"0" * 200000 + b"}", "exponent": b'{"id":1e999999999}',
            "members": b"{" + b",".join(b'"%d":0' % n for n in range(20000)) + b',"19999":1}', "escaped twin": b'{"id":1,"\\u0069d":2}',
            "single quotes": b"{'id':1}", "NaN": b'{"id":NaN}', "Infinity": b'{"id":-Infinity}', "trailing": item(1) + b" x", "two": item(1) * 2,
            "comment": b'{"id":1/**/}', "control": b'{"name":"a\nb"}', "NUL": b'{"name":"a\x00b"}', "escaped NUL": b'{"name":"a\\u0000b"}',
            "bad UTF-8": b'{"name":"\xff"}', "overlong": b'{"name":"\xc0\xaf"}', "half a pair": b'{"name":"\\ud800"}', "BOM": b"\xef\xbb\xbf" + item(1),
            "unclosed string": b'{"name":"' + b"a" * 200000, "escapes": b'{"name":"' + b"\\u" * 100000, "nothing": b"", "blanks": b" " * 200000,
            "leading zero": b'{"id":01}', "plus": b'{"id":+1}', "comma": b'{"id":1,}'}
        for name, body in strict.items():
            with self.subTest(name):
                began = time.monotonic()
                self.assertProblem(self.other.post_json_text("/items/", body), 400)
                self.assertLess(time.monotonic() - began, 1.0 * SLACK)
                self.others_are_served()
        for name, body in (("digits", b'{"id":' + b"9" * 200000 + b"}"), ("an integer beyond 64 bits", b'{"id":9223372036854775808,"name":"n","description":"d"}'),
                           ("a long string", json.dumps({"id": 9300, "name": "n" * 200000, "description": "d"}).encode()),
                           ("unknown members", b"{" + b",".join(b'"%d":0' % n for n in range(20000)) + b"}"), ("a list", b"[" * 30 + b"]" * 30)):
            with self.subTest(name):
                self.assertProblem(self.other.post_json_text("/items/", body), 422)


class Slow(HostileTest):
    weight = 10

    def drip(self, sock, text, seconds):
        """A byte each fifth of a second, as long as it is taken; when the other side is heard of, how long that took."""
        began = time.monotonic()
        for byte in text:
            try:
                sock.sendall(bytes([byte]))
            except OSError:
                break
            sock.settimeout(0.2)
            try:
                if sock.recv(1, socket.MSG_PEEK) is not None:
                    break
            except TimeoutError:
                pass
            except ConnectionResetError:
                break
            self.others_are_served()
            self.assertLess(time.monotonic() - began, seconds)
        sock.settimeout(20 * SLACK)
        return time.monotonic() - began

    def cut_off(self, prefix, text):
        sock = self.connect()
        sock.sendall(prefix)
        took = self.drip(sock, text, READ_TIMEOUT + 4 * SLACK)
        received = self.until_closed(sock)
        self.assertGreater(took, READ_TIMEOUT * 0.9)
        self.assertEqual(raw_status(received), 408, received)
        self.assertEqual(json.loads(received.split(b"\r\n\r\n", 1)[1])["status"], 408)

    def test_a_head(self):
        self.cut_off(b"", b"GET /health/live HTTP/1.1\r\nX: " + b"y" * 1000)

    def test_a_head_after_another_request(self):
        sock = self.connect()
        sock.sendall(get(b"/health/live"))
        self.assertEqual(raw_status(sock.recv(4096)), 200)
        time.sleep(1.5)  # idle, as it may be
        took = self.drip(sock, b"GET /health/live HTTP/1.1\r\nX: " + b"y" * 1000, READ_TIMEOUT + 6 * SLACK)
        self.assertGreater(took, READ_TIMEOUT * 0.9)
        self.assertEqual(raw_status(self.until_closed(sock)), 408)

    def test_a_body(self):
        self.cut_off(post(b"Content-Length: 2000\r\n", b""), b"{" + b" " * 1999)

    def test_a_body_in_chunks(self):
        self.cut_off(post(b"Transfer-Encoding: chunked\r\n", b""), b"1\r\n \r\n" * 500)

    def test_a_chunk_size_that_does_not_end(self):
        self.cut_off(post(b"Transfer-Encoding: chunked\r\n", b""), b"0" * 1000)

    def test_a_body_that_is_refused_already(self):
        body = b" " * 2000
        self.cut_off(b"POST /nothing HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(body), body)

    def test_many_at_once(self):
        crowd = [self.connect() for _ in range(300)]
        for sock in crowd:
            sock.sendall(b"GET /items/1 HTT")
        began = time.monotonic()
        while time.monotonic() - began < READ_TIMEOUT + 1:
            self.others_are_served()
        for sock in crowd:
            self.assertIn(raw_status(self.until_closed(sock)), (0, 408))

    def test_a_body_that_comes_fast_enough_may_take_its_time(self):
        body = item(9400) + b" " * 60000
        sock = self.connect()
        sock.sendall(post(b"Content-Length: %d\r\n" % len(body) + CLOSE, b""))
        began = time.monotonic()
        for at in range(0, len(body), 5000):
            sock.sendall(body[at:at + 5000])
            time.sleep(READ_TIMEOUT / 8)
        self.assertGreater(time.monotonic() - began, READ_TIMEOUT * 1.5)
        self.assertEqual(raw_status(self.until_closed(sock)), 200)

    def test_an_idle_connection_is_closed_without_a_word(self):
        sock = self.connect()
        sock.sendall(get(b"/health/live"))
        self.assertEqual(raw_status(sock.recv(4096)), 200)
        began = time.monotonic()
        self.assertEqual(self.until_closed(sock), b"")
        self.assertGreater(time.monotonic() - began, READ_TIMEOUT)

    def test_a_wait_is_not_slowness(self):
        worker = self.cluster.item_workers[0]
        worker.signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            self.assertProblem(self.http().get("/items/1", Prefer="wait=4"), 504)
            self.assertGreater(time.monotonic() - began, 3.9)
        finally:
            worker.signal(signal.SIGCONT)


class LeavingTest(HostileTest):
    """With room for two requests: a slot that is not freed is missed at once."""

    options = {"compute_workers": 0, "gateway_flags": ["--max-pending", "2"]}
    WAITING = get(b"/items/1", b"Prefer: wait=50\r\n")

    def setUp(self):
        super().setUp()
        self.worker = self.cluster.item_workers[0]

    def stop_worker(self):
        self.worker.signal(signal.SIGSTOP)
        self.addCleanup(self.worker.signal, signal.SIGCONT)

    def is_full(self):
        """Neither request that waits now may be disturbed: one that finds room does not wait for long."""
        return self.other.get("/items/1", Request_Timeout="0.05").status == 503

    def has_room(self):
        return self.other.get("/items/1", Request_Timeout="0.05").status == 504

    def fill(self, request=WAITING):
        waiting = []
        while len(waiting) < 2:
            sock = self.connect()
            sock.sendall(request)
            sock.settimeout(0.3)
            try:
                self.assertEqual(raw_status(sock.recv(4096)), 503)  # a slot of is_full() or has_room() is not free again yet
            except TimeoutError:
                waiting.append(sock)
                sock.settimeout(20 * SLACK)
        self.assertTrue(self.is_full())
        return waiting


class Leaving(LeavingTest):
    def test_closed_while_it_waits(self):
        self.stop_worker()
        for end in ("close", "reset"):
            with self.subTest(end):
                for sock in self.fill():
                    if end == "reset":
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    sock.close()
                began = time.monotonic()
                self.wait_for("their slots", self.has_room)
                self.assertLess(time.monotonic() - began, 2 * SLACK)

    def test_closed_together_with_its_request(self):
        self.stop_worker()
        for _ in range(10):
            with socket.create_connection(("127.0.0.1", self.cluster.port())) as leaving:
                leaving.sendall(self.WAITING)
        self.wait_for("their slots", self.has_room)

    def test_only_its_sending_side_closed(self):
        """It still reads: it is answered, after a 100 that told it from one that had left."""
        self.stop_worker()
        waiting = self.fill()
        for sock in waiting:
            sock.shutdown(socket.SHUT_WR)
        time.sleep(0.5)
        self.assertTrue(self.is_full())
        self.worker.signal(signal.SIGCONT)
        for sock in waiting:
            received = self.until_closed(sock)
            self.assertEqual(re.findall(rb"HTTP/1.1 (\d+)", received), [b"100", b"200"], received)
            self.assertTrue(received.endswith(b'{"id":1,"name":"n","description":"d"}'), received)

    def test_half_closed_pipeline(self):
        sock = self.connect()
        sock.sendall(get(b"/items/1") * 3)
        sock.shutdown(socket.SHUT_WR)
        statuses = re.findall(rb"HTTP/1.1 (\d+)", self.until_closed(sock))
        self.assertEqual([status for status in statuses if status != b"100"], [b"200"] * 3)
        self.assertLessEqual(len(statuses), 4)

    def test_half_closed_in_http_1_0(self):
        """That knows no 100: it gets the answer, nothing else."""
        self.stop_worker()
        sock = self.connect()
        sock.sendall(get(b"/items/1", b"Prefer: wait=50\r\n", b"HTTP/1.0"))
        sock.shutdown(socket.SHUT_WR)
        time.sleep(0.3)
        self.worker.signal(signal.SIGCONT)
        self.assertEqual(re.findall(rb"HTTP/1.\d (\d+)", self.until_closed(sock)), [b"200"])

    def test_a_write_takes_effect_though_its_client_has_left(self):
        self.stop_worker()
        sock = self.connect()
        sock.sendall(create(9500))
        time.sleep(0.3)
        sock.close()
        self.wait_for("its slot", self.has_room)
        self.worker.signal(signal.SIGCONT)
        self.wait_for("its effect", lambda: self.other.get("/items/9500").status == 200)

    def test_of_many_that_leave_none_is_counted_twice(self):
        self.stop_worker()
        before = 40

        def leave(_=None):
            with socket.create_connection(("127.0.0.1", self.cluster.port())) as leaving:
                leaving.sendall(self.WAITING)
                time.sleep(0.05)
        threads = [threading.Thread(target=leave) for _ in range(before)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.wait_for("all slots", self.has_room)
        self.fill()  # and there are two of them


class LeftWhenHalfClosed(LeavingTest):
    options = {"compute_workers": 0, "gateway_flags": ["--max-pending", "2", "--half-close", "left"]}

    def test_it_is_not_answered(self):
        self.stop_worker()
        waiting = self.fill()
        for sock in waiting:
            sock.shutdown(socket.SHUT_WR)
        self.wait_for("their slots", self.has_room)
        for sock in waiting:
            self.assertEqual(self.until_closed(sock), b"")


class LeavingStreams(LeavingTest):
    options = {"compute_workers": 1, "gateway_flags": ["--max-pending", "2"]}

    def events(self):
        sock = self.connect()
        sock.sendall(b"GET " + self.operation.encode() + b"/events HTTP/1.1\r\n" + HOST + b"\r\n")
        received = b""
        while b"event: state" not in received:
            data = sock.recv(4096)
            self.assertTrue(data, received)
            received += data
        return sock

    def setUp(self):
        super().setUp()
        started = self.other.post("/computations/", {"kind": "pi", "params": {"samples": 100_000_000_000, "seed": 1}}, Prefer="respond-async")
        self.assertEqual(started.status, 202, started.body)
        self.operation = started.header("location")
        self.addCleanup(lambda: self.other.delete(self.operation))

    def test_closed(self):
        for _ in range(5):
            streams = [self.events(), self.events()]
            self.wait_for("both to wait", lambda: self.other.get("/items/1").status == 503)
            for sock in streams:
                sock.close()
            began = time.monotonic()
            self.wait_for("their slots", lambda: self.other.get("/items/1").status == 200)
            self.assertLess(time.monotonic() - began, 2 * SLACK)  # the next comment would be due after 15 s

    def test_half_closed_goes_on(self):
        sock = self.events()
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(5 * SLACK)
        self.assertIn(b": nothing new", sock.recv(4096))  # sent to see whether it is still there
        self.other.delete(self.operation)
        received = b""
        while b"\"failed\"" not in received:
            data = sock.recv(4096)
            self.assertTrue(data, received)
            received += data
