# SPDX-License-Identifier: Apache-2.0
"""While a service fails: its breaker opens, writes are refused at once, items are read from the gateway's copy; and what caches are told."""

import base64
import signal
import time

from callers import at_once
from cluster import ClusterTest
from kafka_client import Direct
from processes import SLACK

BREAKER = ["--breaker-min", "5", "--breaker-slow", "1s", "--breaker-window", "20s"]


def item(id, name="n", description="d"):
    return {"id": id, "name": name, "description": description}


class DegradeTest(ClusterTest):
    def breaker(self, service="item", gateway=0):
        ready = self.cluster.http(gateway).get("/health/ready")
        self.assertEqual(ready.status, 200)  # also while a service is down
        return ready.json()["services"][service]["breaker"]

    def freeze(self):
        worker = self.cluster.item_workers[0]
        worker.signal(signal.SIGSTOP)
        self.addCleanup(worker.signal, signal.SIGCONT)
        return worker

    def open(self, gateway=0):
        """Enough callers who each give a fair time: well over what counts as slow."""
        answers = at_once(6, lambda n: self.cluster.http(gateway).put(f"/items/{n}", {"name": "x", "description": ""}, Prefer="wait=2"))
        self.assertEqual({answer.status for answer in answers} - {503, 504}, set())
        self.assertEqual(self.breaker(gateway=gateway), "open")

    def assertStale(self, response, body, version):
        self.assertEqual(response.status, 200, response.body)
        self.assertEqual((response.json(), response.header("etag")), (body, f'"{version}"'))
        self.assertTrue(response.header("content-type").startswith("application/json"))
        self.assertEqual((response.header("warning"), response.header("cache-control")),
                         ('110 - "Response is Stale"', "no-store"))
        self.assertRegex(response.header("age"), r"^\d+$")

    def assertFresh(self, response, name):
        self.assertEqual(response.status, 200, response.body)
        self.assertEqual((response.json()["name"], response.header("warning"), response.header("age")), (name, None, None))

    def closed_again(self, gateway=0):
        def tried():
            self.cluster.http(gateway).get("/items/1", Cache_Control="no-cache", Prefer="wait=1")
            return self.breaker(gateway=gateway) == "closed"
        self.wait_for("the breaker to close", tried, 70)  # on a starved machine a probe may be too slow: then after the pause


