# SPDX-License-Identifier: Apache-2.0
"""Large computations over all workers: the same result, what is told of them while they run, and what stops them."""

import threading
import time
import urllib.parse

import metrics
from cluster import BreakingTest, ClusterTest
from kafka_client import Direct, Watch
from metrics import admin_of
from processes import SANITIZED, SLACK

PRIMES = {100_000_000: 5_761_455, 200_000_000: 11_078_937, 2_000_000_000: 98_222_287}
SPIRAL = {"width": 300, "height": 200, "center_x": -0.743644786, "center_y": 0.1318252536, "scale": 3e-5, "max_iterations": 3000}
DAYS = {"kind": "pi", "params": {"samples": 90_000_000_000, "seed": 1}}  # some 18 minutes of work
ADMIN = ["--admin-port", "0"]


def parts_of(worker):
    """Parts that it has computed since it was started."""
    return read(worker).sum("roundtrip_handler_duration_seconds_count", roundtrip_command_type="compute.part")


def read(worker):
    http = admin_of(worker)
    try:
        return metrics.scrape(http)
    finally:
        http.close()


def start(http, kind, params, **headers):
    return http.post("/computations/", {"kind": kind, "params": params}, **headers)


def quantile(times, q):
    return 1000 * sorted(times)[int(q * (len(times) - 1))]


