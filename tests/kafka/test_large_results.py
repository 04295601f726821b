# SPDX-License-Identifier: Apache-2.0
"""A result larger than a record, on a real Kafka, whose limits count for what is sent together; its workers are killed meanwhile."""

import hashlib
import http.client
import threading
import time

from cluster import ClusterTest
from http_client import Http
from kafka_client import Watch
from pictures import LARGE, check_png
from processes import SLACK

RECORD_MAX = 1_048_588  # what a broker takes that was not told otherwise


class Results(ClusterTest):
    weight = 60
    options = {"gateways": 2, "item_workers": 0, "compute_workers": 2, "gateway_flags": ["--deadline", "30s"]}

    def kill_one(self, which):
        worker = self.cluster.compute_workers[which % 2]
        worker.kill()
        time.sleep(0.5)
        worker.start().wait_ready()

    def digest(self, gateway, href):
        """Of the whole result; None: it was not to be had, or cut off, which a client sees."""
        client = Http(self.cluster.port(gateway), 60 * SLACK)
        try:
            client.connection.request("GET", href)
            answer = client.connection.getresponse()
            body = answer.read()
        except (http.client.HTTPException, OSError):
            return None
        finally:
            client.close()
        return hashlib.sha256(body).hexdigest() if answer.status == 200 else None

    def compute(self):
        accepted = self.cluster.http(0, 60 * SLACK).post("/computations/", {"kind": "mandelbrot", "params": LARGE}, Prefer="respond-async")
        self.assertEqual(accepted.status, 202, accepted.body)
        return accepted.header("location")

    def ended(self, where):
        return self.wait_for("the computation to end", lambda: self.done(where), 120)

    def done(self, where):
        answer = self.cluster.http(0, 60 * SLACK).get(where, Prefer="wait=20")
        return answer.json() if answer.status == 200 and answer.json()["state"] in ("succeeded", "failed") else None

    def check_log(self, count):
        """Parts are below the limit, and each event that names some has all of them before it."""
        log = Watch(self.cluster.bootstrap, "compute.events", from_beginning=True)
        events, parts = [], {}
        while len(events) < count:
            seen = len(log.seen)
            log.poll(10 * SLACK)
            self.assertGreater(len(log.seen), seen, "the log ends")
            record = log.seen[-1]
            key = (record.key or b"").decode()
            if key.startswith("__part/"):
                self.assertLess(len(record.value), RECORD_MAX // 2)
                parts[key.partition("/")[2]] = (record.partition, record.offset, len(record.value))
            elif record.text("reply-result") and "/" in record.text("reply-result").split(" ")[1]:
                events.append(record)
                size, where, kind = record.text("reply-result").split(" ")
                mine = [place for name, place in parts.items() if name.startswith(where.split("/")[1] + "/")]
                self.assertEqual((kind, sum(place[2] for place in mine)), ("image/png", int(size)))
                self.assertTrue(all(place[0] == record.partition and place[1] < record.offset for place in mine))
                self.assertGreater(len(mine), 1)
        log.close()

    def test_killed_while_it_is_computed_and_read(self):
        calm = self.ended(self.compute())
        self.assertEqual(calm["status"], 200)
        href = calm["result"]["result"]["href"]
        whole = self.cluster.http(1, 60 * SLACK).get(href)
        self.assertEqual(len(whole.body), calm["result"]["result"]["bytes"])
        check_png(self, whole.body, LARGE["width"], LARGE["height"])
        digest = hashlib.sha256(whole.body).hexdigest()

        hunted = self.compute()
        for which in range(3):
            time.sleep(1)
            self.kill_one(which)
        hunted = self.ended(hunted)
        self.assertEqual(hunted["status"], 200, hunted)
        found, stop = [], threading.Event()

        def read(gateway):
            while not stop.is_set():
                found.append(self.digest(gateway, hunted["result"]["result"]["href"]))
        threads = [threading.Thread(target=read, args=(gateway,)) for gateway in (0, 1)]
        for thread in threads:
            thread.start()
        for which in range(2):
            time.sleep(2)
            self.kill_one(which)
        time.sleep(2)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertLessEqual(set(found), {digest, None}, "never another, never half of it")
        self.assertGreater(found.count(digest), 3, found)
        for link in (href, hunted["result"]["result"]["href"]):
            self.assertEqual(self.wait_for("the result", lambda link=link: self.digest(1, link), 30), digest)
        self.check_log(2)
        print(f"{found.count(digest)} whole, {found.count(None)} refused or cut off while workers were killed", flush=True)
