# SPDX-License-Identifier: Apache-2.0
"""A whole Roundtrip for one test class: a broker of its own, topics, gateways, workers."""

import os
import pathlib
import shutil
import subprocess
import sys
import unittest

import http_client
import remote
from processes import BROKER, BUILD, ROOT, Kafka, Process, scratch_folder, wait_for

REPLY_TOPICS = "replies,replies.direct,private.replies"


class Cluster:
    """`template`: also runs the third worker of tests/template-worker."""

    def __init__(self, gateways=1, item_workers=1, compute_workers=1, gateway_flags=(), worker_flags=(), broker=BROKER,
                 template=False, trial_workers=0, worker_environment=None):
        self.scratch = scratch_folder()
        self.folder = pathlib.Path(self.scratch.name)
        self.kind = broker
        self.wanted = (gateways, item_workers, compute_workers, template)
        self.gateway_flags, self.worker_flags = list(gateway_flags), list(worker_flags)
        self.worker_environment = worker_environment or {}
        self.tls = None  # the context for a gateway that speaks https
        self.trial_workers_wanted, self.trial_workers = trial_workers, []
        self.trial = self.folder / "trial"  # the trial workers' dependency
        self.broker = None
        self.bootstrap, self.security = None, []
        self.gateways, self.item_workers, self.compute_workers, self.others = [], [], [], []
        self.everything = []

    # ---- starting ----

    def start(self):
        self.start_broker()
        gateways, item_workers, compute_workers, template = self.wanted
        for _ in range(item_workers):
            self.add_item_worker(wait=False)
        for _ in range(compute_workers):
            self.add_compute_worker(wait=False)
        if template:
            self.others.append(self.add("note-worker", BUILD / "tests/template-worker/roundtrip-note-worker"))
        for _ in range(self.trial_workers_wanted):
            self.add_trial_worker(wait=False)
        for _ in range(gateways):
            self.add_gateway(wait=False)
        for process in self.everything:
            process.wait_ready()
        return self

    def services(self):
        return "item,compute" + (",note" if self.wanted[3] else "") + (",trial" if self.trial_workers_wanted else "")

    def start_broker(self, topics=True):
        if self.kind.startswith("kafka"):
            self.broker = Kafka(self.folder / "kafka", self.kind == "kafka-bench", self.kind == "kafka-secure",
                                3 if self.kind == "kafka-three" else 1).start()
            self.bootstrap = self.broker.bootstrap
            self.security = [word for name, value in self.broker.security().items() for word in (f"--kafka.{name}", value)]
            if not topics:
                return
            subprocess.run([str(BUILD / "deploy/roundtrip-topics"), "--kafka", self.bootstrap, "--services", self.services(),
                            "--reply-topics", REPLY_TOPICS, "--replication", "3" if self.kind == "kafka-three" else "-1", *self.security], check=True, capture_output=True, timeout=120)
            return
        self.broker = Process("broker", [BUILD / "deploy/roundtrip-embedded-broker", "--services", self.services(),
                                         "--reply-topics", REPLY_TOPICS], self.folder).start().wait_ready()
        self.bootstrap = self.broker.ready_path.read_text().strip()

    def common(self, name, bootstrap=None):
        flags = ["--kafka", bootstrap or self.bootstrap, "--instance-id", name, "--log-level", os.environ.get("ROUNDTRIP_TEST_LOG", "info")]
        if self.kind == "embedded":
            flags += (ROOT / "deploy/embedded-broker/client-flags").read_text().split()
        return flags + self.security

    def add(self, name, program, flags=(), wait=False, bootstrap=None):
        process = Process(name, [program] + self.common(name, bootstrap) + list(flags), self.folder)
        if "gateway" not in name:
            process.arguments += ["--state-dir", str(self.state_dir(name))]
            process.environment = self.worker_environment
        self.everything.append(process)
        process.start()
        return process.wait_ready() if wait else process

    def state_dir(self, name):
        return self.folder / "state" / name

    def add_item_worker(self, wait=True, bootstrap=None):
        """`bootstrap`: another way to the broker than its own address, such as a proxy."""
        name = f"item-worker-{len(self.item_workers) + 1}"
        self.item_workers.append(
            self.add(name, BUILD / "item-worker/roundtrip-item-worker", self.worker_flags, wait, bootstrap))
        return self.item_workers[-1]

    def add_compute_worker(self, wait=True):
        name = f"compute-worker-{len(self.compute_workers) + 1}"
        self.compute_workers.append(
            self.add(name, BUILD / "compute-worker/roundtrip-compute-worker", self.worker_flags, wait))
        return self.compute_workers[-1]

    def add_trial_worker(self, wait=True):
        name = f"trial-worker-{len(self.trial_workers) + 1}"
        self.trial.mkdir(exist_ok=True)
        self.worker_environment = {**self.worker_environment, "TRIAL_DIR": str(self.trial)}
        self.trial_workers.append(
            self.add(name, BUILD / "tests/trial-worker/roundtrip-trial-worker", self.worker_flags, wait))
        return self.trial_workers[-1]

    def add_gateway(self, wait=True, flags=()):
        name = f"gateway-{len(self.gateways) + 1}"
        self.gateways.append(self.add(name, BUILD / "gateway/roundtrip-gateway",
                                      ["--port", "0"] + self.gateway_flags + list(flags), wait))
        return self.gateways[-1]

    # ---- using ----

    def port(self, gateway=0):
        return self.ports(gateway)[0]

    def admin_port(self, gateway=0):
        return self.ports(gateway)[1]

    def ports(self, gateway):
        """Of clients and, with --admin-port, of operators: a line of the ready file each."""
        lines = self.gateways[gateway].ready_path.read_text().splitlines()
        return [int(line.rstrip("/").rsplit(":", 1)[1]) for line in lines]

    def http(self, gateway=0, timeout=30.0):
        return http_client.Http(self.port(gateway), timeout, self.tls)

    def restart(self, process, kill=False, wipe_state=False):
        if kill:
            process.kill()
        else:
            process.stop()
        if wipe_state:
            shutil.rmtree(self.state_dir(process.name), ignore_errors=True)
        process.start().wait_ready()

    def supervise(self):
        """Restarts what ended by itself saying that it must be restarted, as any supervisor would."""
        for process in self.item_workers + self.compute_workers + self.gateways:
            if process.wanted and not process.running() and "must be restarted" in process.tail():
                process.start()

    # ---- ending ----

    def stop(self):
        """Stops all. The faults found on the way: exit codes, sanitizer reports."""
        faults = []
        for group in (self.gateways, self.item_workers, self.compute_workers, self.trial_workers, self.others):
            for process in group:
                was_running = process.running()
                try:
                    code = process.stop()
                except AssertionError as error:
                    faults.append(str(error))
                    continue
                if was_running and code != 0:
                    faults.append(f"{process.name} ended with {code}\n{process.tail()}")
        if self.kind.startswith("kafka") and self.broker:
            self.broker.stop()
        elif self.broker:
            self.broker.stop()
        programs = self.everything + [self.broker] if self.kind == "embedded" and self.broker else self.everything
        for process in programs:
            if process.reports():
                faults.append(f"{process.name}: sanitizer report\n{process.tail(120)}")
        return faults

    def show_logs(self):
        for process in self.everything:
            print(process.tail(), file=sys.stderr)

    def clean(self):
        self.scratch.cleanup()


