# SPDX-License-Identifier: Apache-2.0
"""Every kind of computation over HTTP, its bounds, and the memory that computations may have."""

import math
import random
import statistics
import struct
import threading
import time
import zlib

from cluster import ClusterTest
from processes import SANITIZED, SLACK

VIEW = {"width": 64, "height": 48, "center_x": -0.5, "center_y": 0, "scale": 3, "max_iterations": 200}
MIB = 1 << 20


class Kinds(ClusterTest):
    options = {"gateway_flags": ["--deadline", "60s" if SANITIZED else "20s"]}

    def compute(self, kind, params, **headers):
        return self.http().post("/computations/", {"kind": kind, "params": params}, **headers)

    def result(self, kind, params):
        response = self.compute(kind, params)
        self.assertEqual(response.status, 200, response.body)
        self.assertGreater(response.json()["memory"]["peak_bytes"], 4096)
        return response.json()["result"]

    def test_matrix(self):
        """numpy has the same, from the entries as they are documented."""
        self.assertEqual(self.result("matrix", {"n": 300, "seed": 42}),
                         {"trace": 23161, "sum": 6553466, "squared_norm": 12988199060, "frobenius_norm": math.sqrt(12988199060)})

    def test_mandelbrot_is_a_picture(self):
        result = self.result("mandelbrot", VIEW)
        answer = self.http().get(result["href"])
        png = answer.body
        self.assertEqual((answer.status, answer.header("content-type")), (200, "image/png"))
        self.assertEqual((result["media_type"], result["bytes"]), ("image/png", len(png)))
        self.assertEqual(png[:8], b"\x89PNG\r\n\x1a\n")
        at, chunks = 8, {}
        while at < len(png):
            size, name = struct.unpack(">I4s", png[at:at + 8])
            data = png[at + 8:at + 8 + size]
            self.assertEqual(struct.unpack(">I", png[at + 8 + size:at + 12 + size])[0], zlib.crc32(name + data))
            chunks[name] = chunks.get(name, b"") + data
            at += 12 + size
        self.assertEqual(struct.unpack(">IIBB", chunks[b"IHDR"][:10]), (64, 48, 8, 3))
        rows = zlib.decompress(chunks[b"IDAT"])
        pixels = [rows[y * 65 + 1:y * 65 + 65] for y in range(48)]
        self.assertEqual(sum(row.count(0) for row in pixels), result["inside"])
        for y in (0, 10, 23, 40):
            for x in range(0, 64, 7):
                self.assertEqual(pixels[y][x], self.colour(x, y), (x, y))

    @staticmethod
    def colour(x, y):
        step = VIEW["scale"] / VIEW["width"]
        c = complex(VIEW["center_x"] + (x + 0.5 - 32) * step, VIEW["center_y"] + (24 - y - 0.5) * step)
        z = 0
        for n in range(VIEW["max_iterations"] + 1):
            if abs(z) > 2:
                return 1 + (n - 1) % 255
            z = z * z + c
        return 0

    def test_statistics(self):
        rng = random.Random(5)
        numbers = [rng.gauss(100, 15) for _ in range(10000)]
        rows = "id,value\r\n" + "".join(f'{i},"{value!r}"\r\n' for i, value in enumerate(numbers[:5000])) + "last,\r\n"
        by_array = self.result("statistics", {"numbers": numbers})
        by_csv = self.compute("statistics", {"csv": rows, "column_name": "value", "quantiles": [0.5]})
        self.assertEqual((by_csv.status, by_csv.json()["params"]), (200, {"column_name": "value", "quantiles": [0.5]}))
        by_csv = by_csv.json()["result"]
        self.assertEqual((by_csv["count"], by_csv["missing"], by_csv["max"]), (5000, 1, max(numbers[:5000])))
        self.assertAlmostEqual(by_csv["mean"], statistics.fmean(numbers[:5000]), places=9)
        self.assertEqual((by_array["count"], by_array["min"], by_array["max"]), (10000, min(numbers), max(numbers)))
        self.assertAlmostEqual(by_array["mean"], statistics.fmean(numbers), places=9)
        self.assertAlmostEqual(by_array["variance"], statistics.variance(numbers), places=7)
        ordered = sorted(numbers)
        for quantile in by_array["quantiles"]:
            exact = (len(numbers) - 1) * quantile["q"]
            rank = sum(value <= quantile["value"] for value in ordered)
            self.assertLess(abs(rank - exact), 10000 * 0.01 * math.sqrt(quantile["q"] * (1 - quantile["q"])) + 2, quantile)

    def test_wrong_numbers_are_said_with_their_place(self):
        problem = self.assertProblem(self.compute("statistics", {"csv": "1,2\n3,x\n", "column": 2}), 422)
        self.assertIn("line 2, column 2", problem["detail"])
        self.assertIn("element 2", self.assertProblem(self.compute("statistics", {"numbers": [1, "2"]}), 422)["detail"])

    def test_the_worker_names_the_bound(self):
        for kind, params, words in (("matrix", {"n": 5000, "seed": 1}, "from 1 to 4096"),
                                    ("mandelbrot", {**VIEW, "width": 4000, "height": 4000, "max_iterations": 10}, "at most 8294400"),
                                    ("mandelbrot", {**VIEW, "scale": -1}, "from 1e-12 to 16"),
                                    ("statistics", {"numbers": [1], "quantiles": [2]}, "from 0 to 1"),
                                    ("statistics", {}, "\"numbers\""),
                                    ("soup", {}, "primes, pi, matrix, mandelbrot, statistics")):
            with self.subTest(kind=kind, params=params):
                self.assertIn(words, self.assertProblem(self.compute(kind, params), 422)["detail"])

    def test_heavy_computation_of_another_weight(self):
        http = self.http()
        self.assertEqual(http.get("/heavy_computation/?n=1000000").body, b'{"message":"Heavy computation finished"}')
        self.assertIn("from 0 to 10000000000", self.assertProblem(http.get("/heavy_computation/?n=10000000001"), 422)["detail"])
        self.assertProblem(http.get("/heavy_computation/?n=many"), 422)
        self.assertProblem(http.get("/heavy_computation/?n=1&n=2"), 422)

    def test_a_running_one_tells_its_memory_and_stops_when_told(self):
        worker = self.cluster.compute_workers[0]
        accepted = self.compute("mandelbrot", {**VIEW, "width": 400, "height": 400, "scale": 0.1, "center_x": 0, "max_iterations": 100000},
                                Prefer="respond-async")
        operation = accepted.header("location")

        def memory():
            return self.http().get(operation).json().get("memory")
        told = self.wait_for("the operation to tell its memory", memory)
        self.assertTrue(0 < told["current_bytes"] <= told["peak_bytes"] < 64 * MIB, told)
        self.assertEqual(self.http().delete(operation).status, 202)

        def idle():
            before = worker.cpu_seconds()
            time.sleep(0.3)
            return worker.cpu_seconds() - before < 0.1
        self.wait_for("the worker to stop computing", idle, 3)


