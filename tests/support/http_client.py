# SPDX-License-Identifier: Apache-2.0
"""A small HTTP client for tests: one keep-alive connection, responses as values, and raw bytes where a test wants them."""

import http.client
import json
import socket


class Response:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def header(self, name, fallback=None):
        values = [v for k, v in self.headers if k.lower() == name.lower()]
        return values[0] if values else fallback

    def json(self):
        return json.loads(self.body.decode("utf-8"))


class Http:
    def __init__(self, port, timeout=30.0, tls=None):
        """`tls`: an ssl.SSLContext, for https."""
        self.port = port
        self.connection = (http.client.HTTPSConnection("127.0.0.1", port, timeout=timeout, context=tls) if tls
                           else http.client.HTTPConnection("127.0.0.1", port, timeout=timeout))

    def request(self, method, path, body=None, headers=None):
        """`body`: bytes or str as they are, anything else as JSON with its content type."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body, ensure_ascii=False)
            headers.setdefault("Content-Type", "application/json")
        if isinstance(body, str):
            body = body.encode("utf-8")
        try:
            self.connection.request(method, path, body=body, headers=headers)
            raw = self.connection.getresponse()
        except (http.client.BadStatusLine, BrokenPipeError, ConnectionResetError, http.client.CannotSendRequest):
            # a keep-alive connection the server closed meanwhile: once more on a new one
            self.connection.close()
            self.connection.request(method, path, body=body, headers=headers)
            raw = self.connection.getresponse()
        return Response(raw.status, raw.getheaders(), raw.read())

    def get(self, path, **headers):
        return self.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def post(self, path, body, **headers):
        return self.request("POST", path, body, {k.replace("_", "-"): v for k, v in headers.items()})

    def put(self, path, body, **headers):
        return self.request("PUT", path, body, {k.replace("_", "-"): v for k, v in headers.items()})

    def delete(self, path, **headers):
        return self.request("DELETE", path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def post_json_text(self, path, text, **headers):
        """POST of exactly these bytes as application/json."""
        return self.request("POST", path, text, {"Content-Type": "application/json",
                                                 **{k.replace("_", "-"): v for k, v in headers.items()}})

    def close(self):
        self.connection.close()


def raw_exchange(port, data, timeout=10.0):
    """Sends bytes as they are; all that comes back until the server closes or `timeout` passes in silence."""
    with socket.create_connection(("127.0.0.1", port), timeout) as sock:
        sock.settimeout(timeout)
        sock.sendall(data)
        received = b""
        try:
            while chunk := sock.recv(65536):
                received += chunk
        except (TimeoutError, ConnectionResetError):
            pass
        return received


def raw_status(received):
    """The status of the first response in raw bytes; 0 when there is none."""
    first = received.split(b"\r\n", 1)[0].split(b" ")
    return int(first[1]) if len(first) > 1 and first[0].startswith(b"HTTP/") else 0
