# SPDX-License-Identifier: Apache-2.0
"""What is measured: Roundtrip of some build, the floor, a peer; all on one Kafka, one at a time, so that each has the machine.

A target has: name, loads (those it can do), start(stand), stop(), pids() of its processes by role, and closed() and maybe open(): one
load, measured, as a dict: count, rate (answers/s), p50_us, p99_us, p999_us, errors."""
import http.client
import json
import math
import resource
import shutil
import subprocess

from measure import REPO, Failure, Process, note

BENCH = REPO / "tests/bench"
SEED_ITEMS = 2000
LOADS = ("get", "post", "mixed", "compute")
HTTP_ALONE = "http"  # what our gateway answers by itself: what its side of HTTP and the load generator take
HTTP_ALONE_CONNECTIONS = (1, 64, 256)  # where the aims are
WARM_UP_SECONDS = 1
BASE_STEP = 1_000_000_000  # ids that one measurement may use


class Stand:
    """The Kafka, and the ids that were used."""

    def __init__(self, folder):
        self.folder, self.kafka_folder = folder, folder / "kafka"
        self.bootstrap = self.kafka_pid = None
        self.base = BASE_STEP

    def start(self):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # ten thousand connections, in wrk and the gateway
        kafka = subprocess.run([REPO / "deploy/run-kafka", "--bench", "--detach", "--port", "0", "--dir", self.kafka_folder],
                               stdout=subprocess.PIPE, text=True, check=False)
        if kafka.returncode != 0:
            raise Failure("Kafka did not start; see above")
        self.bootstrap = kafka.stdout.strip()
        self.kafka_pid = int((self.kafka_folder / "kafka.pid").read_text().split()[0])

    def stop(self):
        subprocess.run([REPO / "deploy/stop-kafka", "--dir", self.kafka_folder], check=False)

    def fresh_ids(self):
        self.base += BASE_STEP
        return self.base


def binary(build, name):
    for part in ("gateway", "item-worker", "compute-worker", "deploy", "tests/bench"):
        path = build / part / name
        if path.exists():
            return path
    raise Failure(f"{name} is not in {build}: build it first (cmake --build {build})")


def last_json(command, on_line=None):
    """`on_line`: called with the child's pid when it has written a first line to standard error."""
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        first = child.stderr.readline() if on_line else ""
        if first and child.poll() is None:
            on_line(child.pid)
        out, errors = child.communicate()
    if child.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))} failed:\n{out}{first}{errors}")
    return json.loads(out.strip().splitlines()[-1])


