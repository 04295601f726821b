# SPDX-License-Identifier: Apache-2.0
"""Runs the real programs with what the manifests give their containers, on a real Kafka: pods.py BUILT. Not in containers and without a
cluster: only addresses, ports and files are others. Topics are made, probes asked, requests answered, and a gateway is told to stop."""

import argparse
import functools
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

import manifests
import programs

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests/support"))
from processes import Kafka, scratch_folder, wait_for  # pylint: disable=wrong-import-position

SLACK = float(os.environ.get("ROUNDTRIP_TEST_SLACK", "1"))
KEY = "0123456789abcdef0123456789abcdef"  # what programs.with_files() writes into every secret


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def ask(port, method, path, body=None, key=None):
    """(status, body); status 0 where nobody answers."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        headers = {"Content-Type": "application/json"} if body else {}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        client.request(method, path, json.dumps(body) if body else None, headers)
        answer = client.getresponse()
        return answer.status, answer.read().decode()
    except OSError:
        return 0, ""
    finally:
        client.close()


class Pod:
    """One container's program, with its environment. `ordinal`: which one of a StatefulSet; `life`: which pod of that name."""

    def __init__(self, known, docs, workload, folder, kafka, ordinal=0, life=0):
        self.name, self.grace = manifests.name_of(workload), manifests.pod_of(workload).get("terminationGracePeriodSeconds", 30)
        self.container, self.folder = manifests.container_of(workload), folder / f"{manifests.name_of(workload)}-{ordinal}-{life}"
        self.folder.mkdir()
        programs.make_authority(self.folder)
        self.values, missing = programs.with_files(workload, manifests.environment(docs, workload), self.folder)
        assert not missing, missing
        if "ROUNDTRIP_API_KEYS" in self.values:
            digest = subprocess.run(["sha256sum"], input=KEY, capture_output=True, text=True, check=True).stdout.split()[0]
            pathlib.Path(self.values["ROUNDTRIP_API_KEYS"]).write_text(f"tester {digest}\n", encoding="utf-8")
        self.ports = {}
        for port, setting in (("operators", "ROUNDTRIP_ADMIN_PORT"), ("http", "ROUNDTRIP_PORT")):
            if setting in self.values:
                self.ports[port] = free_port()
                self.values[setting] = str(self.ports[port])
        self.values = {name: "127.0.0.1" if value == "0.0.0.0" else value for name, value in self.values.items()}
        if "ROUNDTRIP_STATE_DIR" in self.values:
            self.values["ROUNDTRIP_STATE_DIR"] = str(self.folder / "state")
        if workload["kind"] == "StatefulSet":
            self.values["ROUNDTRIP_INSTANCE_ID"] = f"{self.name}-{ordinal}"
        self.values.update(kafka)
        command = [known.path(known.of(workload)), *known.arguments(workload)]
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(command, env=self.values, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def probe(self, kind):
        get = self.container[kind]["httpGet"]
        return ask(self.ports[get["port"]], "GET", get["path"])[0]

    def tail(self):
        return (self.folder / "log").read_text(errors="replace")[-1500:]

    def end(self):
        """Its exit code; -9 where it had to be killed."""
        self.process.terminate()
        try:
            return self.process.wait(self.grace * SLACK)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(10)


def settings_of(kafka):
    """Where our Kafka is, and how one gets in: a cluster's name, password and copies are not ours."""
    found = {"ROUNDTRIP_KAFKA": kafka.bootstrap, "ROUNDTRIP_REPLICATION": "1"}
    for name, value in kafka.security().items():
        found["ROUNDTRIP_KAFKA_" + name.upper().replace(".", "_")] = value
    return found


def requests(gateway, key):
    status, text = ask(gateway.ports["http"], "POST", "/items/", {"id": 7, "name": "lamp", "description": "warm"}, key)
    assert status == 200, (status, text)
    assert ask(gateway.ports["http"], "GET", "/items/7", key=key)[0] == 200
    status, text = ask(gateway.ports["http"], "POST", "/computations/", {"kind": "primes", "params": {"n": 1000}}, key)
    assert status == 200 and json.loads(text)["result"]["count"] == 168, (status, text)
    if "ROUNDTRIP_API_KEYS" in gateway.values:
        assert ask(gateway.ports["http"], "GET", "/items/7")[0] == 401, "a client without a key"


class Callers:
    """Requests all the time, each on a connection of its own, and what did not go well."""

    def __init__(self, gateway, key):
        self.gateway, self.key, self.over, self.asked, self.failed, self.longest = gateway, key, threading.Event(), 0, [], 0.0
        self.threads = [threading.Thread(target=self.go, args=(n,)) for n in range(4)]
        for thread in self.threads:
            thread.start()

    def go(self, number):
        id = 1000 * (number + 1)
        while not self.over.wait(0.02):
            began, id = time.monotonic(), id + 1
            status, text = ask(self.gateway.ports["http"], "POST", "/items/", {"id": id, "name": "n", "description": "d"}, self.key)
            if status == 200:
                status, text = ask(self.gateway.ports["http"], "GET", f"/items/{id}", key=self.key)
            self.asked, self.longest = self.asked + 2, max(self.longest, time.monotonic() - began)
            if status != 200:
                self.failed.append((id, status, text))

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join(30)


def update_workers(start, workload, gateway, key, pods):
    """As a StatefulSet's update: one after the other ends, and one of the same name begins, with nothing on its disk."""
    workers = [pod for pod in pods if pod.name == manifests.name_of(workload)] + [start(workload, ordinal=1)]
    pods.append(workers[1])
    wait_for("the second worker is ready", lambda: workers[1].probe("readinessProbe") == 200, 30 * SLACK)
    callers = Callers(gateway, key)
    try:
        for ordinal in (1, 0):
            assert workers[ordinal].end() == 0, workers[ordinal].tail()
            pods[pods.index(workers[ordinal])] = pod = start(workload, ordinal=ordinal, life=1)
            wait_for(f"{pod.name}-{ordinal} is ready again", lambda pod=pod: pod.probe("readinessProbe") == 200, 30 * SLACK)
            time.sleep(workload["spec"]["minReadySeconds"])
    finally:
        callers.end()
    assert not callers.failed and callers.asked > 100, (callers.asked, callers.failed[:5])
    return f"two workers replaced: {callers.asked} requests, 0 failed, the longest {callers.longest:.1f} s; "


def stop_gateway(gateway, key):
    """As Kubernetes does: no readiness at once, while requests go on for the whole drain-delay; then it ends by itself."""
    drain = manifests.number(gateway.values["ROUNDTRIP_DRAIN_DELAY"], manifests.SECONDS)
    began, served = time.monotonic(), 0
    gateway.process.send_signal(signal.SIGTERM)
    wait_for("the gateway is not ready any more", lambda: gateway.probe("readinessProbe") == 503, 5 * SLACK)
    while time.monotonic() - began < drain - 2:
        assert ask(gateway.ports["http"], "GET", "/items/7", key=key)[0] == 200, f"{time.monotonic() - began:.1f} s after SIGTERM"
        served += 1
        time.sleep(0.1)
    code = gateway.process.wait(gateway.grace * SLACK)
    took = time.monotonic() - began
    assert code == 0 and took < gateway.grace * SLACK, (code, took)
    return f"served {served} requests after SIGTERM, ended after {took:.1f} s of {gateway.grace}"


def without_kafka(docs, known, folder, pods):
    """An outage restarts nobody: live, not ready, and ended in time when told to."""
    folder.mkdir()
    for workload in manifests.of_kind(docs, *manifests.SERVING):
        pods.append(Pod(known, docs, workload, folder, {"ROUNDTRIP_KAFKA": "127.0.0.1:1", "ROUNDTRIP_DRAIN_DELAY": "0"}))
    for pod in pods:
        wait_for(f"{pod.name} is live without Kafka", lambda pod=pod: pod.probe("livenessProbe") == 200, 10 * SLACK)
        assert pod.probe("readinessProbe") == 503, f"{pod.name} is ready without Kafka"
        pod.process.terminate()
    for pod in pods:
        assert pod.end() == 0, f"{pod.name}: {pod.tail()}"
    pods.clear()


def walk(docs, known, folder, kafka, pods):
    """Everything, in the order of an apply; what is said of the end."""
    given = settings_of(kafka)
    job = Pod(known, docs, manifests.find(docs, "Job", "topics"), folder, given)
    assert job.process.wait(60 * SLACK) == 0, job.tail()
    start = functools.partial(Pod, known, docs, folder=folder, kafka=given)
    for workload in manifests.of_kind(docs, *manifests.SERVING):
        pods.append(start(workload))
    for pod in pods:
        wait_for(f"{pod.name} is live", lambda pod=pod: pod.probe("startupProbe") == 200, 10 * SLACK)
        wait_for(f"{pod.name} is ready", lambda pod=pod: pod.probe("readinessProbe") == 200, 30 * SLACK)
        assert ask(pod.ports["operators"], "GET", "/metrics")[0] == 401, f"{pod.name}: metrics without the token"
        assert ask(pod.ports["operators"], "GET", "/metrics", key=KEY)[0] == 200, f"{pod.name}: metrics with the token"
    gateway = next(pod for pod in pods if "http" in pod.ports)
    key = KEY if "ROUNDTRIP_API_KEYS" in gateway.values else None
    requests(gateway, key)
    items = manifests.find(docs, "StatefulSet", "item-worker")
    said = update_workers(start, items, gateway, key, pods) if items["spec"]["replicas"] > 1 else ""
    said += stop_gateway(gateway, key)
    for pod in pods:
        began = time.monotonic()
        assert pod is gateway or pod.end() == 0, f"{pod.name}: {pod.tail()}"
        said += "" if pod is gateway else f"; {pod.name} after {time.monotonic() - began:.1f}"
    return said


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True, help="a build folder with the programs")
    parser.add_argument("built", type=pathlib.Path, help="what kustomize built")
    options = parser.parse_args()
    docs, known, pods = manifests.load(options.built), programs.Programs(REPO, options.build), []
    secure = "ROUNDTRIP_KAFKA_SASL_PASSWORD" in manifests.environment(docs, manifests.find(docs, "Job", "topics"))
    with scratch_folder() as scratch:
        folder = pathlib.Path(scratch)
        kafka = Kafka(folder / "kafka", secure=secure)
        try:
            without_kafka(docs, known, folder / "alone", pods)
            kafka.start()
            print(walk(docs, known, folder, kafka, pods))
        except AssertionError as error:
            print(f"{error}\n" + "\n".join(f"--- {pod.name}\n{pod.tail()}" for pod in pods))
            return 1
        finally:
            for pod in pods:
                if pod.process.poll() is None:
                    pod.process.kill()
                    pod.process.wait(10)
            kafka.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
