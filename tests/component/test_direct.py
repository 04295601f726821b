# SPDX-License-Identifier: Apache-2.0
"""Commands produced directly to Kafka, with no gateway: the same contract, the same guarantees."""

import struct
import uuid

from cluster import ClusterTest
from kafka_client import Direct, Watch, kcat_produce


def item(id, name="n"):
    return {"id": id, "name": name, "description": "d"}


class DirectProducers(ClusterTest):
    options = {"compute_workers": 0}
    weight = 25

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.direct = Direct(cls.cluster.bootstrap)
        cls.replies = Watch(cls.cluster.bootstrap, "replies.direct")
        cls.dead = Watch(cls.cluster.bootstrap, "dlq.item.commands")
        cls.events = Watch(cls.cluster.bootstrap, "item.events")
        cls.addClassCleanup(lambda: [w.close() for w in (cls.replies, cls.dead, cls.events)])

    def call(self, type, key, value=None, headers=None, **options):
        reply = self.direct.call(self.replies, "item.commands", key, value, {"ce_type": type, **(headers or {})}, **options)
        self.assertIsNotNone(reply, f"no reply to {type} {key}")
        return reply

    def has_item(self, id):
        return self.http().get(f"/items/{id}").status == 200

    def test_create_and_get_with_replies(self):
        made = self.call("item.create", "3001", item(3001), {"ce_id": "direct-1"})
        self.assertEqual(made.text(":status"), "200")
        self.assertEqual(made.text("etag"), '"1"')
        self.assertEqual(made.text("ce_correlationid"), "direct-1")
        self.assertEqual(made.text("ce_causationid"), "direct-1")
        self.assertEqual(made.text("ce_specversion"), "1.0")
        self.assertEqual(made.json(), item(3001))
        self.assertEqual(self.call("item.get", "3001").json(), item(3001))
        missing = self.call("item.get", "3002")
        self.assertEqual((missing.text(":status"), missing.json()["detail"]), ("404", "Item not found"))

    def test_a_producer_with_another_partitioner(self):
        """librdkafka's default, consistent_random (CRC32), puts most keys where they do not belong."""
        other = Direct(self.cluster.bootstrap, "consistent_random")
        for id in range(3010, 3030):
            reply = other.call(self.replies, "item.commands", str(id), item(id), {"ce_type": "item.create"})
            self.assertIsNotNone(reply, id)
            self.assertEqual(reply.text(":status"), "200")
            self.assertEqual(self.http().get(f"/items/{id}").header("etag"), '"1"')

    def test_kcat(self):
        for id in range(3040, 3050):
            kcat_produce(self.cluster.bootstrap, "item.commands", f'{id}:{{"id":{id},"name":"kcat","description":"d"}}\n',
                         {"ce_type": "item.create", "ce_id": f"kcat-{id}"})
        for id in range(3040, 3050):
            self.wait_for(f"item {id}", lambda: self.has_item(id))
            self.assertEqual(self.http().get(f"/items/{id}").header("etag"), '"1"')

    def test_a_misplaced_command_takes_effect_once(self):
        id = 3060
        right, _ = self.direct.send("item.commands", str(id), item(id), {"ce_type": "item.create", "ce_id": "misplaced"})
        wrong = (right + 1) % 6
        for partition in (wrong, wrong, right):
            reply = self.call("item.create", str(id), item(id), {"ce_id": "misplaced"}, partition=partition)
            self.assertEqual((reply.text(":status"), reply.text("etag")), ("200", '"1"'))
            self.assertEqual(reply.text("ce_replayed"), "true")
        events = [e for e in self.events.seen if e.key == b"3060"] or [self.events.find(lambda e: e.key == b"3060")]
        self.assertEqual(len(events), 1)
        self.assertEqual(events[0].partition, right)

    def test_spring_and_nestjs_reply_partitions(self):
        for written, wanted in ((struct.pack(">i", 7), 7), (b"7", 7), (struct.pack(">i", 11), 11), (b"11", 11)):
            with self.subTest(written=written):
                reply = self.call("item.get", "3070", reply_partition=written)
                self.assertEqual(reply.partition, wanted)

    def test_correlation_is_echoed_byte_for_byte(self):
        for correlation in (b"\x00\x01\xff\xfe" * 4, uuid.uuid4().bytes, "šílený".encode(), b"x" * 200):
            with self.subTest(correlation=correlation):
                self.direct.send("item.commands", "3080", None, {
                    "ce_type": "item.get", "kafka_replyTopic": "replies.direct", "kafka_replyPartition": b"1",
                    "kafka_correlationId": correlation})
                self.assertIsNotNone(self.replies.find(lambda r: r.headers.get("kafka_correlationId") == correlation))

    def test_a_topic_that_is_not_allowed_gets_nothing(self):
        private = Watch(self.cluster.bootstrap, "private.replies")
        self.addCleanup(private.close)
        self.direct.send("item.commands", "3090", item(3090), {
            "ce_type": "item.create", "kafka_replyTopic": "private.replies", "kafka_correlationId": "c"})
        self.wait_for("the item", lambda: self.has_item(3090))
        self.assertIsNone(private.find(lambda r: True, 0.5))

    def test_without_an_id_the_position_is_the_id(self):
        partition, offset = self.direct.send("item.commands", "3100", item(3100), {"ce_type": "item.create"})
        event = self.events.find(lambda e: e.key == b"3100")
        self.assertEqual(event.text("ce_id"), f"item.commands/{partition}/{offset}")

    def test_one_event_a_write_and_none_a_read(self):
        self.call("item.create", "3110", item(3110))
        self.call("item.get", "3110")
        self.call("item.create", "3110", item(3110, "again"))
        self.call("item.delete", "3110")
        self.events.find(lambda e: e.key == b"3110" and e.text(":status") == "204")
        self.assertEqual([e.text(":status") for e in self.events.seen if e.key == b"3110"], ["200", "400", "204"])

    def test_same_id_same_outcome_other_body_refused(self):
        first = self.call("item.create", "3120", item(3120), {"ce_id": "dup"})
        second = self.call("item.create", "3120", item(3120), {"ce_id": "dup"})
        third = self.call("item.create", "3120", item(3120, "other"), {"ce_id": "dup"})
        self.assertEqual((first.text(":status"), second.text(":status"), third.text(":status")), ("200", "200", "422"))
        self.assertEqual((first.text("ce_replayed"), second.text("ce_replayed")), (None, "true"))
        self.assertEqual(first.value, second.value)

    def test_expired_command_has_no_effect_and_does_not_bind(self):
        past, later = "2020-01-01T00:00:00Z", "2099-01-01T00:00:00+02:00"
        late = self.call("item.create", "3130", item(3130), {"ce_id": "late", "ce_expirytime": past})
        self.assertEqual(late.text(":status"), "504")
        self.assertFalse(self.has_item(3130))
        again = self.call("item.create", "3130", item(3130), {"ce_id": "late", "ce_expirytime": later})
        self.assertEqual((again.text(":status"), again.text("ce_replayed")), ("200", None))

    def test_what_cannot_be_decoded_becomes_a_dead_letter(self):
        for name, key, value, headers, status in (
                ("no type", "3140", b"x", {}, "400"), ("unknown type", "3140", b"{}", {"ce_type": "item.explode"}, "501"),
                ("bad key", "03140", b"{}", {"ce_type": "item.get"}, "422"), ("no key", None, b"{}", {"ce_type": "item.get"}, "422"),
                ("bad expiry", "3140", b"{}", {"ce_type": "item.get", "ce_expirytime": "soon"}, "400")):
            with self.subTest(name):
                mark = uuid.uuid4().hex
                reply = self.direct.call(self.replies, "item.commands", key, value, {**headers, "x-mark": mark})
                self.assertIsNotNone(reply)
                self.assertEqual(reply.text(":status"), status)
                dead = self.dead.find(lambda r: r.text("x-mark") == mark)
                self.assertIsNotNone(dead, "no dead letter")
                self.assertEqual((dead.key, dead.value), (key and key.encode(), value))
                self.assertEqual(dead.text("__dlq.errors.topic"), "item.commands")
                self.assertTrue(dead.text("__dlq.errors.partition").isdigit())
                self.assertTrue(dead.text("__dlq.errors.offset").isdigit())
                self.assertEqual(dead.text("__dlq.errors.group"), "item-workers")
                self.assertEqual(dead.text("__dlq.errors.delivery.count"), "1")
                self.assertEqual(dead.text("__dlq.errors.message"), reply.json()["detail"])

    def test_more_headers_than_are_read_are_no_way_around_the_contract(self):
        self.call("item.create", "3145", item(3145))
        many = {f"x-{i}": "v" for i in range(60)}
        many.update({"ce_id": "behind-60", "if-match": '"77"', "ce_expirytime": "2001-01-01T00:00:00Z"})
        own = {"ce_type": "item.put", "kafka_replyTopic": "replies.direct", "kafka_replyPartition": b"0", "kafka_correlationId": "many"}
        partition, offset = self.direct.send("item.commands", "3145", item(3145, "x"), {**own, **many})
        reply = self.replies.find(lambda r: r.headers.get("kafka_correlationId") == b"many")
        self.assertEqual(reply.text(":status"), "400")
        self.assertIn("48 headers", reply.json()["detail"])
        dead = self.dead.find(lambda r: r.text("__dlq.errors.offset") == str(offset) and r.text("__dlq.errors.partition") == str(partition))
        self.assertEqual(dead.key, b"3145")
        self.assertEqual(self.http().get("/items/3145").header("etag"), '"1"')

    def test_a_bad_body_is_the_callers_fault_not_a_dead_letter(self):
        reply = self.call("item.create", "3150", b"{'id':3150}")
        self.assertIn(reply.text(":status"), ("400", "422"))
        mismatch = self.call("item.create", "3151", item(3152))
        self.assertEqual(mismatch.text(":status"), "422")

    def test_trace_context_reaches_event_and_reply(self):
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        reply = self.call("item.create", "3160", item(3160), {"traceparent": trace})
        self.assertEqual(reply.text("traceparent"), trace)
        self.assertEqual(self.events.find(lambda e: e.key == b"3160").text("traceparent"), trace)


class ThirdWorker(ClusterTest):
    """tests/template-worker: what a newcomer copies must work as it stands."""

    options = {"gateways": 0, "item_workers": 0, "compute_workers": 0, "template": True}

    def test_put_and_get(self):
        direct = Direct(self.cluster.bootstrap)
        replies = direct.watch("replies.direct")
        self.addCleanup(replies.close)
        put = direct.call(replies, "note.commands", "shopping", {"text": "milk"}, {"ce_type": "note.put"})
        self.assertEqual((put.text(":status"), put.text("etag")), ("200", '"1"'))
        get = direct.call(replies, "note.commands", "shopping", None, {"ce_type": "note.get"})
        self.assertEqual(get.value, put.value)
        missing = direct.call(replies, "note.commands", "nothing", None, {"ce_type": "note.get"})
        self.assertEqual(missing.text(":status"), "404")