class Memory(ClusterTest):
    """40 MiB for all, 30 for one."""

    weight = 20
    plain = "megabytes of arithmetic; Kinds has each kernel with little"
    options = {"gateway_flags": ["--deadline", "60s"], "compute_workers": 0}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.worker_environment = {"ROUNDTRIP_MEMORY": "40MiB", "ROUNDTRIP_JOB_MEMORY": "30MiB", "ROUNDTRIP_POOL_THREADS": "4"}
        cls.worker = cls.cluster.add_compute_worker()

    def matrix(self, n, seed=1, **headers):
        return self.cluster.http(timeout=90).post("/computations/", {"kind": "matrix", "params": {"n": n, "seed": seed}}, **headers)

    def test_one_beyond_its_budget_is_refused_alone(self):
        self.assertEqual(self.matrix(100).status, 200)
        problem = self.assertProblem(self.matrix(2000), 422)
        self.assertIn("31457280 bytes", problem["detail"])
        self.assertIn("job-memory", problem["detail"])
        self.assertEqual(self.matrix(100).status, 200)

    def test_many_at_once_never_exceed_the_total(self):
        """Two of them fit, four could run: all end well, and the system has the memory back."""
        self.assertEqual(self.matrix(1500).status, 200)
        before, largest, statuses = self.worker.resident(), 0, []
        threads = [threading.Thread(target=lambda seed=seed: statuses.append(self.matrix(1500, seed, Prefer="wait=60").status))
                   for seed in range(6)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            largest = max(largest, self.worker.resident())
            time.sleep(0.005)
        self.assertEqual(statuses, [200] * 6)
        if not SANITIZED:
            self.assertGreater(largest, before + 15 * MIB)
            self.assertLess(largest, before + 44 * MIB)
            self.assertLess(self.worker.resident(), before + 4 * MIB)

    def test_no_room_in_time_is_503(self):
        """One fits at a time: who does not get to its turn is told what was missing, and can come again. How many that
        takes follows from what one costs here."""
        self.assertEqual(self.matrix(1700, 100).status, 200)
        began = time.monotonic()
        self.assertEqual(self.matrix(1700, 101).status, 200)
        cost = max(time.monotonic() - began, 0.02)
        limit = min(math.ceil(3 * cost), 55)
        operations = [self.matrix(1700, seed, Prefer="respond-async", Request_Timeout=str(limit)).header("location")
                      for seed in range(min(math.ceil(4 * limit / cost), 200))]
        self.assertNotIn(None, operations)
        ended = [self.cluster.http(timeout=90).get(operation, Prefer="wait=30").json() for operation in operations]
        statuses = [one["status"] for one in ended]
        self.assertLessEqual(set(statuses), {200, 503, 504})
        self.assertIn(200, statuses)
        full = [one for one in ended if one["status"] == 503]
        self.assertTrue(full, statuses)
        for one in full:
            self.assertIn("41943040 bytes of memory for computations (memory) are in use", one["result"]["detail"])
            self.assertTrue(one["repeatable"])
        self.assertEqual(self.matrix(1700, Prefer="wait=60").status, 200)
