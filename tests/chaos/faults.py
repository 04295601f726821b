# SPDX-License-Identifier: Apache-2.0
"""What goes wrong, by chance from a seed.

Workers: kill -9, SIGTERM, SIGSTOP short and beyond the session time-out, a second process with the same instance id, an
event log that refuses records until after a kill -9.
Gateways: kill -9, SIGSTOP. The broker: kill -9, SIGSTOP. What ends is started again after a moment. Of three brokers one at a time: kill -9 or SIGSTOP, short or
beyond the time after which Kafka gives its partitions to others, or a stop that hands them over; the next one when all copies are complete again.
"""

import collections
import os
import pathlib
import random
import signal
import threading
import time

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, ConfigSource

from processes import wait_for

BROKER_SESSION = 9.0  # seconds without a word after which Kafka's controller takes a broker for gone
SESSION = 6.0   # of the workers, seconds
DEADLINE = 3.0  # of the gateways, seconds


class Lag(threading.Thread):
    """How late this machine runs what is due: subtracted from what is called late. Measured every 5 ms."""

    def __init__(self):
        super().__init__(daemon=True)
        self.samples = collections.deque(maxlen=200_000)

    def run(self):
        while True:
            before = time.monotonic()
            time.sleep(0.005)
            now = time.monotonic()
            self.samples.append((now, now - before - 0.005))

    def most(self, began, ended):
        return max((lag for at, lag in list(self.samples) if began <= at <= ended + 0.05), default=0.0)


def revive(process, seconds=60):
    """Starts it, and again where another fault ends it before it is ready."""
    end = time.monotonic() + seconds
    while True:
        try:
            return process.start().wait_ready()
        except AssertionError:
            if process.running() or time.monotonic() > end:
                raise
            time.sleep(0.2)


