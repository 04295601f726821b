# SPDX-License-Identifier: Apache-2.0
"""A gateway under pressure: clients that ask too often, services that are behind, more work than is answered in time."""

import signal
import threading
import time

from callers import at_once
from cluster import ClusterTest
from kafka_client import Direct, partition_of
from processes import SLACK


def item(id):
    return {"id": id, "name": "n", "description": "d"}


class Throttled(ClusterTest):
    options = {"compute_workers": 0, "gateway_flags": ["--client-rate", "5", "--client-burst", "10", "--forwarded-hops", "1"]}

    def ask(self, who, path="/items/1"):
        return self.http().get(path, X_Forwarded_For=who)

    def test_a_client_that_asks_too_often(self):
        answers = [self.ask("10.0.0.1") for _ in range(14)]
        statuses = [answer.status for answer in answers]
        self.assertEqual(statuses[:10], [404] * 10)
        self.assertIn(429, statuses[10:])
        self.assertEqual(answers[0].header("ratelimit-policy"), '"client";q=10;w=2')
        self.assertEqual(answers[0].header("ratelimit"), '"client";r=9;t=1')
        refused = answers[statuses.index(429)]
        problem = self.assertProblem(refused, 429)
        self.assertIn("5 requests a second", problem["detail"])
        self.assertEqual(refused.header("retry-after"), "1")
        self.assertTrue(refused.header("ratelimit").startswith('"client";r=0;t='))
        for _ in range(20):
            self.assertEqual(self.ask("10.0.0.1", "/health/ready").status, 200, "health costs nothing")
        self.assertEqual(self.ask("10.0.0.2").status, 404, "another client is not concerned")
        time.sleep(1.2)
        self.assertEqual(self.ask("10.0.0.1").status, 404, "it may ask again")

    def test_what_it_says_of_others_does_not_help(self):
        statuses = [self.http().get("/items/1", X_Forwarded_For=f"9.9.9.{n}, 10.0.0.3").status for n in range(14)]
        self.assertIn(429, statuses)


class Behind(ClusterTest):
    plain = "tens of thousands of commands for a worker to be behind by seconds"
    options = {"item_workers": 1, "compute_workers": 0}

    def produce(self, count, partition, first):
        """Direct commands for one partition, more than its worker has done."""
        direct = Direct(self.cluster.bootstrap)
        ids = [id for id in range(first, first + 40 * count) if partition_of(str(id), 6) == partition][:count]
        for id in ids:
            direct.producer.produce("item.commands", key=str(id), headers=[("ce_type", b"item.get")])
        direct.producer.flush(30)
        return ids

    def test_what_would_be_too_late_is_told_at_once(self):
        client = self.http()
        mine = next(id for id in range(1, 100) if partition_of(str(id), 6) == 2)
        other = next(id for id in range(1, 100) if partition_of(str(id), 6) == 3)
        for id in (mine, other):
            self.assertEqual(client.post("/items/", item(id)).status, 200)
        worker = self.cluster.item_workers[0]
        worker.signal(signal.SIGSTOP)
        try:
            self.produce(400, 2, 1000)
            self.assertProblem(self.http().get(f"/items/{mine}", Prefer="wait=3"), 504)  # it may be taken over
            time.sleep(10)
            began = time.monotonic()
            answers = at_once(4, lambda _: (self.http().get(f"/items/{mine}", Prefer="wait=2"), time.monotonic()))
            refused = [(answer, at) for answer, at in answers if answer.status == 503]
            self.assertGreaterEqual(len(refused), 2, "one in a second may try")
            self.assertLess(min(at for _, at in refused) - began, 1.0 * SLACK)
            problem = self.assertProblem(refused[0][0], 503)
            self.assertIn("does not get on", problem["detail"])
            self.assertEqual(refused[0][0].header("retry-after"), "5")
            self.assertProblem(self.http().get(f"/items/{other}", Prefer="wait=1"), 504)  # its partition is not behind
        finally:
            worker.signal(signal.SIGCONT)
        self.wait_for("it to get on", lambda: client.get(f"/items/{mine}").status == 200, 20)


class Lanes(ClusterTest):
    options = {"item_workers": 1, "compute_workers": 1, "gateway_flags": ["--max-pending", "20"],
               "worker_flags": ["--pool-threads", "2"]}

    def test_short_requests_pass_while_computations_are_refused(self):
        answers = []
        job = {"kind": "primes", "params": {"n": 9_000_000_000}}

        def compute():
            answers.append(self.cluster.http(0, 90.0).post("/computations/", job, Prefer="respond-async, wait=6").status)
        threads = [threading.Thread(target=compute) for _ in range(10)]
        for thread in threads:
            thread.start()
        time.sleep(1.0)
        began = time.monotonic()
        refused = self.http().post("/computations/", job, Prefer="wait=30")
        self.assertLess(time.monotonic() - began, 1.0 * SLACK)
        problem = self.assertProblem(refused, 503)
        self.assertIn("computations", problem["detail"])
        self.assertTrue(refused.header("retry-after"))
        client = self.http()
        self.assertEqual(client.get("/health/ready").status, 200)
        self.assertEqual(client.get("/computations/nobody-knows-it").status, 404)
        self.assertEqual(client.post("/items/", item(1)).status, 200)
        self.assertEqual(client.get("/items/1").status, 200)
        for thread in threads:
            thread.join()
        self.assertEqual(answers, [202] * 10)


class LongComputations(ClusterTest):
    """Work that takes longer than its caller waits is not work that is queued."""

    options = {"item_workers": 0, "compute_workers": 1, "worker_flags": ["--pool-threads", "8"]}

    def test_they_do_not_refuse_others(self):
        short, long = {"kind": "primes", "params": {"n": 1000}}, {"kind": "primes", "params": {"n": 9_000_000_000}}
        client, statuses = self.http(), []
        for _ in range(100):  # what it takes to be taken up is known by now
            self.assertEqual(client.post("/computations/", short).status, 200)
        until = time.monotonic() + 12

        def compute():
            own = self.http()
            while time.monotonic() < until:
                statuses.append(own.post("/computations/", long, Request_Timeout="2").status)
        threads = [threading.Thread(target=compute) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(set(statuses), {504})
        self.assertEqual(client.post("/computations/", short).status, 200)
