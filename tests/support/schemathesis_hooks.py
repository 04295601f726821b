# SPDX-License-Identifier: Apache-2.0
"""For schemathesis: computations so small, and waits so long, that no deadline passes. A 504 is right for the others."""

import re

import schemathesis

SMALL = {"n": 64, "samples": 100_000, "width": 64, "height": 64, "max_iterations": 500}
PRIMES_MAX, N_MAX = 1_000_000, 10**10


def lighten(params, kind):
    """What is not a number, or beyond its bound and so to be refused, is left as it is."""
    for name, most in {**SMALL, "n": PRIMES_MAX if kind == "primes" else SMALL["n"]}.items():
        value = params.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and most < value <= BOUNDS[kind].get(name, 0):
            params[name] = 1 + value % most


BOUNDS = {"primes": {"n": N_MAX}, "pi": {"samples": 10**11}, "matrix": {"n": 4096},
          "mandelbrot": {"width": 8192, "height": 8192, "max_iterations": 100_000}}


@schemathesis.hook
def before_call(context, case, kwargs):
    body = case.body
    if case.operation.label == "POST /computations/" and isinstance(body, dict) and isinstance(body.get("params"), dict):
        if isinstance(body.get("kind"), str) and body["kind"] in BOUNDS:
            lighten(body["params"], body["kind"])
    if case.operation.label == "GET /heavy_computation/":
        n = str((case.query or {}).get("n", ""))
        if not n or (n.isascii() and n.isdigit() and int(n) <= N_MAX):
            case.query = {**(case.query or {}), "n": str(int(n or 0) % PRIMES_MAX)}
    if case.operation.label == "GET /computations/" and re.fullmatch(r"[0-9]{1,15}\.[\w-]+", str((case.query or {}).get("after", "")), re.ASCII):
        case.query.pop("after")  # one that is made up is refused, and then no page is looked at
    timeout = str((case.headers or {}).get("Request-Timeout", ""))
    if timeout.isascii() and timeout.replace(".", "", 1).isdigit() and 0 < float(timeout) < 30:
        case.headers["Request-Timeout"] = "30"
    if len(str((case.headers or {}).get("Prefer", ""))) % 2:  # any text is taken; what is not waited for has links to follow
        case.headers["Prefer"] = "respond-async"
    match = str((case.headers or {}).get("If-Match", ""))
    if len(match) % 3 and len(match) <= 1024:  # any version is another than the present one; one too long is to be refused
        case.headers.pop("If-Match")
