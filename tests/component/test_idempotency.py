# SPDX-License-Identifier: Apache-2.0
"""Many callers with one Idempotency-Key: one effect, one outcome, and everybody gets it."""

import threading

from cluster import ClusterTest


class Keys(ClusterTest):
    options = {"gateways": 2, "compute_workers": 0}

    def at_once(self, count, ask):
        """What `count` callers got who asked together, each on a connection of its own."""
        answers, barrier = [], threading.Barrier(count)

        def call(number):
            client = self.cluster.http(number % 2)
            barrier.wait(30)
            answers.append(ask(client))
            client.close()
        threads = [threading.Thread(target=call, args=(n,)) for n in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(len(answers), count)
        return answers

    def test_fifty_at_once_are_one_creation(self):
        item = {"id": 9_100_001, "name": "n", "description": "d"}
        answers = self.at_once(50, lambda c: c.post("/items/", item, Idempotency_Key="fifty-1"))
        self.assertEqual({(a.status, a.header("etag"), a.body) for a in answers}, {(200, '"1"', answers[0].body)})
        self.assertEqual(sum(a.header("Idempotency-Replayed") is None for a in answers), 1)
        self.assertEqual(self.http().get("/items/9100001").header("etag"), '"1"')

    def test_fifty_at_once_are_one_replacement_and_one_deletion(self):
        c = self.http()
        self.assertEqual(c.post("/items/", {"id": 9_100_002, "name": "n", "description": "d"}).status, 200)
        puts = self.at_once(50, lambda c: c.put("/items/9100002", {"name": "m", "description": "d"}, Idempotency_Key="fifty-2"))
        self.assertEqual({(a.status, a.header("etag")) for a in puts}, {(200, '"2"')})
        gone = self.at_once(50, lambda c: c.delete("/items/9100002", Idempotency_Key='"fifty-3"'))
        self.assertEqual({a.status for a in gone}, {204})
        again = c.post("/items/", {"id": 9_100_002, "name": "o", "description": "d"})
        self.assertEqual((again.status, again.header("etag")), (200, '"4"'))

    def test_another_body_under_the_key_is_refused(self):
        first = {"id": 9_100_003, "name": "n", "description": "d"}
        c = self.http()
        self.assertEqual(c.post("/items/", first, Idempotency_Key="other-1").status, 200)
        self.assertProblem(c.post("/items/", first | {"name": "m"}, Idempotency_Key="other-1"), 422)
        self.assertEqual(c.get("/items/9100003").json()["name"], "n")

    def test_a_quoted_key_and_a_bare_one_are_the_same(self):
        item = {"id": 9_100_004, "name": "n", "description": "d"}
        c = self.http()
        self.assertEqual(c.post("/items/", item, Idempotency_Key="same-1").status, 200)
        again = self.http(1).post("/items/", item, Idempotency_Key='"same-1"')
        self.assertEqual((again.status, again.header("Idempotency-Replayed")), (200, "true"))
