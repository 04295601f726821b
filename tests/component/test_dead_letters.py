# SPDX-License-Identifier: Apache-2.0
"""Dead letters as operators see them: over HTTP on the admin listener, and on the command line."""

import json
import time

from dead_letters import DeadLetterTest
from kafka_client import Watch
from processes import SLACK, once
from trial import TrialTest


class DeadLetters(DeadLetterTest):
    weight = 30

    def test_listed_by_what_they_are(self):
        self.kill_letter("list-a")
        id = self.kill_letter("list-b", b'"\xc3\xa4"')
        letter = self.one(key="list-b")
        self.assertEqual(letter["command_id"], id)
        self.assertEqual((letter["service"], letter["class"], letter["type"], letter["state"]),
                         ("trial", "permanent", "trial.put", "open"))
        self.assertEqual(letter["reason"], "the dependency refuses this for good")
        self.assertEqual(letter["deliveries"], 1)
        self.assertEqual(letter["origin"]["topic"], "trial.commands")
        for filters in ({"service": "trial"}, {"class": "permanent"}, {"type": "trial.put"}, {"command_id": id},
                        {"since": "10m"}, {"reason_contains": "for%20good"}, {"state": "any"}):
            with self.subTest(filters):
                self.assertIn(letter["id"], [x["id"] for x in self.letters(limit=1000, **filters)["dead_letters"]])
        for filters in ({"service": "item"}, {"class": "poison", "key": "list-b"}, {"until": "10m"}, {"since": "2199-01-01T00:00:00Z"},
                        {"reason_contains": "nobody"}, {"state": "discarded", "key": "list-b"}):
            with self.subTest(filters):
                self.assertEqual(self.letters(**filters)["dead_letters"], [])

    def test_pages(self):
        for i in range(7):
            self.kill_letter(f"page-{i}")
        whole = [x["id"] for x in self.letters(service="trial", limit=1000)["dead_letters"]]
        seen, after = [], {}
        while True:
            page = self.letters(service="trial", limit=3, **after)
            seen += [x["id"] for x in page["dead_letters"]]
            self.assertLessEqual(len(page["dead_letters"]), 3)
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        self.assertEqual(seen, whole)

    def test_read_one(self):
        id = self.kill_letter("read", b'"body \xc3\xa4"')
        letter = self.admin.get(f"/dead-letters/{self.one(key='read')['id']}").json()
        self.assertEqual(letter["body"], '"body ä"')
        headers = {h["name"]: h.get("value") for h in letter["headers"]}
        self.assertEqual(headers["ce_id"], id)
        self.assertEqual(headers["__dlq.errors.delivery.count"], "1")
        self.assertEqual([h["id"] for h in letter["history"]], [letter["id"]])

    def test_what_is_not_text(self):
        self.direct.send("trial.commands", "odd", b"\xff\x00\x01", {"ce_type": "no type!", "x": b"\xfe"})
        letter = self.wait_for("the letter", lambda: self.letters(key="odd")["dead_letters"])[0]
        self.assertEqual(letter["class"], "poison")
        whole = self.admin.get(f"/dead-letters/{letter['id']}").json()
        self.assertEqual(whole["body_base64"], "/wAB")
        self.assertIn({"name": "x", "value_base64": "/g=="}, whole["headers"])

    def test_redriven_once_mended(self):
        id = self.kill_letter("redo", b'"first"')
        self.assertEqual(self.answer(self.ask("redo", type="trial.look")).text(":status"), "404")
        self.mend("redo")
        dry = self.admin.post("/dead-letters/redrive", {"key": "redo", "dry_run": True})
        self.assertEqual(dry.status, 200, dry.body)
        self.assertEqual((dry.json()["would_act_on"], dry.json()["first"][0]["command_id"]), (1, id))
        self.assertEqual(self.one(key="redo")["state"], "open", "a dry run does nothing")
        job = self.ended(self.order("redrive", key="redo"))
        self.assertEqual((job["phase"], job["done"], job["too_often"], job["unfit"]), ("done", 1, 0, 0))
        self.assertEqual(self.answer(id, skip=1).text(":status"), "200")
        look = self.answer(self.ask("redo", type="trial.look"))
        self.assertEqual((look.value, look.text("etag")), (b'"first"', '"1"'))
        letter = self.one(key="redo", state="redriven")
        self.assertEqual(letter["job"], job["id"])
        again = self.ended(self.order("redrive", key="redo"))
        self.assertEqual((again["already"], again["done"]), (1, 0), "a letter is redriven once, and that is said")
        forced = self.ended(self.order("redrive", key="redo", state="redriven"))
        self.assertEqual(forced["done"], 1)
        self.answer(id, skip=2)
        self.assertEqual(self.answer(self.ask("redo", type="trial.look")).text("etag"), '"1"', "and has its effect once")

    def test_dies_again_until_it_went_round_too_often(self):
        id = self.kill_letter("round")
        for rounds in (1, 2):
            letter = self.one(key="round")
            self.assertEqual(letter["deliveries"], rounds)
            job = self.ended(self.order("redrive", ids=[letter["id"]], max_rounds=2))
            self.assertEqual(job["done"], 1)
            self.answer(id, skip=rounds)
            self.wait_for("the next letter", lambda n=rounds: self.one(key="round")["deliveries"] == n + 1)
        letter = self.one(key="round")
        job = self.ended(self.order("redrive", key="round", max_rounds=2))
        self.assertEqual((job["done"], job["too_often"]), (0, 1))
        whole = self.admin.get(f"/dead-letters/{letter['id']}").json()
        self.assertEqual([h["state"] for h in whole["history"]], ["redriven", "redriven", "open"])
        self.assertEqual(len({json.dumps(h["origin"]) for h in whole["history"]}), 1, "the first origin is kept")

    def test_discarded_with_a_reason(self):
        self.kill_letter("discard")
        self.assertProblem(self.admin.post("/dead-letters/discard", {"key": "discard"}), 422)
        job = self.ended(self.order("discard", key="discard", reason="a test's"))
        self.assertEqual(job["done"], 1)
        self.assertEqual(self.letters(key="discard")["dead_letters"], [])
        letter = self.one(key="discard", state="discarded")
        self.assertEqual((letter["discard_reason"], letter["job"]), ("a test's", job["id"]))

    def test_a_slow_job_does_not_hold_up_the_next(self):
        for i in range(20):
            self.kill_letter(f"slow-{i}")
        slow = self.order("redrive", service="trial", type="trial.put", reason_contains="good", rate=1)
        self.wait_for("a beginning", lambda: self.job(slow)["done"] > 0, 20 * SLACK)
        self.kill_letter("small")
        began = time.monotonic()
        quick = self.ended(self.order("discard", key="small", reason="it is small"))
        self.assertEqual((quick["phase"], quick["done"]), ("done", 1))
        took = time.monotonic() - began
        at = self.job(slow)
        print(f"a discard beside a redrive at 1 a second: {took:.1f} s", flush=True)
        self.assertEqual((at["phase"], at["done"] < 20), ("running", True))
        self.assertEqual(self.admin.request("DELETE", f"/dead-letters/jobs/{slow}").status, 202)
        self.ended(slow)

    def test_cancelled_without_loss(self):
        for i in range(12):
            self.kill_letter(f"cancel-{i}", b'"%d"' % i)
            self.mend(f"cancel-{i}")
        job = self.order("redrive", service="trial", type="trial.put", rate=4, reason_contains="good", since="1h")
        self.wait_for("a beginning", lambda: self.job(job)["done"] > 0, 20 * SLACK)
        self.assertEqual(self.admin.request("DELETE", f"/dead-letters/jobs/{job}").status, 202)
        ended = self.ended(job)
        self.assertEqual(ended["phase"], "cancelled")
        self.assertProblem(self.admin.request("DELETE", f"/dead-letters/jobs/{job}"), 409)
        marked = [x for x in self.letters(state="redriven", limit=1000)["dead_letters"] if x["job"] == job]
        self.assertEqual(len(marked), ended["done"])
        rest = self.ended(self.order("redrive", service="trial", type="trial.put"))
        self.assertEqual(rest["phase"], "done")
        for i in range(12):
            self.wait_for(f"cancel-{i}", lambda i=i: self.answer(self.ask(f"cancel-{i}", type="trial.look")).text(":status") == "200")

    def test_what_was_too_large_is_sent_from_where_it_lies(self):
        """Between others of its partition, which are being read at the same time."""
        ids = [self.kill_letter("large", b'"%s"' % (b"x" * (999_700 if i % 2 else i))) for i in range(5)]
        large = self.one(command_id=ids[1])
        whole = self.admin.get(f"/dead-letters/{large['id']}").json()
        self.assertIn({"name": "__dlq.errors.omitted", "value": "value"}, whole["headers"])
        self.mend("large")
        job = self.ended(self.order("redrive", key="large"))
        self.assertEqual((job["done"], job["unfit"], job["examined"]), (5, 0, job["total"]))
        for id, status in zip(ids, ("200", "413", "200", "413", "200")):
            self.assertEqual(self.answer(id, skip=1).text(":status"), status)

    def test_a_letter_that_there_is_not_is_no_job(self):
        """It would wait for a topic that never comes, and every job after it."""
        self.kill_letter("named")
        letter = self.one(key="named")["id"]
        for id in ("ghost-0-0", "trial-99-0", "trial-0-999999"):
            with self.subTest(id):
                self.assertProblem(self.admin.post("/dead-letters/redrive", {"ids": [letter, id]}), 404, f"there is no dead letter {id} (any more).")
                self.program("discard", id, "--reason", "x", code=1)
        self.assertEqual(self.ended(self.order("discard", ids=[letter], reason="x"))["done"], 1)

    def test_a_command_without_an_id_keeps_its_place_as_its_id(self):
        self.breaks("noid")
        partition, offset = self.direct.send("trial.commands", "noid", b'"x"', {"ce_type": "trial.put"})
        letter = self.wait_for("the letter", lambda: self.letters(key="noid")["dead_letters"])[0]
        self.assertEqual(letter["command_id"], f"trial.commands/{partition}/{offset}")
        self.mend("noid")
        self.ended(self.order("redrive", key="noid"))
        look = self.wait_for("the effect", lambda: (a := self.answer(self.ask("noid", type="trial.look"))).text(":status") == "200" and a)
        self.assertEqual(look.text("etag"), '"1"')

    def test_wrong_questions(self):
        for path in ("/dead-letters?kee=1", "/dead-letters?limit=0", "/dead-letters?since=soon", "/dead-letters?state=lost",
                     "/dead-letters?after=x"):
            with self.subTest(path):
                self.assertProblem(self.admin.get(path), 422)
        self.assertProblem(self.admin.get("/dead-letters?service=nobody"), 404)
        for path in ("/dead-letters/trial-0-999999", "/dead-letters/trial-99-0", "/dead-letters/x", "/dead-letters/nobody-0-0",
                     "/dead-letters/jobs/none", "/"):
            with self.subTest(path):
                self.assertProblem(self.admin.get(path), 404)
        for body in ({}, {"key": 1}, {"kee": "x"}, {"key": "x", "rate": 0}, {"ids": ["x"]}, {"ids": [1]}, {"key": "x", "reason": "y"},
                     {"key": "x", "state": "any"}, {"all": "yes"}):
            with self.subTest(body):
                self.assertProblem(self.admin.post("/dead-letters/redrive", body), 422)

    def test_breakers_are_seen(self):
        def phase():
            breakers = self.admin.get("/breakers").json()["breakers"]
            return [b["phase"] for b in breakers if (b["service"], b["operation"]) == ("trial", "trial.put")]
        down = self.cluster.trial / "down"
        down.touch()
        ids = [self.ask(f"outage-{i}") for i in range(8)]
        self.wait_for("an open breaker", lambda: phase() == ["open"], 20 * SLACK)
        self.assertIn('"trial.put","phase":"open"', self.program("breakers").stdout)
        down.unlink()
        for id in ids:
            self.assertEqual(self.answer(id).text(":status"), "200")
        self.wait_for("a closed breaker", lambda: phase() == ["closed"], 20 * SLACK)

    def test_not_for_web_pages(self):
        for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "localhost.evil.example"}):
            with self.subTest(headers):
                self.assertProblem(self.admin.request("GET", "/dead-letters", headers=headers), 403)
        port = self.cluster.admin_port()
        self.assertEqual(self.admin.request("GET", "/dead-letters", headers={"Origin": f"http://127.0.0.1:{port}",
                                                                             "Host": f"127.0.0.1:{port}"}).status, 200)

    def test_on_the_command_line(self):
        ids = [self.kill_letter(f"cli-{i}") for i in range(3)]
        listed = [json.loads(line) for line in self.program("list", "--service", "trial", "--json", "--limit", "1000").stdout.splitlines()]
        mine = [x for x in listed if x["command_id"] in ids]
        self.assertEqual(len(mine), 3)
        table = self.program("list", "--key", "cli-1").stdout.splitlines()
        self.assertEqual(len(table), 2)
        self.assertIn("permanent", table[1])
        whole = json.loads(self.program("read", mine[0]["id"]).stdout)
        self.assertEqual(whole["body"], '"x"')
        self.program("redrive", code=2)
        self.program("discard", "--key", "cli-0", code=2)
        self.program("read", "trial-0-999999", code=1)
        dry = self.program("redrive", "--key", "cli-0", "--dry-run")
        self.assertIn("Nothing was done. 1 of", dry.stderr)
        self.mend("cli-0")
        done = json.loads(self.program("redrive", mine[0]["id"] if mine[0]["key"] == "cli-0" else self.one(key="cli-0")["id"]).stdout)
        self.assertEqual((done["phase"], done["done"]), ("done", 1))
        self.assertEqual(self.answer(ids[0], skip=1).text(":status"), "200")
        done = json.loads(self.program("discard", "--key", "cli-1", "--reason", "not wanted").stdout)
        self.assertEqual((done["phase"], done["done"]), ("done", 1))
        self.assertIn(done["id"], self.program("jobs").stdout)
        self.program("cancel", done["id"], code=1)


