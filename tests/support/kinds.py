# SPDX-License-Identifier: Apache-2.0
"""One request of every kind, for tests of what they get while something is away."""

import time

from http_client import Http


def item(id, name="n"):
    return {"id": id, "name": name, "description": "d"}


class Kinds:
    """Against one gateway; `operation` is the path of one that is known, `first` the lowest of five free item ids."""

    def __init__(self, port, operation, first):
        work = {"kind": "primes", "params": {"n": 1000}}
        self.port = port
        self.requests = {
            "read": ("GET", f"/items/{first}", None, {}),
            "list": ("GET", "/items/", None, {}),
            "create": ("POST", "/items/", item(first + 1), {}),
            "create with a key": ("POST", "/items/", item(first + 2), {"Idempotency-Key": f"k{first}"}),
            "create, not waiting": ("POST", "/items/", item(first + 3), {"Prefer": "respond-async"}),
            "create, hardly waiting": ("POST", "/items/", item(first + 4), {"Prefer": "respond-async, wait=1"}),
            "replace": ("PUT", f"/items/{first}", {"name": "m", "description": ""}, {}),
            "delete": ("DELETE", f"/items/{first}", None, {}),
            "start a computation": ("POST", "/computations/", work, {}),
            "look at a computation": ("GET", "/computations/nobody", None, {}),
            "the heavy computation": ("GET", "/heavy_computation/", None, {}),
            "look at an operation": ("GET", operation, None, {}),
            "wait for an operation": ("GET", operation, None, {"Prefer": "wait=30"}),
            "an operation's events": ("GET", operation + "/events", None, {}),
            "cancel an operation": ("DELETE", operation, None, {}),
        }

    def ask(self, kind, **more):
        """The response and the seconds it took; `more`: headers."""
        method, path, body, headers = self.requests[kind]
        client = Http(self.port, 90)
        client.connection.connect()
        began = time.monotonic()
        response = client.request(method, path, body, {**headers, **{k.replace("_", "-"): v for k, v in more.items()}})
        took = time.monotonic() - began
        client.close()
        return response, took
