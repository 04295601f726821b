# SPDX-License-Identifier: Apache-2.0
"""deploy/sizing: its defaults are the figures of tests/bench/README.md, and its numbers those of a calculation by hand."""

import pathlib
import re
import subprocess
import unittest

REPO = pathlib.Path(__file__).resolve().parents[2]


def numbers(*options):
    """what -> number or text, as printed."""
    text = subprocess.run([REPO / "deploy/sizing", *options], capture_output=True, text=True, check=True, timeout=10).stdout
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in text.splitlines()[2:]]
    return {row[0]: float(row[1].replace(",", "")) if re.fullmatch(r"[0-9.,]+", row[1]) else row[1] for row in rows}


def default(name):
    text = subprocess.run([REPO / "deploy/sizing", "--help"], capture_output=True, text=True, check=True, timeout=10).stdout
    return float(re.search(rf"--{name} N\s.*?\(default\s+([0-9.,]+)", text, re.S)[1].replace(",", ""))


class Sizing(unittest.TestCase):
    def test_defaults_are_what_was_measured(self):
        bench = (REPO / "tests/bench/README.md").read_text(encoding="utf-8")
        for load, name in (("get", "read"), ("post", "write")):
            row = re.search(rf"^\| {load} \| 64 \| roundtrip \|.* gateway ([0-9.]+) / worker ([0-9.]+) /.* broker ([0-9.]+) /", bench, re.M)
            for figure, process in zip(row.groups(), ("gateway", "worker", "broker")):
                self.assertEqual(default(f"{process}-{name}-us"), float(figure))
        replay = re.search(r"^\| without: the whole log \| [0-9.]+ \| ([0-9,]+) \|", bench, re.M)[1]
        self.assertEqual(default("replay-rate"), float(replay.replace(",", "")))
        copy = int(re.search(r"local copy (\d+) MiB\)", bench)[1])
        self.assertEqual(default("state-bytes"), round(copy * 2**20 / 1e6))
        parked = re.search(r"a parked request costs (\d+) KiB", (REPO / "gateway/README.md").read_text(encoding="utf-8"))[1]
        self.assertEqual(default("connection-kib"), float(parked))

    def test_bytes_are_those_of_the_page(self):
        page = (REPO / "deploy/SIZING.md").read_text(encoding="utf-8")
        get = re.search(r"^\| GET, 64 connections \| (\d+) \| - \| (\d+) \|$", page, re.M).groups()
        post = re.search(r"^\| POST, 64 connections \| (\d+) \| (\d+) \| (\d+) \|$", page, re.M).groups()
        names = ("read-command", "read-reply", "write-command", "write-event", "write-reply")
        self.assertEqual([default(f"{name}-bytes") for name in names], [float(n) for n in get + post])

    def test_by_hand(self):
        found = numbers("--rate", "1000000", "--writes", "0", "--items", "1000000", "--window-s", "600",
                        "--gateway-read-us", "39.5", "--worker-read-us", "32.5", "--broker-read-us", "74.1", "--replay-rate", "301982")
        self.assertEqual(found["gateways"], 18)                      # 39.5 cores / (4 x 0.6) = 16.5, and one
        self.assertEqual(found["item-workers"], 56)                  # 32.5 / 0.6 = 54.2, and one
        self.assertEqual(found["cores of brokers"], 247)             # 74.1 x (1 + 0.5 x 2) / 0.6
        self.assertEqual(found["brokers"], 16)
        self.assertEqual(found["GB/s written by clients"], 0.87)     # 338 + 536 bytes
        self.assertEqual(found["seconds until a worker without a copy serves"], 0.059)

    def test_more_takes_more_and_the_impossible_is_said(self):
        small, large = numbers("--rate", "100000", "--window-s", "60"), numbers("--rate", "200000", "--window-s", "60")
        for what in ("gateways", "item-workers", "cores of brokers", "GB/s written by clients", "million outcomes and items that workers know"):
            self.assertGreater(large[what], small[what], what)
        self.assertEqual(numbers("--writes", "50")["gateways"], "none is enough")
        self.assertEqual(numbers("--window-s", "86400")["takeovers within the callers' patience"], "no")


if __name__ == "__main__":
    unittest.main()