class ClusterTest(unittest.TestCase):
    """A test class with one cluster for all its tests, its own unless it is told of another (remote.py). Override `options`."""

    options = {}
    cluster = None

    @classmethod
    def setUpClass(cls):
        cls.cluster = remote.Remote() if remote.VARIABLE in os.environ else Cluster(**cls.options)
        try:
            cls.cluster.start()
        except BaseException:
            cls.cluster.show_logs()
            cls.cluster.stop()
            cls.cluster.clean()
            raise

    @classmethod
    def tearDownClass(cls):
        faults = cls.cluster.stop()
        cls.cluster.clean()
        if faults:
            raise AssertionError("\n".join(faults))

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before and self.cluster:
            self.cluster.show_logs()

    def http(self, gateway=0):
        client = self.cluster.http(gateway)
        self.addCleanup(client.close)
        return client

    def wait_for(self, what, condition, seconds=10.0):
        return wait_for(what, condition, seconds)

    def assertProblem(self, response, status, detail=None):
        """An RFC 9457 problem with that status, whose detail is `detail` or at least a sentence."""
        self.assertEqual(response.status, status, response.body)
        self.assertTrue(response.header("content-type", "").startswith("application/problem+json"), response.headers)
        problem = response.json()
        self.assertEqual(problem["status"], status)
        self.assertTrue(problem["title"])
        if detail is None:
            self.assertGreater(len(problem["detail"]), 10)
        else:
            self.assertEqual(problem["detail"], detail)
        return problem


class BreakingTest(unittest.TestCase):
    """Tests that break their cluster, so that each starts one of its own."""

    def start(self, **options):
        cluster = Cluster(**options)
        self.addCleanup(cluster.clean)
        self.addCleanup(lambda: self.assertEqual(cluster.stop(), []))
        try:
            return cluster.start()
        except BaseException:
            cluster.show_logs()
            raise
