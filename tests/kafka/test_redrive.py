# SPDX-License-Identifier: Apache-2.0
"""Ten thousand dead letters, redriven while the processes that do it are killed: each takes effect exactly once."""

import time

from confluent_kafka import Producer

from dead_letters import DeadLetterTest
from http_client import Http
from kafka_client import Watch
from processes import SLACK

COUNT = 10_000


class Redrive(DeadLetterTest):
    options = {**DeadLetterTest.options, "gateways": 2}
    weight = 60

    def send_all(self, prefix, count):
        """Commands about that many keys, without waiting for one after the other."""
        producer = Producer({"bootstrap.servers": self.cluster.bootstrap, "partitioner": "murmur2_random"})
        for i in range(count):
            producer.produce("trial.commands", key=f"{prefix}-{i}", value=b'"%d"' % i,
                             headers={"ce_type": "trial.put", "ce_id": f"{prefix}-{i}"})
            producer.poll(0)
        producer.flush(60)

    def read_all(self, topic, enough, seconds=120):
        watch = Watch(self.cluster.bootstrap, topic, from_beginning=True)
        self.addCleanup(watch.close)
        end = time.monotonic() + seconds * SLACK
        while not enough(watch.seen):
            self.assertLess(time.monotonic(), end, f"{len(watch.seen)} records of {topic}")
            watch.poll(0.2)
        count = -1
        while count < len(watch.seen):  # what comes behind it, too
            count = len(watch.seen)
            watch.poll(1)
        return watch.seen

    def anybody(self):
        """The admin listener of a gateway that runs."""
        for i, gateway in enumerate(self.cluster.gateways):
            if gateway.running():
                return Http(self.cluster.admin_port(i), 30.0 * SLACK)
        raise AssertionError("no gateway runs")

    def progress(self, id):
        admin = self.anybody()
        try:
            return admin.get(f"/dead-letters/jobs/{id}").json()
        except OSError:
            return {"phase": "unknown", "done": -1}
        finally:
            admin.close()

    def test_ten_thousand_across_crashes(self):
        everything = self.cluster.trial / "broken"
        everything.touch()
        self.send_all("many", COUNT)
        dead = self.read_all("dlq.trial.commands", lambda seen: len({r.key for r in seen if r.key.startswith(b"many-")}) == COUNT)
        self.assertEqual({r.text("__dlq.errors.class") for r in dead}, {"permanent"})
        everything.unlink()
        job = self.order("redrive", service="trial", rate=2500)
        kills = 0
        for share in (0.1, 0.35, 0.6):
            self.wait_for(f"{share} of them", lambda s=share: self.progress(job)["done"] >= s * COUNT, 60 * SLACK)
            runner = self.progress(job)["runner"]
            victim = next(g for g in self.cluster.gateways if g.name == runner)
            victim.kill()
            kills += 1
            victim.start().wait_ready()
        ended = self.wait_for("the end", lambda: (p := self.progress(job))["phase"] == "done" and p, 120 * SLACK)
        self.assertEqual((ended["done"], ended["too_often"], ended["unfit"]), (COUNT, 0, 0))
        events = self.read_all("trial.events", lambda seen: sum(r.text(":status") == "200" for r in seen) >= COUNT)
        effects = [r.text("ce_id") for r in events if r.text(":status") == "200"]
        self.assertEqual(len(effects), COUNT, "nothing has its effect twice")
        self.assertEqual(set(effects), {f"many-{i}" for i in range(COUNT)})
        self.assertEqual({r.text("ce_version") for r in events if r.text(":status") == "200"}, {"1"})
        sent = sum(r.headers.get("__dlq.job") is not None for r in self.read_all("trial.commands", lambda seen: len(seen) >= 2 * COUNT))
        print(f"redriven {COUNT} across {kills} kills of the runner: {sent} commands sent", flush=True)
