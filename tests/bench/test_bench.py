#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The benchmark's arithmetic, by figures that can be reckoned by hand. Needs no Kafka."""
import math
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import fits  # pylint: disable=wrong-import-position
import growth_report  # pylint: disable=wrong-import-position
import report  # pylint: disable=wrong-import-position


def result(rate, p50_us=1000.0, p99_us=2000.0, gateway=30.0, worker=20.0, **more):
    return {"rate": rate, "p50_us": p50_us, "p99_us": p99_us, "p999_us": 3 * p50_us, "count": 100, "errors": 0, "noise": 0.0, "bytes": 500.0,
            "cpu": {"gateway": gateway, "worker": worker, "broker": 10.0, "client": 5.0}, "rss": {"gateway": 20.0, "worker": 15.0}, **more}


class Ratios(unittest.TestCase):
    def test_of_pairs_not_of_medians(self):
        mean, low, high = report.ratios([result(200), result(50)], [result(100), result(100)], "rate")
        self.assertAlmostEqual(mean, 1.0)  # twice and half
        self.assertEqual((low, high), (0.5, 2.0))

    def test_a_difference_stands_out_only_when_all_pairs_agree(self):
        self.assertEqual(report.verdict(1.1, 1.05, 1.2), "+10.0 %")
        self.assertEqual(report.verdict(0.9, 0.8, 0.99), "-10.0 %")
        self.assertIn("within the spread", report.verdict(1.1, 0.99, 1.3))

    def test_against_a_build(self):
        measured = {("get", 64, "old"): [result(100), result(100)], ("get", 64, "roundtrip"): [result(110, gateway=10), result(120, gateway=10)]}
        lines = report.against_table(measured, "roundtrip", "old").splitlines()
        self.assertEqual(len(lines), 2 + 4)
        self.assertIn("| get | 64 | answers/s | 1.149 | 1.100 … 1.200 | +14.9 % |", lines)
        self.assertIn("| get | 64 | CPU of gateway and workers | 0.600 | 0.600 … 0.600 | -40.0 % |", lines)


class Table(unittest.TestCase):
    def test_a_row_beside_its_floor(self):
        text = report.table({("get", 1, "floor"): [result(2000, 500, 1000)], ("get", 1, "roundtrip"): [result(1000, 600, 3000), result(3000, 800, 3000)]})
        ours = text.splitlines()[-1]
        self.assertIn("| 2,000 | 0.70 | 3.00 |", ours)  # medians of both rounds
        self.assertIn("| 1.00, 1.40, 3.00 |", ours)
        self.assertIn("gateway 30.0 / worker 20.0 / broker 10.0 / client 5.0", ours)

    def test_a_target_that_answers_nothing(self):
        nothing = result(0, math.inf, math.inf, gateway=1e6)
        measured = {("get", 1, "floor"): [result(2000)], ("get", 1, "a"): [nothing, nothing, result(1)], ("get", 2, "a"): [result(9)]}
        self.assertIn("| a | 0 | - | - | - | 0.00, -, - | gateway 30.0 / worker 20.0 / broker 10.0 / client 5.0 | 500 |", report.table(measured))
        self.assertEqual(report.points_of(measured, "get", "p50_us")["a"], [(1, 1000, 1000, 1000), (2, 1000, 1000, 1000)])
        self.assertEqual(report.points_of({("get", 1, "a"): [nothing]}, "get", "p50_us"), {})
        self.assertIn("| a | 5 | 0 | - | - | - | - | 0 |", report.open_table({("get", 0.5, "a"): [{**nothing, "offered": 5}]}))

    def test_points_are_medians_with_their_range(self):
        points = report.points_of({("get", 64, "a"): [result(3), result(1), result(2)], ("post", 64, "a"): [result(9)]}, "get", "rate")
        self.assertEqual(points, {"a": [(64, 2, 1, 3)]})


