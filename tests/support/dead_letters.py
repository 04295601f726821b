# SPDX-License-Identifier: Apache-2.0
"""For tests of what operators do about dead letters."""

import os
import subprocess

from http_client import Http
from processes import BUILD, SLACK, sanitizer_env
from trial import TrialTest

PROGRAM = BUILD / "deploy/roundtrip-dead-letters"


class DeadLetterTest(TrialTest):
    """A trial worker, a gateway that operators may use, and letters to look at."""

    options = {**TrialTest.options, "gateways": 1, "gateway_flags": ["--admin-port", "0"]}

    def setUp(self):
        super().setUp()
        self.admin = Http(self.cluster.admin_port(), 30.0 * SLACK)
        self.addCleanup(self.admin.close)

    def breaks(self, key):
        (self.cluster.trial / f"broken-{key}").touch()

    def mend(self, key):
        (self.cluster.trial / f"broken-{key}").unlink()

    def kill_letter(self, key, body=b'"x"'):
        """A dead letter about `key`: the command's id."""
        self.breaks(key)
        id = self.ask(key, body)
        self.assertEqual(self.answer(id).text(":status"), "500")
        return id

    def letters(self, **filters):
        query = "&".join(f"{k}={v}" for k, v in filters.items())
        response = self.admin.get(f"/dead-letters?{query}")
        self.assertEqual(response.status, 200, response.body)
        return response.json()

    def one(self, **filters):
        found = self.letters(**filters)["dead_letters"]
        self.assertEqual(len(found), 1, found)
        return found[0]

    def order(self, action, **what):
        response = self.admin.post(f"/dead-letters/{action}", what)
        self.assertEqual(response.status, 202, response.body)
        self.assertEqual(response.header("location"), f"/dead-letters/jobs/{response.json()['id']}")
        return response.json()["id"]

    def job(self, id):
        response = self.admin.get(f"/dead-letters/jobs/{id}")
        self.assertEqual(response.status, 200, response.body)
        return response.json()

    def ended(self, id, seconds=30):
        return self.wait_for("the job's end", lambda: (j := self.job(id))["phase"] in ("done", "cancelled") and j, seconds * SLACK)

    def program(self, *arguments, code=0):
        flags = self.cluster.common("cli")
        clean = {k: v for k, v in os.environ.items() if not k.startswith("ROUNDTRIP_")}
        done = subprocess.run([str(PROGRAM), *arguments, *flags], env={**clean, **sanitizer_env()}, capture_output=True, text=True,
                              timeout=120 * SLACK, check=False)
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        return done
