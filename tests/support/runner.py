# SPDX-License-Identifier: Apache-2.0
"""Runs the black-box test classes of one suite, some at a time, one line per test, and counts.

    runner.py --suite component|kafka [--jobs N] [--pattern TEXT] [--only-once] [--verbose]

Each class runs in a process of its own with a cluster of its own. When few of many fail, their classes run once more, one at a time: a
test that passes then is named as FLAKY and counted as passed, since a machine that stood still for seconds is no error of ours; one that
fails again has failed, and so has one in which a sanitizer reported something: that a race is rare makes it none the less one. A class that
says `once = "why"`, or a test with the decorator @once("why") of processes.py, runs in the suite component with the plain build only: what it
tests is no more ours, or no different, on another broker or under a sanitizer. --only-once runs just those: CI does so where the other runs
have all else. A class that says `plain = "why"` runs on each broker, but not under sanitizers: it waits or computes for long on paths that
quicker ones take as well. The end names what failed, was skipped or is flaky; the last line is "N passed, N failed, N skipped".
"""

import argparse
import concurrent.futures
import importlib.util
import inspect
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import unittest

SUPPORT = pathlib.Path(__file__).resolve().parent
TESTS = SUPPORT.parent
CLASS_SECONDS = 600  # or more, by the class' `limit_seconds`
RETRIED_MAX = 4  # classes; when more fail it is no accident
REPORTED = 3  # exit code of a class in which a sanitizer reported something


def load(path):
    sys.path.insert(0, str(SUPPORT))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_files(suite):
    """component runs tests/component; kafka the same ones on a real Kafka, and those that need one."""
    folders = ["component"] if suite == "component" else ["component", "kafka"]
    return [path for folder in folders for path in sorted((TESTS / folder).glob("test_*.py"))]


def chosen_tests(value, title, pattern, once, sanitized):
    """Names of a class' tests. `once`: "run" those of one run as well, "only" nothing else, "leave" them out."""
    plain = sanitized and getattr(value, "plain", None)
    names = []
    for name in unittest.defaultTestLoader.getTestCaseNames(value):
        why = getattr(value, "once", None) or getattr(getattr(value, name), "once", None)
        if pattern:
            if pattern in f"{title}.{name}":
                names.append(name)
        elif why and once == "leave":
            print(f"     {title}.{name} runs with the plain build on the embedded broker only: {why}")
        elif plain:
            print(f"     {title}.{name} runs with the plain build only: {plain}")
        elif why or once != "only":
            names.append(name)
    return names


def test_classes(suite, pattern, only_once):
    found = []
    sanitized = bool(os.environ.get("ROUNDTRIP_TEST_SANITIZER"))
    once = "only" if only_once else "run" if suite == "component" and not sanitized else "leave"
    for path in test_files(suite):
        for name, value in inspect.getmembers(load(path), inspect.isclass):
            if not issubclass(value, unittest.TestCase) or value.__module__ != path.stem:
                continue
            chosen = chosen_tests(value, f"{path.stem}.{name}", pattern, once, sanitized)
            if chosen:
                found.append((path, name, chosen, max(CLASS_SECONDS, getattr(value, "limit_seconds", 0)), getattr(value, "weight", len(chosen))))
    return [item[:4] for item in sorted(found, key=lambda item: -item[4])]


class LineResult(unittest.TestResult):
    """One JSON line per test on standard output."""

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def line(self, test, outcome, detail=""):
        seconds = time.monotonic() - getattr(self, "began", time.monotonic())
        print(json.dumps({"test": test.id(), "outcome": outcome, "seconds": seconds, "detail": detail}), flush=True)

    def addSuccess(self, test):
        self.line(test, "passed")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.line(test, "failed", self._exc_info_to_string(err, test))

    def addError(self, test, err):
        super().addError(test, err)
        self.line(test, "failed", self._exc_info_to_string(err, test))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.line(test, "skipped", reason)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            super().addSubTest(test, subtest, err)
            self.line(subtest, "failed", self._exc_info_to_string(err, test))


def run_class(path, name, tests):
    """In the child process. Told to end, it takes its cluster with it."""
    module = load(pathlib.Path(path))
    import processes  # load() has put its folder on the path

    def end(number, _):
        processes.stop_all()
        os._exit(128 + number)
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    suite = unittest.TestSuite(getattr(module, name)(test) for test in tests)
    result = LineResult()
    suite.run(result)
    return REPORTED if processes.REPORTED else 0 if result.wasSuccessful() else 1