class Aims(unittest.TestCase):
    HTTP = result(10_000, 50, gateway=5, worker=0)  # and 5 of the load generator and 10 of the broker's own doings

    def found(self, ours, floor, peer, opened=None):
        closed = {("get", 1, "roundtrip"): [ours], ("get", 1, "floor"): [floor], ("get", 1, "franz-go"): [peer],
                  ("get", 64, "roundtrip"): [ours], ("get", 64, "floor"): [floor], ("get", 64, "franz-go"): [peer]}
        lines = report.aims(closed, opened or {}, {1: [self.HTTP], 64: [self.HTTP]}, {"gateway": 20.0, "worker": 45.0}, "roundtrip", ["franz-go"], 2).splitlines()[2:]
        return [line.strip("| ").split(" | ") for line in lines]

    def test_floor_and_http_together(self):
        (bound,) = report.floor_and_http([result(2000, 500, gateway=0, worker=10)], [self.HTTP], 2)
        self.assertEqual(bound["p50_us"], 550)
        self.assertAlmostEqual(bound["rate"], 2e6 / 45)  # the floor's 10 + 10 + 5, HTTP's 5 + 10 + 5, on two cores
        self.assertEqual(report.own_cpu([bound]), 20)  # its worker, its driver in the gateway's place, HTTP's gateway
        self.assertIsNone(report.floor_and_http([result(1)], None, 2))

    def test_met_and_not_met(self):
        bare = result(2000, 500, gateway=0, worker=10)
        lines = self.found(result(1900, 650, gateway=10, worker=10), bare, result(1000, 1000, gateway=30, worker=20))
        self.assertEqual(lines, [["get, 1 connection: p50 / floor's", "at most 1.3", "1.30", "yes", "1.10"],
                                 ["get, 1 connection: p50 / best peer's", "at most 0.65", "0.65", "yes", "0.55"],
                                 ["get, 64 connections: answers/s / best peer's", "at least 1.8", "1.90", "yes", "44.44"],
                                 ["get, 64 connections: CPU of gateway and worker / best peer's", "at most 0.5", "0.40", "yes", "0.40"],
                                 ["RSS at rest, MiB, the largest process", "at most 40", "45.00", "**no**", "-"]])
        lines = self.found(result(1700, 900), result(1790, 610, gateway=0, worker=30), result(25_000, 1000))
        self.assertEqual([line[3:] for line in lines], [["**no**", "1.08"], ["**no**", "0.66: beyond it"], ["**no**", "1.23: beyond it"],
                                                        ["**no**", "0.80: beyond it"], ["**no**", "-"]])

    def test_half_of_saturation(self):
        opened = {("get", 0.5, name): [result(1, p99_us=p99)] for name, p99 in (("roundtrip", 3000), ("floor", 1600), ("franz-go", 2000))}
        lines = self.found(result(1), result(1), result(1), opened)
        self.assertIn(["get, half of saturation: p99 / floor's", "at most 2", "1.88", "yes", "-"], lines)
        self.assertIn(["get, half of saturation: p99 / best peer's", "at most 1", "1.50", "**no**", "0.80"], lines)

    def test_what_one_answer_consists_of(self):
        closed = {("get", 1, "roundtrip"): [result(1, 700)], ("get", 1, "floor"): [result(1, 500)]}
        self.assertIn("get at 1 connection: 0.700 ms are the floor's 0.500, HTTP's 0.050, and 0.150 of the rest: 1.27 x",
                      report.parts_of_one(closed, [{"p50_us": 40}, {"p50_us": 60}], "roundtrip"))

    def test_what_was_not_measured_is_left_out(self):
        self.assertEqual(report.aims({("get", 1, "roundtrip"): [result(1)]}, {}, {}, {}, "roundtrip", []), "")


WIGGLE = (1.0, -1.0)  # two rounds: what is fitted goes through their middle


