# SPDX-License-Identifier: Apache-2.0
"""Every process but Kafka is restarted, one after the other, under load: what a rolling upgrade does."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "component"))

from test_rolling import FLAGS, Rolling, item


def plan(client, n):
    """A creation of an item of its own, a short computation, a list, a read of one that is there."""
    id = (client + 1) * 1_000_000 + n
    return [("POST", "/items/", item(id), id),
            ("POST", "/computations/", {"kind": "primes", "params": {"n": 1000}}, 0),
            ("GET", "/items/?limit=2", None, 0),
            ("GET", "/items/1", None, 1)][n % 4]


class RollingAll(Rolling):
    weight = 90
    plan = staticmethod(plan)
    options = {"gateways": 2, "item_workers": 2, "compute_workers": 2, "gateway_flags": FLAGS + ["--deadline", "15s"]}
    clients = 4

    def restart_all(self):
        for worker in self.cluster.item_workers + self.cluster.compute_workers:
            self.assertEqual(worker.stop(), 0, worker.tail())
            worker.start().wait_ready()
        super().restart_all()
