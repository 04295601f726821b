# SPDX-License-Identifier: Apache-2.0
"""Many callers with one Idempotency-Key: one effect, one outcome, and everybody gets it."""

import re
import signal
import threading
import time

from cluster import ClusterTest
from kafka_client import Direct, Watch
from processes import SLACK


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


def item(id):
    return {"id": id, "name": "n", "description": "d"}


class OneKeyForTwo(ClusterTest):
    """What the gateways refuse by themselves: a key that is another item's, and one whose request is still running."""

    options = {"gateways": 2, "compute_workers": 0, "gateway_flags": ["--log-level", "debug"]}

    def setUp(self):
        self.worker = self.cluster.item_workers[0]

    def post(self, id, key, gateway=0, **headers):
        client = self.cluster.http(gateway)
        try:
            return client.post("/items/", item(id), Idempotency_Key=key, **headers)
        finally:
            client.close()

    def in_background(self, *arguments, **named):
        """A call of post(), and where its answer will be."""
        answers = []
        thread = threading.Thread(target=lambda: answers.append(self.post(*arguments, **named)))
        thread.start()
        self.addCleanup(thread.join, 60)
        return thread, answers

    def lines(self, gateway, text, key):
        return sum(text in line and re.search(f':/items:{re.escape(key)}[" ]', line + " ") is not None for line in self.cluster.gateways[gateway].log().splitlines())

    def wait_seen(self, gateway, key, times=1):
        self.wait_for(f"gateway {gateway} to see {key}", lambda: self.lines(gateway, "key seen", key) >= times)

    def wait_sent(self, gateway, key, times=1):
        self.wait_for(f"{key} to be sent", lambda: self.lines(gateway, 'msg="sent"', key) >= times)

    def pause_worker(self):
        self.worker.signal(signal.SIGSTOP)
        self.addCleanup(self.worker.signal, signal.SIGCONT)

    def assertRefused(self, response, id):
        self.assertProblem(response, 422)
        self.assertIn("Idempotency-Key", response.json()["detail"])
        self.assertEqual(self.http().get(f"/items/{id}").status, 404)

    def test_a_second_item_is_refused(self):
        self.assertEqual(self.post(9_200_001, "two-1").status, 200)
        self.assertRefused(self.post(9_200_002, "two-1"), 9_200_002)
        again = self.post(9_200_001, "two-1")
        self.assertEqual((again.status, again.header("Idempotency-Replayed")), (200, "true"))

    def test_a_refusal_binds_too(self):
        self.assertEqual(self.post(9_200_003, "two-2").status, 200)
        self.assertEqual(self.post(9_200_003, "two-3").status, 400)  # it exists
        self.assertRefused(self.post(9_200_004, "two-3"), 9_200_004)

    def test_through_another_gateway(self):
        self.assertEqual(self.post(9_200_005, "two-4").status, 200)
        self.wait_seen(1, "two-4")
        self.assertRefused(self.post(9_200_006, "two-4", gateway=1), 9_200_006)
        self.assertEqual(self.post(9_200_005, "two-4", gateway=1).header("Idempotency-Replayed"), "true")

    def test_through_a_gateway_that_was_started_again(self):
        self.assertEqual(self.post(9_200_007, "two-5").status, 200)
        self.wait_seen(1, "two-5")
        self.cluster.restart(self.cluster.gateways[1], kill=True)  # ready only when it knows them
        self.assertRefused(self.post(9_200_008, "two-5", gateway=1), 9_200_008)

    def test_at_once(self):
        for n in range(10):
            first, second = 9_200_100 + 2 * n, 9_200_101 + 2 * n
            calls = [self.in_background(id, f"pair-{n}") for id in (first, second)]
            for thread, _ in calls:
                thread.join(60)
            self.assertEqual(sorted(answers[0].status for _, answers in calls), [200, 422])
            there = [self.http().get(f"/items/{id}").status for id in (first, second)]
            self.assertEqual(sorted(there), [200, 404])

    def test_what_was_not_done_in_time_does_not_bind(self):
        self.pause_worker()
        late = self.post(9_200_009, "two-6", Request_Timeout="0.2")
        self.assertProblem(late, 504)
        thread, answers = self.in_background(9_200_010, "two-6")
        self.wait_sent(0, "two-6", times=2)
        self.worker.signal(signal.SIGCONT)
        thread.join(60)
        self.assertEqual(answers[0].status, 200)
        self.assertRefused(self.post(9_200_009, "two-6"), 9_200_009)
        self.wait_seen(1, "two-6")  # the expired one's event stands before it
        self.assertRefused(self.post(9_200_009, "two-6", gateway=1), 9_200_009)

    def test_one_that_runs(self):
        self.pause_worker()
        thread, answers = self.in_background(9_200_011, "runs-1")
        self.wait_sent(0, "runs-1")
        for prefer in ("respond-async", "wait=0", 'handling=lenient, Respond-Async; x="y"', 'wait="0"'):
            started = time.monotonic()
            told = self.post(9_200_011, "runs-1", Prefer=prefer)
            self.assertLess(time.monotonic() - started, 1.0 * SLACK)
            self.assertProblem(told, 409)
            self.assertEqual(told.header("Retry-After"), "1")
        self.assertProblem(self.post(9_200_012, "runs-1"), 422)
        waits, waited = self.in_background(9_200_011, "runs-1", Prefer="respond-async, wait=20")
        self.wait_sent(0, "runs-1", times=2)
        self.worker.signal(signal.SIGCONT)
        for call in (thread, waits):
            call.join(60)
        self.assertEqual((answers[0].status, waited[0].status), (200, 200))
        self.assertEqual(self.http().get("/items/9200011").header("etag"), '"1"')
        done = self.post(9_200_011, "runs-1", Prefer="wait=0")  # nothing runs any more: it is answered
        self.assertEqual((done.status, done.header("Idempotency-Replayed")), (200, "true"))
        self.assertEqual(self.http().get("/items/9200012").status, 404)


