# SPDX-License-Identifier: Apache-2.0
"""Results as resources of their own: their media type, their tag, their parts."""

import hashlib
import threading

from cluster import BreakingTest, ClusterTest
from http_client import Http
from kafka_client import Direct, Watch
from pictures import LARGE, VIEW, check_png, operation
from processes import SANITIZED, SLACK

class Results(ClusterTest):
    options = {"gateways": 2, "gateway_flags": ["--deadline", "60s" if SANITIZED else "30s"]}
    weight = 30

    def compute(self, kind, params, **headers):
        return self.http().post("/computations/", {"kind": kind, "params": params}, **headers)

    def test_an_image_is_a_link_in_the_answer(self):
        made = self.compute("mandelbrot", VIEW)
        result = made.json()["result"]
        self.assertEqual(set(result), {"width", "height", "inside", "iterations", "media_type", "bytes", "href"})
        self.assertNotIn(b"base64", made.body)
        self.assertEqual(self.http(1).get(f"/computations/{made.json()['id']}").json(), made.json())
        image = self.http(1).get(result["href"])
        self.assertEqual((image.status, image.header("content-type")), (200, "image/png"))
        self.assertEqual(int(image.header("content-length")), result["bytes"])
        self.assertRegex(image.header("etag"), r'^"[0-9a-f]{16}"$')
        self.assertEqual(image.header("cache-control"), "max-age=3600, immutable")
        check_png(self, image.body, 64, 48)

    def test_it_is_not_sent_to_who_has_it(self):
        href = self.compute("mandelbrot", VIEW).json()["result"]["href"]
        http = self.http()
        image = http.get(href)
        tag = image.header("etag")
        for value in (tag, f'"x", {tag}', f"W/{tag}", "*"):
            same = http.get(href, If_None_Match=value)
            self.assertEqual((same.status, same.body, same.header("etag")), (304, b"", tag), value)
        self.assertEqual(http.get(href, If_None_Match='"other"').body, image.body)
        head = http.request("HEAD", href)
        self.assertEqual((head.status, head.body), (200, b""))
        for name in ("content-length", "content-type", "etag", "cache-control"):
            self.assertEqual(head.header(name), image.header(name), name)
        self.assertEqual(self.http().get(self.compute("mandelbrot", VIEW).json()["result"]["href"]).header("etag"), tag, "the same bytes")

    def test_json_has_one_too(self):
        accepted = self.compute("primes", {"n": 100}, Prefer="respond-async")
        where = accepted.header("location") + "/result"
        for gateway in (0, 1):
            answer = self.http(gateway).get(where, Prefer="wait=20")
            self.assertEqual((answer.status, answer.json(), answer.header("content-type")), (200, {"count": 25}, "application/json"))
        self.assertEqual(self.http().get(where, If_None_Match=answer.header("etag")).status, 304)
        made = self.http().post("/items/", {"id": 71, "name": "n", "description": "d"}, Prefer="respond-async").header("location")
        self.assertEqual(self.http().get(made + "/result", Prefer="wait=20").json(), {"id": 71, "name": "n", "description": "d"})
        gone = self.http().request("DELETE", "/items/71", headers={"Prefer": "respond-async"}).header("location")
        self.assertEqual(self.http().get(gone, Prefer="wait=20").json()["status"], 204)
        nothing = self.http().get(gone + "/result")
        self.assertEqual((nothing.status, nothing.body, nothing.header("content-type")), (204, b"", None))

    def test_there_is_none_yet(self):
        where = self.compute("primes", {"n": 9_000_000_000}, Prefer="respond-async").header("location")
        answer = self.http().get(where + "/result")
        self.assertEqual((answer.status, answer.header("retry-after"), answer.header("cache-control")), (202, "1", "no-store"))
        self.assertIn(answer.json()["state"], ("pending", "running"))
        self.assertEqual(self.http().get(where + "/result", Prefer="wait=1").status, 202)
        self.assertEqual(self.http().delete(where).status, 202)
        self.assertEqual(self.http().get(where, Prefer="wait=20").json()["state"], "failed")
        self.assertIn("cancelled", self.assertProblem(self.http().get(where + "/result"), 409)["detail"])

    def test_there_is_none(self):
        self.assertProblem(self.http().get(operation("compute", "nobody", "k") + "/result"), 404)
        self.assertProblem(self.http().get("/operations/x/result"), 404)
        self.assertEqual(self.http().post("/operations/x/result", {}).status, 405)

    def test_a_large_one_comes_in_parts(self):
        made = self.compute("mandelbrot", LARGE, Prefer="wait=60")
        self.assertEqual(made.status, 200, made.body)
        result = made.json()["result"]
        self.assertGreater(result["bytes"], 2_000_000, "more than a record can hold")
        self.assertLess(len(made.body), 2000)
        first = self.http().get(result["href"])
        self.assertEqual((first.status, len(first.body), int(first.header("content-length"))), (200, result["bytes"], result["bytes"]))
        check_png(self, first.body, 3840, 2160)
        digest = hashlib.sha256(first.body).digest()
        self.assertEqual(self.http().request("HEAD", result["href"]).header("content-length"), first.header("content-length"))
        self.assertEqual(self.http().get(result["href"], If_None_Match=first.header("etag")).status, 304)
        answers = []

        def read(gateway):
            http = self.cluster.http(gateway, 60 * SLACK)
            for _ in range(3):
                answers.append(hashlib.sha256(http.get(result["href"]).body).digest())
            http.close()
        threads = [threading.Thread(target=read, args=(i % 2,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(set(answers), {digest})
        self.assertEqual(len(answers), 24)
        for process in self.cluster.compute_workers + self.cluster.gateways:
            self.cluster.restart(process)
        self.assertEqual(hashlib.sha256(self.http(1).get(result["href"]).body).digest(), digest)

    def test_a_direct_producer_asks_part_by_part(self):
        direct = Direct(self.cluster.bootstrap)
        watch = direct.watch("replies")
        made = direct.call(watch, "compute.commands", "own-job", {"kind": "mandelbrot", "params": LARGE},
                           {"ce_type": "compute.start", "ce_id": "own-command"}, seconds=60)
        self.assertEqual(made.text(":status"), "200")
        self.assertEqual(made.json()["result"]["href"], operation("compute", "own-command", "own-job") + "/result")
        ask = {"ce_type": "compute.result", "ce_subject": "own-command"}
        parts = [direct.call(watch, "compute.commands", "own-job", None, ask)]
        count = int(parts[0].text("result-parts"))
        self.assertGreater(count, 1)
        for part in range(1, count):
            parts.append(direct.call(watch, "compute.commands", "own-job", {"part": part}, ask))
        self.assertEqual({(p.text(":status"), p.text("content-type"), p.text("etag"), p.text("result-bytes")) for p in parts},
                         {("200", "image/png", parts[0].text("etag"), str(made.json()["result"]["bytes"]))})
        check_png(self, b"".join(p.value for p in parts), 3840, 2160)
        for body, status in (({"part": count}, "404"), ({"part": -1}, "422"), ({"other": 1}, "422")):
            self.assertEqual(direct.call(watch, "compute.commands", "own-job", body, ask).text(":status"), status, body)
        watch.close()


class Reused(ClusterTest):
    """The same computation again, from the answer it had."""

    options = {"gateways": 2, "gateway_flags": ["--reuse-max-age", "10m", "--deadline", "60s" if SANITIZED else "30s"]}

    def compute(self, params, gateway=0, **headers):
        return self.http(gateway).post("/computations/", {"kind": "pi", "params": params}, **headers)

    def test_who_takes_an_older_answer_gets_it(self):
        params = {"samples": 40_000_000 if SANITIZED else 400_000_000, "seed": 5}
        first = self.compute(params)
        self.assertEqual((first.status, first.header("age"), first.header("cache-control")), (200, None, "no-store"))
        self.assertEqual(first.header("content-location"), f"/computations/{first.json()['id']}")
        spent = self.cluster.compute_workers[0].cpu_seconds()
        again = self.compute(dict(reversed(params.items())), Cache_Control="max-age=600")
        self.assertEqual((again.status, again.body), (200, first.body))
        self.assertLess(int(again.header("age")), 60)
        for name in ("etag", "content-type", "content-location", "cache-control"):
            self.assertEqual(again.header(name), first.header(name), name)
        self.assertLess(self.cluster.compute_workers[0].cpu_seconds() - spent, 0.2)
        self.assertEqual(self.http().get(again.header("content-location")).body, first.body)
        self.assertEqual(self.compute(params, Cache_Control="max-age=600", Prefer="respond-async").status, 200, "it is there")

    def test_others_have_it_computed(self):
        params = {"samples": 1000, "seed": 6}
        ids = {self.compute(params).json()["id"]}
        for headers in ({}, {"Cache_Control": "max-age=0"}, {"Cache_Control": "no-cache, max-age=600"},
                        {"Cache_Control": "max-age=600", "Idempotency_Key": "own"}):
            answer = self.compute(params, **headers)
            self.assertEqual((answer.status, answer.header("age")), (200, None), headers)
            ids.add(answer.json()["id"])
        self.assertEqual(len(ids), 5)
        self.assertIsNotNone(self.compute(params, Cache_Control="max-age=600").header("age"))
        self.assertIsNone(self.compute({**params, "seed": 7}, Cache_Control="max-age=600").header("age"))
        self.assertIsNone(self.compute(params, gateway=1, Cache_Control="max-age=600").header("age"), "a gateway has its own")

    def test_only_if_it_is_there(self):
        params = {"samples": 1000, "seed": 8}
        self.assertProblem(self.compute(params, Cache_Control="only-if-cached"), 504)
        self.compute(params, Cache_Control="no-store")
        self.assertProblem(self.compute(params, Cache_Control="only-if-cached"), 504)
        self.compute(params)
        self.assertEqual(self.compute(params, Cache_Control="only-if-cached").status, 200)


class Few(BreakingTest):
    def test_parts_follow_from_what_a_record_may_be(self):
        cluster = self.start(item_workers=0, worker_environment={"ROUNDTRIP_KAFKA_MESSAGE_MAX_BYTES": "20000"})
        view = {**LARGE, "width": 480, "height": 270, "max_iterations": 500}
        result = cluster.http(0, 60 * SLACK).post("/computations/", {"kind": "mandelbrot", "params": view}, Prefer="wait=30").json()["result"]
        self.assertGreater(result["bytes"], 50_000)
        check_png(self, cluster.http(0, 60 * SLACK).get(result["href"]).body, 480, 270)
        parts = [r for r in self.all_events(cluster) if (r.key or b"").startswith(b"__part/")]
        self.assertEqual([len(r.value) for r in parts], [10_000] * (result["bytes"] // 10_000) + [result["bytes"] % 10_000])

    @staticmethod
    def all_events(cluster):
        log = Watch(cluster.bootstrap, "compute.events", from_beginning=True)
        while not any((r.text("reply-result") or "").count("/") > 1 for r in log.seen):
            log.poll(1)
        log.close()
        return log.seen

    def test_only_so_many_are_sent_at_once(self):
        cluster = self.start(gateway_flags=["--results", "1", "--deadline", "60s", "--idle-timeout", "5s"])
        http = cluster.http(0, 60 * SLACK)
        href = http.post("/computations/", {"kind": "mandelbrot", "params": LARGE}).json()["result"]["href"]
        slow = Http(cluster.port(), 60 * SLACK)
        slow.connection.request("GET", href)
        answer = slow.connection.getresponse()
        self.assertEqual(answer.status, 200)
        refused = http.get(href)
        self.assertEqual((refused.status, refused.header("retry-after")), (503, "1"))
        self.assertEqual(len(answer.read()), int(answer.getheader("content-length")))
        self.assertEqual(http.get(href).status, 200)
        slow.close()
        http.close()
