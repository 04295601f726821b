#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Requests through a compose cluster's balancer while its containers come and go by a plan; then every acknowledged write is looked for.

scale and roll: a request that is not answered 2xx is a failure, none is repeated. brokers and roll-brokers: a request may be refused while a partition has no
leader; its caller repeats it with its Idempotency-Key, as any would, and must get through within half a minute. In each plan every write takes effect once."""
import argparse
import http.client
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

REPO = pathlib.Path(__file__).resolve().parents[2]
THREADS = 6
PATIENCE = 30  # seconds, of who may repeat
DOWN = 15  # seconds, of a broker that is killed: Kafka gives its partitions to others after 9 (broker.session.timeout.ms)
CAUGHT_UP = 8  # seconds, until a broker that came back has copied what it missed


def same(body, expect):
    try:
        return json.loads(body) == expect
    except ValueError:
        return False


class Load:
    def __init__(self, port, repeats, first):
        self.port, self.repeats, self.first = port, repeats, first
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.acknowledged, self.failures, self.seconds, self.repeated = {}, [], [], 0
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(THREADS)]

    def run(self, number):
        """Whatever ends a thread early is a failure: what it would have asked is missing."""
        try:
            self.ask_until_stopped(number)
        except Exception as error:  # pylint: disable=broad-exception-caught
            with self.lock:
                self.failures.append(("thread", number, 0, repr(error)))

    def ask_until_stopped(self, number):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        id = self.first + number
        while not self.stop.is_set():
            id += THREADS
            item = {"id": id, "name": f"item {id}", "description": f"by thread {number}"}
            if self.ask(connection, "POST", "/items/", item, key=self.repeats or id % 2 == 0):
                with self.lock:
                    self.acknowledged[id] = item
                self.ask(connection, "GET", f"/items/{id}", expect=item)
            if id % 20 < THREADS:
                self.ask(connection, "GET", "/heavy_computation/?n=20000")
            time.sleep(0.02)

    def ask(self, connection, method, path, body=None, key=False, expect=None):
        headers = {"Content-Type": "application/json"} if body else {}
        if key:
            headers["Idempotency-Key"] = f'"{path}-{body["id"]}"'
        began = time.monotonic()
        while True:
            told = self.once(connection, method, path, body, headers)
            good = told[0] in (200, 201) and (expect is None or same(told[1], expect))
            if good or not self.repeats or time.monotonic() - began > PATIENCE:
                break
            with self.lock:
                self.repeated += 1
            time.sleep(0.2)
        with self.lock:
            self.seconds.append(time.monotonic() - began)
            if not good:
                self.failures.append((method, path, *told))
        return good

    def once(self, connection, method, path, body, headers):
        try:
            connection.request(method, path, json.dumps(body) if body else None, headers)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except (http.client.HTTPException, OSError) as error:
            connection.close()
            return 0, repr(error)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        time.sleep(3)
        return self

    def __exit__(self, *_):
        time.sleep(2)
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def lost(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        found = []
        for id, item in self.acknowledged.items():
            connection.request("GET", f"/items/{id}")
            response = connection.getresponse()
            body, etag = response.read(), response.getheader("etag")
            if response.status != 200 or not same(body, item) or etag != '"1"':
                found.append((id, response.status, etag, body.decode()))
        return found


class Cluster:
    def __init__(self, project, compose):
        self.project, self.compose = project, compose

    def run(self, *command, text=None):
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=180, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(map(str, command))}: {done.stderr[-2000:]}")
        return done.stdout

    def say(self, text):
        print(f"     {text}", flush=True)

    def names(self, service):
        return sorted(self.run("podman", "ps", "--filter", f"name=^{self.project}-{service}-[0-9]+$", "--format", "{{.Names}}").split())

    def scale(self, service, count):
        began = time.monotonic()
        counts = {s: len(self.names(s)) for s in ("gateway", "item-worker", "compute-worker")} | {service: count}
        self.run(*self.compose, "up", "--detach", "--no-build", "--pull", "never", "--no-recreate", "--wait", "--wait-timeout", "60",
                 *[word for s, n in counts.items() for word in ("--scale", f"{s}={n}")])
        have = len(self.names(service))
        if have != count:
            raise SystemExit(f"{service}: {have} run, not {count}")
        self.say(f"{service} x {count} after {time.monotonic() - began:.1f} s")

    def wait_healthy(self, name, seconds=60):
        end = time.monotonic() + seconds
        while self.run("podman", "inspect", "--format", "{{.State.Health.Status}}", name).strip() != "healthy":
            if time.monotonic() > end:
                raise SystemExit(f"{name} is not healthy after {seconds} s:\n" + self.run("podman", "logs", "--tail", "20", name))
            time.sleep(0.5)

    def restart(self, name):
        began = time.monotonic()
        self.run("podman", "stop", "--time", "30", name)
        self.run("podman", "start", name)
        self.wait_healthy(name)
        self.say(f"{name.removeprefix(self.project + '-')} stopped and started in {time.monotonic() - began:.1f} s")
        time.sleep(2)  # until the balancer has seen it twice

    def upgrade(self, services):
        """New images under the names of before, and deploy/roll-compose."""
        for service in services:
            self.run("podman", "build", "--isolation=chroot", "--format", "docker", "--label", f"of={self.project}", "-t", f"localhost/roundtrip-{service}",
                     "-f", "-", str(REPO / "deploy/container"), text=f"FROM localhost/roundtrip-{service}\n")
        files = [word for before, word in zip(self.compose, self.compose[1:]) if before == "-f"]
        with subprocess.Popen([REPO / "deploy/roll-compose", *services], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env={**os.environ, "DOCKER": "podman", "COMPOSE": self.compose[0], "COMPOSE_FILE": ":".join(files)}) as roll:
            text, errors = roll.communicate(timeout=300)
        if roll.returncode != 0:
            raise SystemExit(f"deploy/roll-compose: {errors[-2000:]}")
        for line in text.splitlines():
            self.say(line.replace(f"{self.project}-", ""))
        for service in services:
            newest = self.run("podman", "image", "inspect", "--format", "{{.Id}}", f"localhost/roundtrip-{service}").strip()
            old = [name for name in self.names(service) if self.run("podman", "inspect", "--format", "{{.Image}}", name).strip() != newest]
            if old:
                raise SystemExit(f"of the old image: {old}")

    def reload_balancer(self):
        """As after a change of its settings: a new HAProxy takes over the sockets of the old one."""
        self.run("podman", "kill", "--signal", "USR2", f"{self.project}-balancer-1")
        time.sleep(3)
        self.say("the balancer read its settings again")

    def kill_broker(self, name, meanwhile):
        self.run("podman", "kill", name)
        end = time.monotonic() + DOWN
        for other in meanwhile:
            self.restart(other)
        time.sleep(max(0, end - time.monotonic()))
        self.run("podman", "start", name)
        self.wait_healthy(name)
        time.sleep(CAUGHT_UP)
        self.say(f"{name.removeprefix(self.project + '-')} killed, and back after {DOWN} s or more")

    def brokers(self):
        return [name for service in ("kafka", "kafka-2", "kafka-3") for name in self.names(service)]


def scale(cluster):
    for service, counts in (("item-worker", (3, 2)), ("compute-worker", (4, 1)), ("item-worker", (1,))):
        for count in counts:
            cluster.scale(service, count)
            time.sleep(3)


def roll(cluster):
    cluster.scale("item-worker", 2)
    cluster.upgrade(("gateway", "item-worker", "compute-worker"))
    cluster.reload_balancer()


def brokers(cluster):
    """While the second one is away a gateway and a worker are started anew: they know its address, and get no answer there."""
    meanwhile = [cluster.names(service)[0] for service in ("gateway", "item-worker")]
    for number, name in enumerate(cluster.brokers()):
        cluster.kill_broker(name, meanwhile if number == 1 else [])


def roll_brokers(cluster):
    for name in cluster.brokers():
        cluster.restart(name)
        time.sleep(CAUGHT_UP)


PLANS = {"scale": scale, "roll": roll, "brokers": brokers, "roll-brokers": roll_brokers}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--project", required=True)
    parser.add_argument("--plan", choices=PLANS, required=True)
    parser.add_argument("--try", type=int, default=1, dest="again", help="the second one makes other items")
    parser.add_argument("compose", nargs="+", help="after --: how Docker Compose is called")
    options = parser.parse_args()
    first = 1_000_000 * (10 * options.again + list(PLANS).index(options.plan))  # nobody else's items
    with Load(options.port, "brokers" in options.plan, first) as load:
        PLANS[options.plan](Cluster(options.project, options.compose))
    lost = load.lost()
    times = sorted(load.seconds)
    print(f"     {len(times)} requests, {len(load.failures)} failed, {load.repeated} repeated; p50 {1000 * times[len(times) // 2]:.0f} ms, "
          f"p99 {1000 * times[len(times) * 99 // 100]:.0f} ms, longest {times[-1]:.1f} s; {len(load.acknowledged)} writes acknowledged, {len(lost)} lost or doubled",
          flush=True)
    for failure in load.failures[:5] + lost[:5]:
        print(f"     {failure}")
    sys.exit(1 if load.failures or lost or len(times) < 200 else 0)


if __name__ == "__main__":
    main()
