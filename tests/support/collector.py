#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A collector of traces for tests and for looking: takes OTLP/HTTP in JSON. As a program it listens on port 4318 and prints each
trace as a tree, once nothing has come for it for a second."""

import http.server
import json
import re
import threading
import time

HEX = re.compile(r"[0-9a-f]+$")
KINDS = {1: "internal", 2: "server", 4: "producer", 5: "consumer"}


def value(any_value):
    """OTLP's AnyValue, of the kinds that are used."""
    (kind, content), = any_value.items()
    return {"stringValue": str, "intValue": int}[kind](content)


class Span:
    """Decodes strictly: what does not follow OTLP's JSON mapping is an error."""

    def __init__(self, span, resource):
        known = {"traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "flags", "attributes", "links", "status"}
        assert not set(span) - known, span
        self.trace, self.id, self.parent = span["traceId"], span["spanId"], span.get("parentSpanId")
        assert len(self.trace) == 32 and HEX.match(self.trace) and len(self.id) == 16 and HEX.match(self.id), span
        assert self.parent is None or (len(self.parent) == 16 and HEX.match(self.parent)), span
        self.name, self.kind = span["name"], KINDS[span["kind"]]
        assert isinstance(span["startTimeUnixNano"], str)  # 64-bit integers are texts in protobuf's JSON
        self.start, self.end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
        self.attributes = {a["key"]: value(a["value"]) for a in span["attributes"]}
        assert len(self.attributes) == len(span["attributes"]), span
        self.links = [(link["traceId"], link["spanId"]) for link in span.get("links", [])]
        self.failed = span.get("status", {}).get("code") == 2
        self.resource = resource


class Collector:
    """An OTLP/HTTP receiver. `answers`: statuses to give before it takes anything; `silent`: it accepts and says nothing."""

    def __init__(self, port=0):
        self.spans, self.answers, self.paths, self.headers, self.silent = [], [], set(), [], threading.Event()
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if collector.silent.is_set():
                    time.sleep(60)
                status = collector.answers.pop(0) if collector.answers else 200
                if status == 200:
                    collector.take(json.loads(body), self.path, dict(self.headers))
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, request, path, headers):
        self.paths.add(path)
        self.headers.append(headers)
        for resource_spans in request["resourceSpans"]:
            resource = {a["key"]: value(a["value"]) for a in resource_spans["resource"]["attributes"]}
            for scope in resource_spans["scopeSpans"]:
                assert scope["scope"]["name"] == "roundtrip"
                self.spans += [Span(span, resource) for span in scope["spans"]]

    def of(self, trace):
        return [span for span in list(self.spans) if span.trace == trace]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def tree(spans):
    """The lines of one trace: what caused what, when it began (ms after the first) and how long it took."""
    first, known = min(span.start for span in spans), {span.id for span in spans}

    def below(parent, depth):
        for span in sorted((s for s in spans if s.parent == parent or (parent is None and s.parent not in known)), key=lambda s: s.start):
            name = "  " * depth + span.name
            yield (f"{name:42} {(span.start - first) / 1e6:9.3f} ms {(span.end - span.start) / 1e6:9.3f} ms  {span.kind:8} "
                   f"{span.resource['service.name']}{'  FAILED' if span.failed else ''}")
            yield from below(span.id, depth + 1)
    return list(below(None, 0))


def main():
    collector, shown = Collector(4318), 0
    print("listening: OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318", flush=True)
    seen = {}
    while True:
        time.sleep(0.2)
        for span in collector.spans[shown:]:
            seen[span.trace] = time.monotonic()
        shown = len(collector.spans)
        for trace in [t for t, when in seen.items() if time.monotonic() - when > 1]:
            del seen[trace]
            print("\n".join([f"\ntrace {trace}", *tree(collector.of(trace))]), flush=True)


if __name__ == "__main__":
    main()