class Faults:
    """Each target has a thread that breaks and mends it. `counts` says how often."""

    def __init__(self, cluster, seed, pace, profile):
        self.cluster, self.seed, self.pace, self.profile = cluster, seed, pace, profile
        self.counts = collections.Counter()
        self.windows = collections.defaultdict(list)  # name -> [began, ended] of its faults
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.threads = []
        self.errors = []
        self.lost = []  # when one of several brokers was
        self.one_starves = threading.Lock()
        self.busy = collections.defaultdict(threading.Lock)  # a target that is being broken or mended

    def start(self):
        workers, gateways = self.cluster.item_workers, self.cluster.gateways
        for process in workers:
            self.spawn(process.name, self.worker_fault, process, 5.0)
        for process in gateways:
            self.spawn(process.name, self.gateway_fault, process, 6.0)
        if self.cluster.broker.nodes > 1:
            self.spawn("broker", self.one_of_three, None, 10.0)
        else:
            self.spawn("broker", self.broker_fault, None, 40.0)

    def spawn(self, name, fault, process, every):
        chance = random.Random(f"{self.seed}/faults/{name}")
        thread = threading.Thread(target=self.loop, args=(name, fault, process, every / self.pace, chance), daemon=True)
        self.threads.append(thread)
        thread.start()

    def loop(self, name, fault, process, every, chance):
        while not self.stop.wait(chance.expovariate(1 / every)):
            began = time.monotonic()
            window = [began, float("inf")]
            self.windows[name].append(window)
            try:
                with self.busy[name]:
                    fault(process, chance)
            except Exception as error:  # pylint: disable=broad-except
                self.errors.append(f"{name}: {error!r}")
                return
            window[1] = time.monotonic()

    def faulted(self, name, began, ended):
        return any(w[0] <= ended and began <= w[1] + 0.2 for w in self.windows[name] + self.windows["broker"])

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(200)
            if thread.is_alive():
                self.errors.append(f"{thread.name} does not come to an end")

    # ---- the faults ----

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def restart(self, process, number, delay):
        process.signal(number)
        process.popen.wait(60)
        time.sleep(delay)
        revive(process)

    def pause(self, process, seconds):
        process.signal(signal.SIGSTOP)
        time.sleep(seconds)
        process.signal(signal.SIGCONT)

    def worker_fault(self, process, chance):
        if not process.running():  # it ended by itself, for a reason it has logged
            revive(process)
        kinds, weights = zip(*self.profile.items())
        kind = chance.choices(kinds, weights)[0]
        self.count(f"worker {kind}")
        if kind == "kill":
            self.restart(process, signal.SIGKILL, chance.random())
        elif kind == "term":
            self.restart(process, signal.SIGTERM, chance.random() / 2)
        elif kind == "starve":
            self.starve(process)
        elif kind == "twin":
            self.twin(process)
        elif kind == "freeze":
            self.pause(process, SESSION + 2 + 2 * chance.random())
        else:
            self.pause(process, 0.2 + chance.random())

    def twin(self, process):
        """A replacement is started while the first still works: for up to a heartbeat both believe that they own its partitions."""
        first, at = process.popen, process.arguments.index("--state-dir") + 1
        state = process.arguments[at]
        process.arguments[at] = state[:-2] if state.endswith("-b") else state + "-b"
        process.ready_path = process.ready_path.with_name(pathlib.Path(process.arguments[at]).name + ".ready")
        revive(process)
        first.wait(30)  # fenced by the group, it ends by itself

    def starve(self, process):
        """The event log refuses records; an owner dies meanwhile, and comes back after the deadlines of what it worked on."""
        with self.one_starves:
            self.set_events("max.message.bytes", "1")
            try:
                time.sleep(0.3)
                if process.running():
                    process.signal(signal.SIGKILL)
                process.popen.wait(60)
                time.sleep(DEADLINE + 0.5)
            finally:
                self.set_events("max.message.bytes", "1048588")
            revive(process)
            for other in self.cluster.item_workers:  # an event that is refused for good ends its writer
                if other is not process and self.busy[other.name].acquire(blocking=False):
                    if not other.running():
                        other.start()
                    self.busy[other.name].release()

    def set_events(self, name, value):
        """Altering replaces all that is set on a topic: what was set is set again."""
        for again in range(5):  # a broker may be away
            try:
                return self.alter_events(name, value)
            except KafkaException:
                if again == 4:
                    raise
                time.sleep(3)

    def alter_events(self, name, value):
        admin = AdminClient({"bootstrap.servers": self.cluster.bootstrap})
        topic = ConfigResource("topic", "item.events")
        now = admin.describe_configs([topic])[topic].result(20)
        kept = {n: e.value for n, e in now.items() if e.source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value}
        wanted = ConfigResource("topic", "item.events", set_config=kept | {name: value})
        admin.alter_configs([wanted])[wanted].result(20)

    def gateway_fault(self, process, chance):
        if chance.random() < 0.5:
            self.count("gateway kill")
            self.restart(process, signal.SIGKILL, chance.random() / 2)
        else:
            self.count("gateway pause")
            self.pause(process, 0.2 + chance.random())

    def one_of_three(self, _, chance):
        broker, node = self.cluster.broker, chance.randrange(1, self.cluster.broker.nodes + 1)
        seconds = chance.choice((1.0, 4.0, BROKER_SESSION + 3)) * (0.8 + 0.4 * chance.random())
        kind, number = chance.choice((("kill", signal.SIGKILL), ("kill", signal.SIGKILL), ("stop", signal.SIGTERM), ("freeze", signal.SIGSTOP)))
        self.count(f"broker {kind}")
        os.kill(broker.pid_of(node), number)
        self.lost.append(time.monotonic())
        time.sleep(seconds)
        if kind == "freeze":
            os.kill(broker.pid_of(node), signal.SIGCONT)
        else:
            wait_for("the node's end", lambda: not pathlib.Path(f"/proc/{broker.pid_of(node)}").exists(), 60)
            broker.start_node(node)
        wait_for("all copies", self.copies_are_complete, 60, 0.5)

    def copies_are_complete(self):
        """As every broker says: one that was frozen may still believe what was true before."""
        for address in self.cluster.bootstrap.split(","):
            try:
                topics = AdminClient({"bootstrap.servers": address, "log_level": 0}).list_topics(timeout=5).topics.values()
            except KafkaException:
                return False
            if not all(len(p.isrs) == self.cluster.broker.nodes for t in topics for p in t.partitions.values()):
                return False
        return True

    def broker_fault(self, _, chance):
        broker = self.cluster.broker
        pid = broker.pid_of(1)
        if chance.random() < 0.4:
            self.count("broker kill")
            os.kill(pid, signal.SIGKILL)
            time.sleep(0.5)
            broker.start(keep=True)
        else:
            self.count("broker pause")
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.5 + 2 * chance.random())
            os.kill(pid, signal.SIGCONT)