class Http:
    """What answers HTTP at `url`, measured by wrk (closed loop) and roundtrip-bench-load (open loop)."""

    loads = LOADS
    may_fail = False  # no answer at all is a result, not the end of the benchmark
    tools = None  # the build that has roundtrip-bench-load
    items, stride = SEED_ITEMS, 1  # what GET asks for: ids 1 to `items`, each so far from the one before

    def __init__(self, name):
        self.name, self.url, self.stand, self.seeded = name, None, None, False

    def wrk(self, load, connections, seconds):
        script, *words = {"get": ("get", SEED_ITEMS), "post": ("post", self.stand.fresh_ids()), "mixed": ("mixed", SEED_ITEMS, self.stand.fresh_ids()),
                          "compute": ("path", "/heavy_computation/?n=1000"),  # about a tenth of a millisecond of work
                          HTTP_ALONE: ("path", "/health/live")}[load]
        return ["wrk", "--latency", "--timeout", "10s", "-t", "1" if connections == 1 else "2", "-c", connections, "-d", f"{seconds}s",
                "-s", BENCH / f"lua/{script}.lua", self.url, "--", *words]

    def warm_up(self, load, connections):
        self.closed(load, connections, WARM_UP_SECONDS)

    def closed(self, load, connections, seconds):
        try:
            result = last_json(self.wrk(load, connections, seconds))
        except Failure:
            if not self.may_fail:
                raise
            note(f"{self.name} takes no connections any more")
            result = {"count": 0, "duration_us": seconds * 1e6, "status_errors": 0, "socket_errors": connections, "timeouts": 0}
        result["count"] -= result["status_errors"]  # a refusal is no answer, though its latency is among the others
        result["rate"] = result["count"] * 1e6 / result["duration_us"]
        result["errors"] = result["status_errors"] + result["socket_errors"] + result["timeouts"]
        if result["count"] <= 0:
            result.update(count=0, rate=0, p50_us=math.inf, p99_us=math.inf, p999_us=math.inf)
        return result

    def open(self, load, rate, connections, seconds, counting=None):
        """Requests that are due at fixed times, whatever became of those before. `counting`: called with the load generator's pid once it
        has warmed up, its connections being open."""
        what = {"get": ["--path", "/items/{n}", "--spread", self.items, "--stride", self.stride],
                "post": ["--method", "POST", "--path", "/items/", "--first", self.stand.fresh_ids(),
                         "--body", '{"id":{n},"name":"an item of the benchmark","description":"x"}']}[load]
        found = last_json([binary(self.tools, "roundtrip-bench-load"), "--port", self.url.rstrip("/").rsplit(":", 1)[1], "--rate", rate,
                           "--connections", connections, "--seconds", seconds + WARM_UP_SECONDS, "--warmup", WARM_UP_SECONDS,
                           *(["--tell"] if counting else []), *what], counting)
        good = found["good"]
        if not good["rate"]:
            good.update(p50_ms=math.inf, p99_ms=math.inf, p999_ms=math.inf)
        return {"rate": good["rate"], "count": round(good["rate"] * seconds), "p50_us": good["p50_ms"] * 1000, "p99_us": good["p99_ms"] * 1000,
                "p999_us": good["p999_ms"] * 1000, "offered": found["offered"],
                "measured_share": seconds / (seconds + WARM_UP_SECONDS),  # of the time that it sent: its first second counts for nothing
                "errors": round(seconds * sum(found[kind]["rate"] for kind in ("refused", "late", "other"))) + found["broken"] + found["unanswered"]}

    def seed(self):
        """Items 1 to SEED_ITEMS; once a stand, where what is kept survives a restart."""
        note(f"{self.name}: seeding {SEED_ITEMS} items")
        connection = http.client.HTTPConnection(self.url.split("//")[1].rstrip("/"), timeout=30)
        for item in range(1, SEED_ITEMS + 1):
            body = json.dumps({"id": item, "name": "an item of the benchmark", "description": "x"})
            for attempt in range(5):  # on a busy machine a young broker may stall for longer than the deadline
                connection.request("POST", "/items/", body, {"Content-Type": "application/json", "Idempotency-Key": f"seed-{item}"})
                response = connection.getresponse()
                text = response.read()
                if response.status not in (503, 504):
                    break
                note(f"seeding item {item}: HTTP {response.status}, attempt {attempt + 1}")
            if response.status not in (200, 201, 409):  # a peer may have read again what it had not committed
                raise Failure(f"{self.name}: seeding item {item}: HTTP {response.status} {text!r}")
        connection.close()


class Roundtrip(Http):
    """A gateway and both workers of one build, as they come; warnings only in the log."""

    ready_seconds, look_seconds = 60, 0.02  # how long a start may take; how often it is looked whether it is done

    def __init__(self, name, build, flags=()):
        super().__init__(name)
        self.build, self.flags, self.processes = build, list(flags), {}

    def start_one(self, role, program, *flags):
        process = Process(self.stand.folder, f"{self.name}-{role}",
                          [binary(self.build, program), "--kafka", self.stand.bootstrap, "--log-level", "warn", *flags, *self.flags])
        self.processes[role] = process
        return process.wait_ready(self.ready_seconds, self.look_seconds)

    def start(self, stand):
        self.stand = stand
        if subprocess.run([binary(self.build, "roundtrip-topics"), "--kafka", stand.bootstrap], stdout=subprocess.DEVNULL, check=False).returncode:
            raise Failure("could not make the topics")
        for role, program in (("worker", "roundtrip-item-worker"), ("compute", "roundtrip-compute-worker")):
            self.start_one(role, program, "--instance-id", f"{role}-1", "--state-dir", stand.folder / f"{self.name}-{role}-state")
        self.url = self.start_one("gateway", "roundtrip-gateway", "--instance-id", "gateway-1", "--port", "0").split()[0]
        if not self.seeded:
            self.seed()
            self.seeded = True

    def pids(self):
        return {role: process.pid for role, process in self.processes.items()}

    def stop(self):
        for process in reversed(self.processes.values()):
            process.stop()
        self.processes = {}