class Fits(unittest.TestCase):
    @staticmethod
    def points(cost, sizes=(1000, 10_000, 100_000, 1_000_000)):
        """Two rounds of each size, a unit above and below."""
        return [(x, cost(x) + off) for x in sizes for off in WIGGLE]

    def test_a_line_by_hand(self):
        self.assertEqual(fits.line([0, 1, 2, 3], [1, 3, 5, 7]), (1.0, 2.0))
        intercept, slope = fits.line([0, 1, 2], [0, 0, 3])  # means 1 and 1; 3 over 2
        self.assertAlmostEqual(slope, 1.5)
        self.assertAlmostEqual(intercept, -0.5)

    def test_the_criterion_by_hand(self):
        self.assertAlmostEqual(fits.aicc(8.0, 8, 2), 8 * 0 + 4 + 12 / 5)
        self.assertAlmostEqual(fits.aicc(8.0, 8, 3), 8 * 0 + 6 + 24 / 4)  # a slope must save 5.6: half of the residuals, here
        _, slope, value = fits.fit([(1, 9.0), (1, 11.0), (2, 9.0), (2, 11.0), (3, 9.0), (3, 11.0)], fits.LINEAR)
        self.assertAlmostEqual(slope, 0.0)
        self.assertAlmostEqual(value, 6 + 24 / 2)  # residuals: six of 1

    def test_flat(self):
        self.assertEqual(fits.verdict(self.points(lambda x: 100.0), "µs", 1000, "items"), "flat")

    def test_linear_says_how_much(self):
        self.assertEqual(fits.verdict(self.points(lambda x: 100 + 0.003 * x), "µs", 1000, "items"), "linear: 3 µs per 1,000 items")

    def test_logarithmic_says_how_much(self):
        points = self.points(lambda x: 50 + 20 * math.log10(1 + x))
        self.assertEqual(fits.verdict(points, "µs", 1000, "items"), "logarithmic: 20 µs with each tenfold")

    def test_what_begins_at_nothing(self):
        points = self.points(lambda x: 100 + 0.05 * x, (0, 1000, 10_000))
        self.assertEqual(fits.verdict(points, "µs", 1000, "dead letters"), "linear: 50 µs per 1,000 dead letters")

    def test_what_falls_does_not_grow(self):
        self.assertEqual(fits.verdict(self.points(lambda x: 200 - 20 * math.log10(1 + x)), "µs", 1000, "items"),
                         "falls, logarithmic: 20 µs less with each tenfold")

    def test_a_growth_within_the_noise_is_none(self):
        """By 1 over all sizes, between rounds that are 20 apart."""
        points = [(x, 100 + step / 3 + off) for step, x in enumerate((10, 100, 1000, 10_000)) for off in (10, -10)]
        self.assertEqual(fits.choose(points)[0], fits.FLAT)

    def test_a_growth_that_matters_to_nobody_is_none(self):
        """Exactly linear, but by 0.9 % in all."""
        self.assertEqual(fits.choose([(x, 100 + x / 1e6) for x in (1000, 10_000, 100_000, 900_000) for _ in range(2)])[0], fits.FLAT)

    def test_two_sizes_or_four_points_tell_nothing(self):
        self.assertIsNone(fits.choose([(1, 1.0), (2, 5.0)] * 4))
        self.assertEqual(fits.verdict([(1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0)], "s", 1, "items"), "too few points to tell")

    def test_shapes_that_fit_nearly_as_well_are_named(self):
        """Sizes so near each other that a logarithm is a line."""
        points = self.points(lambda x: 2.0 * x, (100, 105, 110, 115))
        self.assertEqual(fits.choose(points)[2], [fits.LOGARITHMIC])
        self.assertTrue(fits.verdict(points, "µs", 10, "x").endswith("(logarithmic fits nearly as well)"))


class Growth(unittest.TestCase):
    @staticmethod
    def measured(cpu, **more):
        return {"cpu_us": cpu, "p50_us": 1000.0, "p99_us": 4000.0, "noise": 0.02, **more}

    def rows(self, **more):
        by_size = {size: [self.measured(100 + size / 100 + off, **more) for off in WIGGLE] for size in (1000, 10_000, 100_000)}
        return list(growth_report.tables({("items", "get"): by_size}, "items"))

    def test_medians_and_a_verdict_of_each_cost(self):
        rows = self.rows()
        self.assertIn("| get | 10,000 | 200.00 | 1.00 | 4.00 | 2 % |", rows)
        self.assertEqual(rows[-1], "| get | linear: 10 µs per 1,000 items | flat | flat |")

    def test_no_verdict_on_a_rate_that_was_not_kept(self):
        self.assertIn("none: the rate was not kept at 1,000, 10,000, 100,000", self.rows(rate=500.0, offered=1000.0)[-1])
        self.assertIn("linear", self.rows(rate=990.0, offered=1000.0)[-1])


if __name__ == "__main__":
    unittest.main()