class Degrade(DegradeTest):
    """A pause so long that nothing is tried before the service is heard of."""

    options = {"gateways": 2, "gateway_flags": BREAKER + ["--breaker-pause", "60s", "--breaker-pause-max", "60s"]}
    weight = 40

    def test_a_frozen_service(self):
        one, other = self.http(0), self.http(1)
        direct = Direct(self.cluster.bootstrap)
        one.post("/items/", item(9101, "here"))
        other.post("/items/", item(9102, "there"))
        other.put("/items/9102", {"name": "there again", "description": ""})
        one.post("/items/", item(9103, "gone"))
        one.delete("/items/9103")
        direct.send("item.commands", "9104", item(9104, "direct"), {"ce_type": "item.create"})
        self.wait_for("the direct one", lambda: one.get("/items/9104").status == 200)
        self.assertEqual(self.breaker(), "closed")

        worker = self.freeze()
        self.open()
        self.refusals(one)
        self.reads(one)
        self.others_go_on(one)
        self.assertEqual(self.breaker(gateway=1), "closed", "each gateway learns by itself")
        self.newcomer()

        worker.signal(signal.SIGCONT)
        began = time.monotonic()
        self.closed_again()
        print(f"closed {time.monotonic() - began:.1f} s after the service was back", flush=True)
        for n in range(20):
            name = f"after {n}"
            self.assertEqual(one.put("/items/9101", {"name": name, "description": ""}).status, 200)
            self.assertFresh(one.get("/items/9101"), name)
            self.assertFresh(one.get("/items/9101", Cache_Control="max-stale"), name)
        self.logged()

    def refusals(self, client):
        times = []
        for request in (lambda: client.put("/items/9101", {"name": "x", "description": ""}), lambda: client.delete("/items/9101"),
                        lambda: client.post("/items/", item(9105)), lambda: client.get("/items/"),
                        lambda: client.post("/items/", item(9105), Prefer="respond-async"),
                        lambda: client.get("/items/9103"), lambda: client.get("/items/9106"), self.operation(client)):
            began = time.monotonic()
            refused = request()
            times.append(time.monotonic() - began)
            problem = self.assertProblem(refused, 503)
            self.assertIn('"item"', problem["detail"])
            self.assertTrue(30 <= int(refused.header("retry-after")) <= 60, refused.headers)
            self.assertEqual(refused.header("cache-control"), "no-store")
        print(f"refused after {max(times) * 1000:.1f} ms at most", flush=True)
        self.assertLess(max(times), 0.1 * SLACK)

    def operation(self, client):
        id = base64.urlsafe_b64encode(b"item\nsome-command\n9101").decode().rstrip("=")
        return lambda: client.get(f"/operations/{id}")

    def reads(self, client):
        self.assertStale(client.get("/items/9101"), item(9101, "here"), 1)
        self.assertStale(client.get("/items/9102"), item(9102, "there again", ""), 2)
        self.assertStale(client.get("/items/9104"), item(9104, "direct"), 1)
        head = client.request("HEAD", "/items/9101")
        self.assertEqual((head.status, head.body, head.header("etag"), head.header("content-length")),
                         (200, b"", '"1"', str(len(client.get("/items/9101").body))))
        self.assertStale(client.get("/items/9102", If_None_Match='"2"'), item(9102, "there again", ""), 2)  # validates nothing
        age = int(client.get("/items/9101").header("age"))
        self.assertGreaterEqual(age, 1)
        for declined in ("no-cache", "no-store", "max-age=0", "max-stale=0", "min-fresh=1"):
            with self.subTest(declined):
                self.assertProblem(client.get("/items/9101", Cache_Control=declined), 503)
        for taken in ("max-stale", f"max-age={age + 60}", "max-age=0, max-stale"):
            with self.subTest(taken):
                self.assertStale(client.get("/items/9101", Cache_Control=taken), item(9101, "here"), 1)
        time.sleep(1.1)
        self.assertGreater(int(client.get("/items/9101").header("age")), age)

    def others_go_on(self, client):
        done = client.post("/computations/", {"kind": "primes", "params": {"n": 1000}})
        self.assertEqual(done.status, 200, done.body)
        self.assertEqual(self.breaker("compute"), "closed")
        self.assertEqual(client.get("/health/live").status, 200)

    def newcomer(self):
        """Gateways that start meanwhile: one knows what it read of the log; one must not serve it."""
        for flags, status in (([], 200), (["--serve-stale", "off"], 503), (["--stale-copy", "0"], 503)):
            self.cluster.add_gateway(flags=flags + ["--lag-interval", "0"])  # else it may learn of the backlog first, and send nothing
            number = len(self.cluster.gateways) - 1
            self.open(number)
            answer = self.cluster.http(number).get("/items/9102")
            self.assertEqual(answer.status, status, answer.body)
            if status == 200:
                self.assertStale(answer, item(9102, "there again", ""), 2)
                self.assertGreaterEqual(int(answer.header("age")), 1)
                self.assertProblem(self.cluster.http(number).get("/items/9103"), 503)

    def logged(self):
        log = self.cluster.gateways[0].log()
        self.assertIn('msg="breaker opens: requests for this service are refused" for_service=item reason="it does not answer"', log)
        self.assertIn('msg="breaker closes: the service answers" for_service=item', log)
        self.assertNotIn("service=compute", log)


class Probes(DegradeTest):
    options = {"compute_workers": 0, "gateway_flags": BREAKER + ["--breaker-pause", "300ms", "--breaker-pause-max", "300ms"]}
    weight = 20

    def test_a_dead_service_and_its_successor(self):
        """Readers who are probes are not worse off for it; whoever comes back is found."""
        client = self.http()
        client.post("/items/", item(9201, "kept"))
        worker = self.cluster.item_workers[0]
        worker.kill()
        self.open()
        waits = []
        end = time.monotonic() + 4
        while time.monotonic() < end:
            began = time.monotonic()
            self.assertStale(client.get("/items/9201"), item(9201, "kept"), 1)
            waits.append(time.monotonic() - began)
            time.sleep(0.02)
        self.assertGreater(max(waits), 0.9, "some were probes")
        self.assertLess(max(waits), 1 + 1 * SLACK)
        self.assertLess(sum(wait > 0.9 for wait in waits), 5, "one at a time, with a pause in between")
        worker.start().wait_ready()
        self.closed_again()
        self.assertFresh(client.get("/items/9201"), "kept")
        self.assertIn('reason="a probe failed"', self.cluster.gateways[0].log())