class Floor:
    """Nothing but librdkafka at both ends: an echo for GET, an acknowledged event before the reply for POST."""

    name, loads = "floor", ("get", "post")

    def __init__(self, build):
        self.program, self.stand, self.responder = binary(build, "roundtrip-bench-floor"), None, None

    def start(self, stand):
        self.stand = stand
        if subprocess.run([self.program, "topics", "--kafka", stand.bootstrap], stdout=subprocess.DEVNULL, check=False).returncode:
            raise Failure("could not make the floor's topics")
        self.responder = Process(stand.folder, "responder", [self.program, "responder", "--kafka", stand.bootstrap])
        self.responder.wait_ready()

    def pids(self):
        return {"worker": self.responder.pid}

    def warm_up(self, load, connections):
        self.closed(load, connections, WARM_UP_SECONDS)

    def drive(self, load, connections, seconds, *more):
        found = last_json([self.program, "driver", "--kafka", self.stand.bootstrap, "--inflight", connections, "--seconds", seconds, "--warmup", WARM_UP_SECONDS,
                           *more, *(["--write"] if load == "post" else [])])
        return {**found, "errors": 0, "measured_share": seconds / (seconds + WARM_UP_SECONDS)}  # of the time that the driver ran

    def closed(self, load, connections, seconds):
        found = self.drive(load, connections, seconds)
        return {**found, "p50_us": found["corrected_p50_us"], "p99_us": found["corrected_p99_us"], "p999_us": found["corrected_p999_us"]}

    def open(self, load, rate, connections, seconds):
        return {**self.drive(load, connections, seconds, "--rate", rate), "offered": rate}

    def stop(self):
        self.responder.stop()


class Peer(Http):
    """One of tests/bench/peers, by its driver: the same HTTP, a memory-only store."""

    loads, may_fail = ("get", "post", "mixed"), True

    def __init__(self, name, driver):
        super().__init__(name)
        self.driver = driver

    def start(self, stand):
        self.stand = stand
        self.url = self.driver.start(stand.bootstrap)
        self.seed()  # each time: what it knows is in memory

    def pids(self):
        return self.driver.pids()

    def stop(self):
        self.driver.stop()


def build_of_commit(text):
    """A release build of that commit, kept under build/bench by its hash."""
    found = subprocess.run(["git", "-C", REPO, "rev-parse", "--verify", f"{text}^{{commit}}"], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        raise Failure(f"--against {text}: git knows no such commit")
    name = found.stdout.strip()[:12]
    source, build = REPO / f"build/bench/{name}", REPO / f"build/bench/{name}/build/release"
    if not (build / "gateway/roundtrip-gateway").exists():
        note(f"Building {name}")
        shutil.rmtree(source, ignore_errors=True)
        source.mkdir(parents=True)
        archive = subprocess.Popen(["git", "-C", REPO, "archive", name], stdout=subprocess.PIPE)
        subprocess.run(["tar", "-x", "-C", source], stdin=archive.stdout, check=True)
        for command in (["cmake", "--preset", "release", "-DROUNDTRIP_TESTS=OFF", "-S", source, "-B", build], ["cmake", "--build", build]):
            if archive.wait() or subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode:
                raise Failure(f"{name} could not be built; try: {' '.join(map(str, command))}")
    return name, build