class Forgotten(DeadLetterTest):
    @once("Kafka deletes by time, and looks every five minutes")
    def test_marks_go_with_their_letters(self):
        self.kill_letter("forget")
        self.mend("forget")
        self.assertEqual(self.ended(self.order("redrive", key="forget"))["done"], 1)
        name = self.one(key="forget", state="redriven")["id"]
        partition = int(name.split("-")[1])
        for i in range(16):  # more than the embedded broker keeps
            self.direct.send("dlq.trial.commands", f"flood-{i}", b"x" * 900_000, {}, partition)
        self.cluster.restart(self.cluster.gateways[0])
        control = Watch(self.cluster.bootstrap, "control", from_beginning=True)
        self.addCleanup(control.close)
        key = f"mark/{name}".encode()
        self.assertIsNotNone(control.find(lambda r: r.key == key and r.value is not None, 20))
        self.assertIsNotNone(control.find(lambda r: r.key == key and r.value is None, 20), "a tombstone")


class AdminToken(DeadLetterTest):
    options = {**DeadLetterTest.options, "gateway_flags": ["--admin-port", "0", "--admin-token", "s3cret"]}

    def test_only_with_the_token(self):
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "s3cret"}, {"Authorization": "Bearer s3cret2"}):
            with self.subTest(headers):
                self.assertProblem(self.admin.request("GET", "/dead-letters", headers=headers), 401)
        self.assertEqual(self.admin.request("GET", "/dead-letters", headers={"Authorization": "Bearer s3cret"}).status, 200)

    def test_probes_need_none(self):
        for path in ("/health/live", "/health/ready"):
            self.assertEqual(self.admin.request("GET", path, headers={"Host": "10.0.0.7:9080"}).status, 200, path)
        for path in ("/metrics", "/debug/state", "/health", "/health/ready/x"):
            self.assertProblem(self.admin.request("GET", path), 401)


class WithoutAGateway(DeadLetterTest):
    """The command line alone: it runs its jobs itself."""

    options = {**TrialTest.options, "gateways": 0}

    def setUp(self):
        TrialTest.setUp(self)

    def test_runs_its_jobs_itself(self):
        id = self.kill_letter("alone")
        self.mend("alone")
        ran = self.program("redrive", "--key", "alone")
        self.assertEqual(json.loads(ran.stdout)["done"], 1)
        self.assertIn("running it here", ran.stderr)
        self.assertEqual(self.answer(id, skip=1).text(":status"), "200")