def spawn(path, name, tests, limit):
    """A class in a process of its own: (a dict a test, what tests printed, its errors, whether a sanitizer reported something)."""
    command = [sys.executable, __file__, "--child", str(path), name, ",".join(tests)]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        out, err = child.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        child.terminate()
        try:
            out, err = child.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            child.kill()
            out, err = child.communicate()
        err += f"\nthe class took longer than {limit} s"
    lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    said = [line for line in out.splitlines() if not line.startswith("{")]
    reported = {line["test"].split(" ")[0].split(".")[-1] for line in lines}
    broken = any(line["outcome"] == "failed" and "setUpClass" in line["test"] for line in lines)
    for test in tests:  # what neither passed nor failed did not run: say so
        if test not in reported and not broken:
            lines.append({"test": f"{path.stem}.{name}.{test}", "outcome": "failed", "seconds": 0.0,
                          "detail": "it did not come to an end"})
    return lines, said, err, child.returncode == REPORTED


def show(line):
    mark = {"passed": "ok  ", "failed": "FAIL", "skipped": "SKIP"}[line["outcome"]]
    print(f"{mark} {line['test']} ({line['seconds']:.1f} s)" + (f"  {line['detail']}" if mark == "SKIP" else ""), flush=True)
    if line["outcome"] == "failed":
        print(line["detail"], flush=True)


def report(result, counts, verbose):
    lines, said, stderr, _ = result
    for text in said:  # what a test measured
        print(f"     {text}", flush=True)
    for line in lines:
        counts[line["outcome"]] += 1
        show(line)
    if stderr and any(line["outcome"] == "failed" for line in lines):
        print(stderr if verbose else stderr[-8000:], flush=True)


def failed_tests(result):
    return {line["test"] for line in result[0] if line["outcome"] == "failed"}


def retry(failures, counts, verbose):
    """Their classes once more; what is left failed is what fails now. Returns the second results, and the names of flaky tests."""
    flaky, results = [], []
    for job, first in failures:
        print(f"AGAIN {job[0].stem}.{job[1]}, alone", flush=True)
        again = spawn(*job)
        for outcome in counts:
            counts[outcome] -= sum(line["outcome"] == outcome for line in first[0])
        report(again, counts, verbose)
        flaky += sorted(failed_tests(first) - failed_tests(again))
        results.append(again)
    return results, flaky


def reason(detail):
    """The line that says what went wrong: where the last exception is named, not the end of the difference that follows it."""
    lines = detail.strip().splitlines() or ["?"]
    return next((line for line in reversed(lines) if re.match(r"[A-Za-z_.]+(Error|Exception|Exit|Failure): ", line)), lines[-1])


def recap(results, flaky):
    """What a reader of a long log looks for, at its end."""
    print("-- in the end", flush=True)
    for line in (line for result in results for line in result[0]):
        if line["outcome"] == "failed":
            print(f"FAIL {line['test']}: {reason(line['detail'])}", flush=True)
        elif line["outcome"] == "skipped":
            print(f"SKIP {line['test']}: {line['detail']}", flush=True)
    for test in flaky:
        print(f"FLAKY {test}: it failed among others and passed alone", flush=True)


def main():
    if len(sys.argv) > 1 and sys.argv[1] == "--child":
        sys.exit(run_class(sys.argv[2], sys.argv[3], sys.argv[4].split(",")))
    parser = argparse.ArgumentParser()
    parser.add_argument("--suite", choices=["component", "kafka"], required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only-once", action="store_true")
    parser.add_argument("--pattern", default="")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    os.environ["ROUNDTRIP_TEST_BROKER"] = "embedded" if arguments.suite == "component" else "kafka"
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    results, failures, flaky = [], [], []
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        jobs = {pool.submit(spawn, *job): job for job in test_classes(arguments.suite, arguments.pattern, arguments.only_once)}
        for job in concurrent.futures.as_completed(jobs):
            result = job.result()
            report(result, counts, arguments.verbose)
            if failed_tests(result) and not result[3]:
                failures.append((jobs[job], result))
            else:
                results.append(result)
    if len(failures) <= RETRIED_MAX and len(jobs) > len(failures):
        again, flaky = retry(failures, counts, arguments.verbose)
        results += again
    else:
        results += [result for _, result in failures]
    recap(results, flaky)
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    sys.exit(1 if counts["failed"] or not counts["passed"] else 0)


if __name__ == "__main__":
    main()
