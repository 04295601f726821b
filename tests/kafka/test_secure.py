# SPDX-License-Identifier: Apache-2.0
"""A Kafka with TLS and SASL: everything by kafka.* settings alone, secrets from files; and who is not let in."""

import json
import pathlib
import subprocess

import http_client
from cluster import ClusterTest
from metrics import admin_of
from processes import BUILD, Process, wait_for


class Secure(ClusterTest):
    options = {"broker": "kafka-secure", "gateway_flags": ["--admin-port", "0"], "worker_flags": ["--admin-port", "0"]}
    weight = 12

    def secrets(self):
        return pathlib.Path(self.cluster.broker.dir, "secrets")

    def password(self):
        return (self.secrets() / "roundtrip.password").read_text().strip()

    def program(self, name, *arguments):
        return subprocess.run([BUILD / name, *arguments], capture_output=True, text=True, timeout=60, check=False)

    def test_requests_are_answered(self):
        http = self.http()
        self.assertEqual(http.post("/items/", {"id": 1, "name": "n", "description": "d"}).status, 200)
        self.assertEqual(http.get("/items/1").json(), {"id": 1, "name": "n", "description": "d"})
        self.assertEqual(http.get("/heavy_computation/?n=1000").status, 200)
        accepted = http.post("/computations/", {"kind": "primes", "params": {"n": 100000}}, Prefer="respond-async")
        self.assertEqual(accepted.status, 202)
        result = http.get(accepted.header("location"), Prefer="wait=10")
        self.assertEqual(result.status, 200)
        self.assertIn(b"9592", result.body)

    def test_dead_letters_are_read_by_the_program(self):
        security = self.cluster.broker.security()
        kcat = [word for name, value in security.items() for word in ("-X", f"{name}={self.password() if value.startswith('@') else value}")]
        sent = subprocess.run(["kcat", "-b", self.cluster.bootstrap, "-P", "-t", "item.commands", "-k", "7", "-H", "ce_type=nobody.knows", "-H", "ce_id=secure-1", *kcat],
                              input="{}", capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(sent.returncode, 0, sent.stderr)

        def listed():
            done = self.program("deploy/roundtrip-dead-letters", "list", "--json", *self.cluster.common("tool")[:2], *self.cluster.security)
            return [json.loads(line) for line in done.stdout.splitlines() if "secure-1" in line]
        self.assertTrue(wait_for("the dead letter", listed, 20))

    def test_no_password_in_logs_pages_or_settings(self):
        for process in self.cluster.everything:
            with self.subTest(process.name):
                http = admin_of(process)
                pages = [http.get(path).body.decode() for path in ("/metrics", "/debug/state")]
                http.close()
                for text in (process.log(), *pages):
                    self.assertNotIn(self.password(), text)
        shown = self.program("item-worker/roundtrip-item-worker", "--check", *self.cluster.common("worker"))
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertIn("kafka.sasl.password=***", shown.stdout)
        self.assertNotIn(self.password(), shown.stdout)

    def changed(self, **properties):
        names = {name.replace("_", "."): value for name, value in properties.items()}
        return [word for name, value in (self.cluster.broker.security() | names).items() for word in (f"--kafka.{name}", value)]

    def start_with(self, name, program, flags):
        process = Process(name, [BUILD / program, *self.cluster.common(name)[:-len(self.cluster.security)], *flags], self.cluster.folder)
        process.start()
        self.addCleanup(process.kill)
        return process

    def test_a_wrong_password_is_said_and_nothing_is_served(self):
        wrong = self.cluster.folder / "wrong"
        wrong.write_text("not the password\n")
        flags = self.changed(sasl_password=f"@{wrong}") + ["--state-dir", str(self.cluster.folder / "wrong-state")]
        worker = self.start_with("wrong-worker", "item-worker/roundtrip-item-worker", flags)
        wait_for("its log", lambda: "Authentication failed" in worker.log(), 20)
        gateway = self.start_with("wrong-gateway", "gateway/roundtrip-gateway", flags[:-2] + ["--port", "0"])
        url = wait_for("its address", lambda: [line for line in gateway.log().splitlines() if 'msg="listening" ' in line], 20)[0]
        http = http_client.Http(int(url.split("url=http://127.0.0.1:")[1].split()[0]))
        self.assertProblem(http.get("/items/1"), 503)
        wait_for("its log", lambda: "Authentication failed" in gateway.log(), 20)
        self.assertFalse(worker.ready_path.exists() or gateway.ready_path.exists())
        for process in (worker, gateway):
            self.assertNotIn("not the password", process.log())

    def test_another_authority_is_not_trusted(self):
        done = self.program("deploy/roundtrip-topics", "--kafka", self.cluster.bootstrap, "--timeout", "3s",
                            *self.changed(ssl_ca_location=str(self.secrets() / "other.pem")))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("other.pem", done.stderr)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=other", "-keyout", self.secrets() / "other.key",
                        "-out", self.secrets() / "other.pem"], check=True, capture_output=True, timeout=60)
        done = self.program("deploy/roundtrip-topics", "--kafka", self.cluster.bootstrap, "--timeout", "3s",
                            *self.changed(ssl_ca_location=str(self.secrets() / "other.pem")))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("certificate verify failed", done.stderr)

    def test_a_secret_file_that_is_missing_is_said(self):
        done = self.program("item-worker/roundtrip-item-worker", "--check", "--kafka.sasl.password", "@/nowhere/password")
        self.assertEqual(done.returncode, 2)
        self.assertIn("/nowhere/password", done.stderr)