class Slow(DegradeTest):
    options = {"compute_workers": 0, "gateway_flags": BREAKER + ["--breaker-pause", "3s"]}

    def late_answers(self):
        """A burst of them."""
        worker = self.freeze()

        def get(number):
            if number == 0:
                time.sleep(1.3)
                worker.signal(signal.SIGCONT)
                return None
            return self.cluster.http().get("/items/9301", Prefer="wait=20")
        answers = at_once(13, get)[1:]
        self.assertEqual({answer.status for answer in answers}, {200})

    def test_slow_answers_open_it_when_they_go_on(self):
        self.http().post("/items/", item(9301, "slow"))
        self.late_answers()
        self.assertEqual(self.breaker(), "closed")
        for _ in range(4):  # they must be in three of the window's tenths
            if self.breaker() == "closed":
                self.late_answers()
        self.assertEqual(self.breaker(), "open")
        self.assertIn('reason="it answers too slowly"', self.cluster.gateways[0].log())
        self.assertStale(self.http().get("/items/9301"), item(9301, "slow"), 1)
        self.assertIn("too slowly", self.assertProblem(self.http().delete("/items/9301"), 503)["detail"])
        self.closed_again()
        self.assertFresh(self.http().get("/items/9301"), "slow")


class Callers(DegradeTest):
    options = {"compute_workers": 0, "gateway_flags": BREAKER}

    def test_who_does_not_wait_long_does_not_open_it(self):
        self.http().post("/items/", item(9401))
        worker = self.freeze()
        for _ in range(3):
            answers = at_once(6, lambda n: self.cluster.http().get("/items/9401", Request_Timeout="0.05"))
            self.assertEqual({answer.status for answer in answers}, {504})
        self.assertEqual(self.breaker(), "closed")
        worker.signal(signal.SIGCONT)
        self.wait_for("an answer", lambda: self.http().get("/items/9401").status == 200)
        self.assertEqual(self.breaker(), "closed")

    def test_what_the_caller_did_wrong_does_not_open_it(self):
        client = self.http()
        for _ in range(20):
            self.assertEqual(client.get("/items/9499").status, 404)
            self.assertEqual(client.put("/items/9499", {"name": "n", "description": ""}).status, 404)
        self.assertEqual(self.breaker(), "closed")


class Caches(DegradeTest):
    """What caches in front are told."""

    options = {"compute_workers": 0}

    def said(self, response):
        return response.status, response.header("etag"), response.header("cache-control")

    def test_without_settings_they_ask_each_time(self):
        client = self.http()
        made = client.post("/items/", item(9501))
        self.assertEqual(self.said(made), (200, '"1"', "no-store"))
        self.assertEqual(self.said(client.get("/items/9501")), (200, '"1"', "no-cache"))
        self.assertEqual(self.said(client.request("HEAD", "/items/9501")), (200, '"1"', "no-cache"))
        self.assertEqual(self.said(client.get("/items/9501", If_None_Match='"1"')), (304, '"1"', "no-cache"))
        self.assertEqual(self.said(client.get("/items/?limit=1")), (200, None, "no-cache"))
        self.assertEqual(self.said(client.get("/items/9502")), (404, None, "no-store"))
        self.assertEqual(self.said(client.get("/items/x")), (422, None, "no-store"))
        self.assertEqual(self.said(client.get("/nothing")), (404, None, "no-store"))
        self.assertEqual(client.get("/items/9501").header("age"), None)

    def test_with_settings_they_need_not(self):
        self.cluster.add_gateway(flags=["--cache-max-age", "10s", "--cache-stale-if-error", "60s"])
        client = self.http(1)
        client.post("/items/", item(9511))
        both = "max-age=10, stale-if-error=60"
        self.assertEqual(self.said(client.get("/items/9511")), (200, '"1"', both))
        self.assertEqual(self.said(client.get("/items/9511", If_None_Match='"1"')), (304, '"1"', both))
        self.assertEqual(self.said(client.get("/items/?limit=1")), (200, None, "no-cache"))
        self.assertEqual(self.said(client.get("/items/9512")), (404, None, "no-store"))
        self.assertEqual(self.said(client.delete("/items/9511")), (204, None, "no-store"))