class Spread(ClusterTest):
    """Two workers with a thread for each lane, and parts of at most 100 ms."""

    weight = 60
    options = {"compute_workers": 2, "item_workers": 0, "gateway_flags": ["--deadline", "120s"], "worker_flags": ADMIN + ["--pool-threads", "1"],
               "worker_environment": {"ROUNDTRIP_CHECKPOINT_INTERVAL": "100ms"}}

    def compute(self, kind, params, **headers):
        return start(self.http(), kind, params, **headers)

    def begin(self, body):
        """One that runs on both workers; its operation."""
        where = self.compute(body["kind"], body["params"], Prefer="respond-async").header("location")
        self.wait_for("both workers to compute", lambda: all(self.computing()), 20)
        return where

    def computing(self):
        """Parts that run in each worker."""
        return [self.running(worker) for worker in self.cluster.compute_workers]

    @staticmethod
    def running(worker):
        return sum(read(worker).one("roundtrip_pool_tasks", state="running", roundtrip_lane=lane) for lane in ("short", "long"))

    def until_free(self):
        """Milliseconds until no thread computes any more."""
        began = time.monotonic()
        self.wait_for("the threads to be free", lambda: sum(self.computing()) == 0, 2)
        return 1000 * (time.monotonic() - began)

    def test_two_workers_compute_one_job(self):
        n, count = 2_000_000_000, PRIMES[2_000_000_000]
        before = [parts_of(worker) for worker in self.cluster.compute_workers]
        answer = self.compute("primes", {"n": n})
        self.assertEqual((answer.status, answer.json().get("result")), (200, {"count": count}), answer.body)
        shares = [parts_of(worker) - was for worker, was in zip(self.cluster.compute_workers, before)]
        print(f"fan-out: parts of each worker: {shares[0]:.0f}, {shares[1]:.0f}", flush=True)
        self.assertGreaterEqual(sum(shares), n * 1.1 / 100e6, "each at most 100 ms of estimated cost")
        self.assertGreater(min(shares), sum(shares) / 10)
        work_ms = float(answer.header("server-timing").partition("=")[2])
        self.assertGreater(work_ms, 100, "of all workers together")

    def test_progress_never_goes_back(self):
        where = self.compute("primes", {"n": 2_000_000_000}, Prefer="respond-async").header("location")
        told = []

        def done():
            operation = self.http().get(where).json()
            told.append(operation.get("progress"))
            return operation["state"] != "running" and operation["state"] != "pending"
        self.wait_for("its end", done, 60)
        known = [progress for progress in told if progress is not None]
        self.assertEqual(known, sorted(known))
        self.assertGreater(len({progress for progress in known if 0 < progress < 1}), 3, told)
        self.assertEqual(self.http().get(where).json()["result"]["result"], {"count": PRIMES[2_000_000_000]})

    def test_a_cancel_reaches_the_parts(self):
        where = self.begin(DAYS)
        self.assertEqual(self.http().delete(where).status, 202)
        took_ms = self.until_free()
        print(f"fan-out: free {took_ms:.0f} ms after a cancel", flush=True)
        self.assertLess(took_ms, 100 + 500 * SLACK)
        operation = self.http().get(where, Prefer="wait=10").json()
        self.assertEqual((operation["state"], operation["status"]), ("failed", 409), operation)
        self.assertIn("cancelled", operation["result"]["detail"])
        time.sleep(0.5)
        self.assertEqual(sum(self.computing()), 0, "nothing is sent again")

    def test_the_deadline_stops_the_parts(self):
        self.assertProblem(self.compute(DAYS["kind"], DAYS["params"], Prefer="wait=2"), 504)
        took_ms = self.until_free()
        print(f"fan-out: free {took_ms:.0f} ms after an answer that the deadline has passed", flush=True)
        self.assertLess(took_ms, 100 + 500 * SLACK)
        time.sleep(0.5)
        self.assertEqual(sum(self.computing()), 0, "nothing is sent again")

    def test_many_jobs_and_one_thread(self):
        """More than there are partitions, and than there are threads: those that wait for parts never keep them from running."""
        sizes, answers = [100_000_000, 200_000_000] * (6 if SANITIZED else 12), {}

        def one(number):
            answers[number] = start(self.cluster.http(timeout=150), "primes", {"n": sizes[number]})
        threads = [threading.Thread(target=one, args=(number,)) for number in range(len(sizes))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([answers[i].status for i in range(len(sizes))], [200] * len(sizes), [answer.body for answer in answers.values()])
        self.assertEqual([answers[i].json()["result"]["count"] for i in range(len(sizes))], [PRIMES[size] for size in sizes])

    def short(self, count=100):
        times = []
        for _ in range(count):
            began = time.monotonic()
            self.assertEqual(self.compute("primes", {"n": 1_000_000}).status, 200)
            times.append(time.monotonic() - began)
        return times

    def test_short_ones_beside_long_ones(self):
        self.short(10)
        idle = self.short()
        begun = [self.begin(DAYS) for _ in range(4)]
        full = self.short()
        for where in begun:
            self.http().delete(where)
        self.until_free()
        print("fan-out: short computations, p50/p99 ms: idle pool " + "/".join(f"{quantile(idle, q):.1f}" for q in (0.5, 0.99)) +
              ", full of long ones " + "/".join(f"{quantile(full, q):.1f}" for q in (0.5, 0.99)), flush=True)
        self.assertLess(quantile(full, 0.5), 500 * SLACK)
        self.assertLess(quantile(full, 0.99), 2000 * SLACK)

    def test_nobody_sees_parts(self):
        events = Watch(self.cluster.bootstrap, "compute.events")
        replies = Watch(self.cluster.bootstrap, "replies.direct")
        self.addCleanup(events.close)
        self.addCleanup(replies.close)
        made = self.compute("primes", {"n": 200_000_000}).json()
        part = events.find(lambda record: (record.text("ce_id") or "").startswith("part/"))
        self.assertIsNotNone(part, "the outcome of a part is kept")
        key = part.text("ce_subject") or part.key.decode()
        reply = Direct(self.cluster.bootstrap).call(replies, "compute.commands", key, headers={"ce_type": "compute.get", "ce_id": "a-look"})
        self.assertEqual(reply.text(":status"), "404")
        self.assertIn(self.http().get("/computations/" + urllib.parse.quote(key, safe="")).status, (400, 404))
        where = self.begin(DAYS)
        listed = self.http().get("/computations/?limit=100").json()["computations"]
        self.assertIn(made["id"], {one["id"] for one in listed})
        self.assertIn(where.rpartition("/")[2], {one["operation"] for one in listed})
        self.assertEqual([one for one in listed if "part/" in str(one)], [])
        self.http().delete(where)
        self.until_free()


class Whole(BreakingTest):
    """What comes of parts, against the same in one piece."""

    weight = 20
    jobs = [("primes", {"n": 100_000_000}), ("pi", {"samples": 20_000_000, "seed": 7}), ("matrix", {"n": 1000, "seed": 3}),
            ("mandelbrot", SPIRAL)]

    def answers(self, interval, workers):
        """Of each job, all that does not depend on time; of a picture, its bytes too."""
        cluster = self.start(compute_workers=workers, item_workers=0, gateway_flags=["--deadline", "120s"], worker_flags=ADMIN,
                             worker_environment={"ROUNDTRIP_CHECKPOINT_INTERVAL": interval})
        http, found = cluster.http(timeout=150), []
        for kind, params in self.jobs:
            answer = start(http, kind, params)
            self.assertEqual(answer.status, 200, answer.body)
            state = answer.json()
            self.assertEqual(http.get(f"/computations/{state['id']}").body, answer.body)
            picture = http.get(state["result"].pop("href")).body if kind == "mandelbrot" else b""
            found.append((kind, state["params"], answer.body[answer.body.index(b'"result"'):answer.body.index(b',"elapsed_ms"')]
                          if not picture else state["result"], picture))
        return found, [parts_of(worker) for worker in cluster.compute_workers]

    def test_the_same_byte_for_byte(self):
        cut, parts = self.answers("20ms", 2)
        whole, none = self.answers("1h", 1)
        self.assertEqual(cut, whole)
        self.assertGreater(min(parts), 0)
        self.assertGreater(sum(parts), 15)
        self.assertEqual(none, [0])
