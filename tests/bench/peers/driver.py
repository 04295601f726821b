# SPDX-License-Identifier: Apache-2.0
"""Builds, starts and stops one of the peers: a gateway that answers HTTP and a worker behind Kafka, in the folder of its name."""
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from measure import Failure, Process  # pylint: disable=wrong-import-position

NAMES = ("franz-go", "fastapi", "spring", "nestjs")
PARTITIONS = 6
# NestJS names the topic of replies itself: PATTERN.reply for the pattern, which is the topic of commands.
TOPICS = {"nestjs": ("peer.nestjs.commands", "peer.nestjs.commands.reply")}


def topics_of(name):
    return TOPICS.get(name, (f"peer.{name}.commands", f"peer.{name}.replies"))


def make_topics(bootstrap, name):
    from confluent_kafka.admin import AdminClient, NewTopic  # pylint: disable=import-outside-toplevel
    commands, replies = topics_of(name)
    admin = AdminClient({"bootstrap.servers": bootstrap})
    have = admin.list_topics(timeout=20).topics
    new = [NewTopic(topic, partitions, 1) for topic, partitions in ((commands, PARTITIONS), (replies, 1)) if topic not in have]
    for topic, made in (admin.create_topics(new) if new else {}).items():
        try:
            made.result(20)
        except Exception as error:
            raise Failure(f"topic {topic} could not be made: {error}") from error


class Peer:
    def __init__(self, name):
        self.name, self.folder, self.processes, self.scratch = name, HERE / name, {}, None

    def build(self):
        """Into build/peers/NAME; nothing when all is there."""
        if subprocess.run([self.folder / "build"], stdout=sys.stderr, check=False).returncode != 0:
            raise Failure(f"{self.name} could not be built: see above; tests/bench/peers/{self.name}/build does it")

    def start(self, bootstrap):
        """Its base URL, once it serves."""
        make_topics(bootstrap, self.name)
        self.scratch = tempfile.TemporaryDirectory(prefix="roundtrip-peer-")  # pylint: disable=consider-using-with
        for role, port in (("worker", []), ("gateway", ["--port", "0"])):
            self.processes[role] = Process(pathlib.Path(self.scratch.name), f"{self.name}-{role}",
                                           [self.folder / "start", role, "--kafka", bootstrap, *port])
        self.processes["worker"].wait_ready(120)
        return self.processes["gateway"].wait_ready(120)

    def pids(self):
        return {role: process.pid for role, process in self.processes.items()}

    def stop(self):
        for process in self.processes.values():
            process.stop()
        self.processes = {}
        if self.scratch:
            self.scratch.cleanup()
