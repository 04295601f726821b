# SPDX-License-Identifier: Apache-2.0
"""Traces as a collector gets them: the hops of one request are spans of one trace; what the collector does disturbs nobody."""

import os
import re
import time
import unittest

from cluster import Cluster
from collector import Collector, tree
from processes import SLACK, wait_for

def whole(collector, trace, count):
    """All spans of a trace, once there are so many."""
    wait_for(f"{count} spans of trace {trace}", lambda: len(collector.of(trace)) >= count, 15 * SLACK)
    return collector.of(trace)


def traced_cluster(collector, **environment):
    os.environ.update({"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server.server_port}", "OTEL_BSP_SCHEDULE_DELAY": "200",
                       "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=a%20test",
                       "OTEL_EXPORTER_OTLP_HEADERS": "x-key=a%2Cb, x-other = c", **environment})
    return Cluster().start()


def item(id):
    return {"id": id, "name": "n", "description": "d"}


class Traces(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.collector = Collector()
        cls.cluster = traced_cluster(cls.collector)
        cls.http = cls.cluster.http()

    @classmethod
    def tearDownClass(cls):
        cls.cluster.stop()
        cls.collector.close()
        cls.cluster.clean()

    def one(self, spans, name, kind):
        found = [span for span in spans if span.name == name]
        self.assertEqual([span.kind for span in found], [kind], [span.name for span in spans])
        return found[0]

    def test_all_hops_of_a_post(self):
        trace, caller = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
        answer = self.http.post("/items/", item(1), traceparent=f"00-{trace}-{caller}-01", tracestate="a=b")
        self.assertEqual(answer.status, 200)
        spans = whole(self.collector, trace, 5)
        self.assertEqual(len(spans), 5)
        request = self.one(spans, "POST /items", "server")
        command = self.one(spans, "send item.commands", "producer")
        process = self.one(spans, "process item.commands", "consumer")
        journal = self.one(spans, "send item.events", "producer")
        reply = self.one(spans, "send replies", "producer")
        self.assertEqual((request.parent, command.parent, process.parent), (caller, request.id, command.id))
        self.assertEqual((journal.parent, reply.parent), (process.id, process.id))
        self.assertEqual(process.links, [(trace, command.id)])
        self.assertEqual(request.attributes["http.response.status_code"], 200)
        self.assertEqual(request.attributes["http.route"], "/items")
        self.assertEqual(process.attributes["messaging.message.id"], command.attributes["messaging.message.id"])
        self.assertEqual(process.attributes["messaging.kafka.offset"], command.attributes["messaging.kafka.offset"])
        self.assertEqual(process.attributes["messaging.system"], "kafka")
        order = [request.start, command.start, process.start, journal.start, journal.end, reply.start]
        self.assertEqual(order, sorted(order))
        self.assertLessEqual(reply.end, process.end)
        self.assertLess(abs(request.end / 1e9 - time.time()), 60)
        self.assertEqual({span.resource["service.name"] for span in (request, process)}, {"roundtrip-gateway", "roundtrip-item-worker"})
        self.assertEqual(request.resource["deployment.environment.name"], "a test")
        self.assertFalse(any(span.failed for span in spans))
        self.assertEqual([line.split("  ")[0] for line in tree(spans)][0], "POST /items")

    def test_what_the_collector_is_told_about_itself(self):
        self.http.get("/items/1", traceparent="00-4bf92f3577b34da6a3ce929d0e0e4001-00f067aa0ba902b7-01")
        whole(self.collector, "4bf92f3577b34da6a3ce929d0e0e4001", 4)
        self.assertEqual(self.collector.paths, {"/v1/traces"})
        headers = self.collector.headers[0]
        self.assertEqual((headers["Content-Type"], headers["x-key"], headers["x-other"]), ("application/json", "a,b", "c"))

    def test_a_computation_has_its_run(self):
        trace = "4bf92f3577b34da6a3ce929d0e0e4002"
        self.assertEqual(self.http.get("/heavy_computation/?n=100000", traceparent=f"00-{trace}-00f067aa0ba902b7-01").status, 200)
        spans = whole(self.collector, trace, 6)
        run = self.one(spans, "run compute.start", "internal")
        self.assertEqual(run.parent, self.one(spans, "process compute.commands", "consumer").id)
        self.assertGreater(run.end, run.start)

    def test_what_the_caller_does_not_sample_is_not_sampled(self):
        trace = "4bf92f3577b34da6a3ce929d0e0e4003"
        self.http.get("/items/1", traceparent=f"00-{trace}-00f067aa0ba902b7-00")
        self.test_what_the_collector_is_told_about_itself()
        self.assertEqual(self.collector.of(trace), [])

    def test_without_a_trace_one_begins(self):
        self.assertEqual(self.http.get("/items/987654").status, 404)
        wait_for("a trace of its own", lambda: any(span.attributes.get("url.path") == "/items/987654" for span in list(self.collector.spans)), 15 * SLACK)
        request = next(span for span in self.collector.spans if span.attributes.get("url.path") == "/items/987654")
        self.assertIsNone(request.parent)
        self.assertFalse(request.failed)
        self.assertEqual(len(whole(self.collector, request.trace, 4)), 4)  # a read has no event

    def test_a_collector_that_is_busy_gets_them_later(self):
        trace = "4bf92f3577b34da6a3ce929d0e0e4004"
        self.collector.answers[:] = [503, 429, 503]
        self.http.get("/items/1", traceparent=f"00-{trace}-00f067aa0ba902b7-01")
        whole(self.collector, trace, 4)


class Silent(unittest.TestCase):
    """The collector accepts and does not answer: nobody waits for it, memory is bounded, what is lost is counted."""

    def test_requests_go_on(self):
        collector = Collector()
        self.addCleanup(collector.close)
        collector.silent.set()
        cluster = traced_cluster(collector, OTEL_BSP_MAX_QUEUE_SIZE="64", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="16")
        self.addCleanup(cluster.clean)
        self.addCleanup(cluster.stop)
        client, longest = cluster.http(), 0
        for id in range(1, 201):
            began = time.monotonic()
            self.assertEqual(client.post("/items/", item(id)).status, 200)
            longest = max(longest, time.monotonic() - began)
        self.assertLess(longest, 1 * SLACK)
        gateway = cluster.gateways[0]
        began = time.monotonic()
        self.assertEqual(gateway.stop(), 0)
        self.assertLess(time.monotonic() - began, 5 * SLACK)
        counts = dict(re.findall(r"(exported|dropped|failed)=(\d+)", gateway.tail().split('msg="traces"')[-1]))
        self.assertEqual(counts["exported"], "0")
        self.assertGreater(int(counts["dropped"]), 300)  # of 400 spans


class Wrong(unittest.TestCase):
    def test_settings_that_make_no_sense_are_refused(self):
        from processes import BUILD
        import subprocess
        for name, bad in (("OTEL_TRACES_SAMPLER", "sometimes"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_BSP_SCHEDULE_DELAY", "soon"),
                          ("OTEL_TRACES_EXPORTER", "zipkin")):
            environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", name: bad}
            done = subprocess.run([BUILD / "gateway/roundtrip-gateway", "--kafka", "127.0.0.1:9", "--port", "0"], env=environment, text=True,
                                  capture_output=True, timeout=30 * SLACK, check=False)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(name, done.stderr)
            self.assertIn(bad, done.stderr)
