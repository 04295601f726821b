# SPDX-License-Identifier: Apache-2.0
"""Processes are restarted one after the other while clients go on: nobody notices. With the balancer and the settings that
deploy/README.md recommends."""

import collections
import json
import unittest

import haproxy
from cluster import Cluster
from crowd import Crowd
from processes import SLACK, wait_for

FLAGS = ["--drain-delay", "3s"]


def item(id):
    return {"id": id, "name": "n", "description": "d"}


def create_and_read(client, n):
    """A creation of an item of its own, then a read of one that is there."""
    id = (client + 1) * 1_000_000 + n
    return ("POST", "/items/", item(id), id) if n % 2 else ("GET", "/items/1", None, 1)


class Rolling(unittest.TestCase):
    """Two gateways behind HAProxy, and clients that send POSTs without an Idempotency-Key: so nobody repeats one for them."""

    weight = 60
    plain = "most of it is HAProxy; test_drain stops gateways under load, too"
    plan = staticmethod(create_and_read)
    options = {"gateways": 2, "compute_workers": 0, "gateway_flags": FLAGS}
    clients = 8  # that keep their connection, and as many that do not

    def setUp(self):
        if not haproxy.installed():
            self.skipTest("no haproxy: apt-get install haproxy")
        self.cluster = Cluster(**self.options)
        self.addCleanup(self.cluster.clean)
        self.addCleanup(lambda: self.assertEqual(self.cluster.stop(), []))
        self.cluster.start()
        for n, gateway in enumerate(self.cluster.gateways):  # started anew, it is where HAProxy looks for it
            gateway.arguments[gateway.arguments.index("--port") + 1] = str(self.cluster.port(n))
        self.assertEqual(self.cluster.http().post("/items/", item(1)).status, 200)
        self.balancer = haproxy.HAProxy([self.cluster.port(n) for n in range(2)], self.cluster.folder).start()
        self.addCleanup(self.balancer.stop)
        for name in ("gateway-1", "gateway-2"):
            self.balancer.wait_up(name)

    def restart_gateway(self, gateway):
        self.assertEqual(gateway.stop(), 0, gateway.tail())
        gateway.start().wait_ready()
        self.balancer.wait_up(gateway.name)

    def restart_all(self):
        for gateway in self.cluster.gateways:
            self.restart_gateway(gateway)

    def test_twice_round(self):
        crowd = Crowd(self.balancer.port, self.plan, self.clients, self.clients, again=True, pause=0.02, seconds=30 * SLACK)
        try:
            for _ in range(2):
                count = len(crowd.requests)
                wait_for("load", lambda: len(crowd.requests) > count + 200, 30)
                self.restart_all()
            count = len(crowd.requests)
            wait_for("load afterwards", lambda: len(crowd.requests) > count + 200, 30)
        finally:
            crowd.stop()
        self.check(crowd)

    def check(self, crowd):
        failed = [r for r in crowd.requests if r.status != 200]
        posts = [r for r in crowd.requests if r.method == "POST" and r.id]
        servers = {name: row for name, row in self.balancer.servers().items() if name.startswith("gateway")}
        print(f"rolling: {len(crowd.requests)} requests, {len(posts)} of them created an item, {len(failed)} failed; longest "
              f"{max(r.ended_at - r.sent_at for r in crowd.requests):.2f} s; HAProxy connected again "
              f"{sum(int(row['wretr']) for row in servers.values())} times")
        self.assertEqual(failed[:5], [], f"{len(failed)} of {len(crowd.requests)}: {collections.Counter((r.outcome, r.status) for r in failed)}")
        for name, row in servers.items():  # what a gateway had taken it has answered: no retry made up for it
            self.assertEqual((name, row["eresp"], row["hrsp_5xx"]), (name, "0", "0"))
            self.assertGreater(int(row["hrsp_2xx"]), 100, name)
        client = self.cluster.http()
        for request in posts:
            if json.loads(request.body)["id"] != request.id:
                self.fail(f"another's answer: {request}")
            got = client.get(f"/items/{request.id}")
            self.assertEqual((got.status, got.header("etag")), (200, '"1"'), request)