class OutcomesOfAllKinds(ClusterTest):
    """The worker is the test: it answers what it likes, and writes what it likes into the log of events."""

    options = {"item_workers": 0, "compute_workers": 0, "gateway_flags": ["--log-level", "debug"]}

    def setUp(self):
        self.direct = Direct(self.cluster.bootstrap)
        self.commands = Watch(self.cluster.bootstrap, "item.commands")
        self.addCleanup(self.commands.close)

    def ask(self, id, key, status=None):
        """The answer to a POST whose command is answered with `status`; None: there must be no command."""
        answers, client = [], self.http()
        thread = threading.Thread(target=lambda: answers.append(client.post("/items/", item(id), Idempotency_Key=key)))
        thread.start()
        if status is not None:
            number = len(self.commands.seen)
            cmd = self.commands.find(lambda r: self.commands.seen.index(r) >= number)
            self.assertEqual((cmd.key, cmd.text("idempotency-key")), (str(id).encode(), key))
            partition = cmd.headers["kafka_replyPartition"]
            number = int.from_bytes(partition, "big") if len(partition) == 4 else int(partition)
            self.direct.send(cmd.text("kafka_replyTopic"), b"", {}, {
                "kafka_correlationId": cmd.headers["kafka_correlationId"], ":status": str(status)}, number)
        thread.join(60)
        return answers[0].status

    def test_not_now_does_not_bind(self):
        for status in (503, 504, 500):
            self.assertEqual(self.ask(1, f"kind-{status}", status), status)
            self.assertEqual(self.ask(2, f"kind-{status}", 200), 200)
            self.assertEqual(self.ask(1, f"kind-{status}"), 422)

    def test_that_the_key_is_anothers_does_not_bind(self):
        """The worker says 422 to an item of the same partition; the key still is the first item's."""
        self.assertEqual(self.ask(2, "kind-422", 422), 422)
        self.assertEqual(self.ask(1, "kind-422", 200), 200)
        self.assertEqual(self.ask(2, "kind-422"), 422)

    def event(self, id, key, claim, **more):
        headers = {"ce_id": f"idem:POST:/items:{key}", "ce_type": "item.created", "ce_claim": claim, "ce_version": "1",
                   ":status": "200"} | more
        self.direct.send("item.events", str(id), b"{}", headers, 0)

    def wait_seen(self, key):
        def seen():
            return any('"key seen"' in line and f':/items:{key}"' in line for line in self.cluster.gateways[0].log().splitlines())
        self.wait_for(f"{key} to be seen", seen)

    def test_only_valid_events_bind(self):
        for claim in ("older", "newer"):
            self.direct.send("item.events", f"__claim/{claim}", b"", {}, 0)
        self.event(1, "log-void", "older")
        self.event(1, "log-not-now", "newer", **{":status": "504", "ce_binding": "false"})
        self.event(1, "log-valid", "newer")
        self.wait_seen("log-valid")
        self.assertEqual(self.ask(2, "log-valid"), 422)
        self.assertEqual(self.ask(1, "log-valid", 200), 200)
        self.assertEqual(self.ask(2, "log-void", 200), 200)
        self.assertEqual(self.ask(2, "log-not-now", 200), 200)

    def test_an_event_binds_what_was_not_answered(self):
        """The first got 503 from here, but took effect: its event says so."""
        self.direct.send("item.events", "__claim/only", b"", {}, 0)
        self.assertEqual(self.ask(1, "log-late", 503), 503)
        self.event(1, "log-late", "only")
        self.wait_seen("log-late")
        self.assertEqual(self.ask(2, "log-late"), 422)
