# SPDX-License-Identifier: Apache-2.0
"""For tests of tests/trial-worker, whose dependency a test breaks as it likes."""

import datetime
import uuid

from cluster import ClusterTest
from kafka_client import Direct, Watch


class TrialTest(ClusterTest):
    """One worker whose dependency a test breaks as it likes, and what a direct producer sees of it."""

    options = {"gateways": 0, "item_workers": 0, "compute_workers": 0, "trial_workers": 1,
               "worker_flags": ["--breaker-pause-max", "2s"]}

    def setUp(self):
        self.direct = Direct(self.cluster.bootstrap)
        self.replies = Watch(self.cluster.bootstrap, "replies.direct")
        self.dead = Watch(self.cluster.bootstrap, "dlq.trial.commands")
        for watch in (self.replies, self.dead):
            self.addCleanup(watch.close)

    def ask(self, key, body=b'"x"', type="trial.put", seconds=None, **headers):
        """Sends without waiting; the command's id, which is the correlation id too."""
        id = headers.pop("id", None) or uuid.uuid4().hex
        own = {"ce_type": type, "ce_id": id, "kafka_replyTopic": "replies.direct", "kafka_correlationId": id, **headers}
        if seconds:
            end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
            own["ce_expirytime"] = end.isoformat()
        self.direct.send("trial.commands", key, body, own)
        return id

    def answer(self, id, seconds=20, skip=0):
        found = []

        def matches(record):
            if record.text("ce_correlationid") == id and record not in found:
                found.append(record)
            return record in found[skip:]
        reply = self.replies.find(matches, seconds)
        self.assertIsNotNone(reply, f"no reply to {id}")
        return reply

    def dead_letters(self, id):
        self.dead.poll(0.3)
        return [r for r in self.dead.seen if r.text("ce_id") == id]

    def fail_times(self, key, times):
        (self.cluster.trial / f"fail-{key}").write_text(f"{times}\n")

    def calls(self, key):
        return [line.split(" ", 1)[1] for line in (self.cluster.trial / "calls").read_text().splitlines()
                if line.split(" ", 1)[0] == key]
