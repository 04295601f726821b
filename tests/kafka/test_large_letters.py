# SPDX-License-Identifier: Apache-2.0
"""A topic of dead letters that takes less than its commands topic. Only a real Kafka has such limits, and they count for what is sent together."""

from confluent_kafka.admin import AdminClient, ConfigResource

from trial import TrialTest

LIMIT = 4000


class LargeLetters(TrialTest):
    def setUp(self):
        super().setUp()
        resource = ConfigResource(ConfigResource.Type.TOPIC, "dlq.trial.commands", {"max.message.bytes": str(LIMIT)})
        admin = AdminClient({"bootstrap.servers": self.cluster.bootstrap})
        for future in admin.alter_configs([resource]).values():
            future.result(20)

    def test_only_what_is_too_large_by_itself_is_cut(self):
        small = [self.ask(f"key-{i % 3}", b'"%s"' % (b"s" * 300), type="trial.nonsense") for i in range(150)]
        large = self.ask("key-1", b'"%s"' % (b"l" * 2 * LIMIT), type="trial.nonsense")
        wide = self.ask("key-2", b'"w"', type="trial.nonsense", note="n" * 2 * LIMIT)
        small += [self.ask(f"key-{i % 3}", b'"%s"' % (b"s" * 300), type="trial.nonsense") for i in range(150)]
        for id in (*small, large):
            self.assertEqual(self.answer(id, 60).text(":status"), "501")
        self.answer(wide, 60)

        def all_there():
            self.dead.poll(0.3)
            return len(self.dead.seen) >= len(small) + 2
        self.wait_for("all letters", all_there, 60)
        by_id = {record.text("ce_id"): record for record in self.dead.seen}
        for id in small:
            self.assertEqual((by_id[id].text("__dlq.errors.omitted"), len(by_id[id].value)), (None, 302))
        self.assertEqual((by_id[large].text("__dlq.errors.omitted"), by_id[large].value or b""), ("value", b""))
        self.assertEqual(by_id[large].text("ce_type"), "trial.nonsense")
        bare = by_id[None]  # not even its headers had room
        self.assertEqual(bare.text("__dlq.errors.omitted"), "all")
        self.assertEqual(bare.text("__dlq.errors.topic"), "trial.commands")
        self.assertEqual(len(self.dead.seen), len(small) + 2, "none is sent twice")
