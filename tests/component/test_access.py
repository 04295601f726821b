# SPDX-License-Identifier: Apache-2.0
"""Who may call, over what, and from which web pages: API keys, tokens, TLS, CORS."""

import base64
import hashlib
import hmac
import http.client
import itertools
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time

from cluster import ClusterTest
from credentials import Issuer, b64url, certificate, key_line, trusting, write_private
from kafka_client import Watch
from processes import BUILD, SLACK, Process, scratch_folder, wait_for

NUMBERS = itertools.count()
ALICE, BOB = "alice-key-0123456789abcdef", "bob-key-0123456789abcdef"


def item(id, name="n"):
    return {"id": id, "name": name, "description": "d"}


def bearer(credential):
    return {"Authorization": f"Bearer {credential}"}


class WithFiles(ClusterTest):
    """`flags`: of the gateway, given the folder of the class's files."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = scratch_folder()
        cls.options = {**cls.options, "gateway_flags": [str(f) for f in cls.flags(cls.scratch.name)]}
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            cls.scratch.cleanup()

    def ask(self, method, path, body=None, gateway=0, **headers):
        client = self.http(gateway)
        return client.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})

    def logs(self):
        return "".join(g.log() for g in self.cluster.gateways)


class OwnComputations(WithFiles):
    """Listed, cancelled and given again to who asked for them."""

    options = {"gateways": 1, "item_workers": 0}

    @classmethod
    def flags(cls, folder):
        keys = write_private(os.path.join(folder, "keys"), key_line("alice", ALICE) + key_line("bob", BOB))
        return ["--api-keys", keys, "--reuse-max-age", "1h"]

    def compute(self, who, params, **headers):
        return self.ask("POST", "/computations/", {"kind": "primes", "params": params}, **{**bearer(who), **headers})

    def listed(self, who):
        return [one["id"] for one in self.ask("GET", "/computations/?limit=100", **bearer(who)).json()["computations"]]

    def test_each_sees_his_own(self):
        of_alice = self.compute(ALICE, {"n": 100}).json()["id"]
        of_bob = self.compute(BOB, {"n": 100}).json()["id"]
        self.assertIn(of_alice, self.listed(ALICE))
        self.assertNotIn(of_bob, self.listed(ALICE))
        self.assertIn(of_bob, self.listed(BOB))
        for worker in self.cluster.compute_workers:
            self.cluster.restart(worker)
        self.assertIn(of_alice, self.listed(ALICE))
        self.assertNotIn(of_bob, self.listed(ALICE))

    def test_each_cancels_his_own(self):
        where = self.compute(ALICE, {"n": 9_000_000_000}, Prefer="respond-async").header("location")

        def running():
            return [id for id in self.listed(ALICE) if self.ask("GET", f"/computations/{id}", **bearer(ALICE)).json()["state"] == "running"]
        id = wait_for("it to run", running)[0]
        self.assertProblem(self.ask("DELETE", f"/computations/{id}", **bearer(BOB)), 403)
        self.assertEqual(self.ask("DELETE", f"/computations/{id}", **bearer(ALICE)).status, 202)
        self.assertEqual(self.ask("GET", where, **bearer(ALICE), Prefer="wait=20").json()["status"], 409)

    def test_nobody_gets_anothers_answer(self):
        made = self.compute(ALICE, {"n": 12345})
        self.assertEqual(self.compute(ALICE, {"n": 12345}, Cache_Control="max-age=60").body, made.body)
        other = self.compute(BOB, {"n": 12345}, Cache_Control="max-age=60")
        self.assertEqual((other.status, other.header("age")), (200, None))
        self.assertNotEqual(other.json()["id"], made.json()["id"])

    def test_results_are_private_to_caches(self):
        where = self.compute(ALICE, {"n": 100}, Prefer="respond-async").header("location")
        answer = self.ask("GET", where + "/result", **bearer(ALICE), Prefer="wait=20")
        self.assertEqual((answer.json(), answer.header("cache-control")), ({"count": 25}, "private, max-age=3600, immutable"))


class KeysAndTokens(WithFiles):
    options = {"gateways": 2, "compute_workers": 0}

    @classmethod
    def flags(cls, folder):
        cls.issuer = Issuer(folder)
        keys = write_private(os.path.join(folder, "keys"), "# who may call\n" + key_line("alice", ALICE) + key_line("bob", BOB))
        return ["--api-keys", keys, "--jwt-key", cls.issuer.public, "--jwt-issuer", "https://id.example", "--jwt-audience", "roundtrip",
                "--max-header", "16KiB",  # more than a token may have
                "--log-level", "debug"]

    def token(self, subject="carol", **claims):
        return self.issuer.token(subject, **{"iss": "https://id.example", "aud": "roundtrip", **claims})

    def assertUnknown(self, response, sent=True):
        problem = self.assertProblem(response, 401)
        self.assertIn("Bearer", problem["detail"])
        self.assertEqual("invalid_token" in response.header("www-authenticate"), sent)
        return problem["detail"]

    def test_nobody_is_refused_and_health_is_open(self):
        for method, path in (("GET", "/items/1"), ("GET", "/items/"), ("POST", "/items/"), ("GET", "/nope"), ("PATCH", "/items/1"),
                             ("OPTIONS", "/items/1"), ("GET", "/operations/x"), ("GET", "/healthy"), ("GET", "/health")):
            self.assertUnknown(self.ask(method, path), sent=False)
        for path in ("/health/live", "/health/ready"):
            self.assertEqual(self.ask("GET", path).status, 200)

    def test_keys(self):
        for headers in (bearer(ALICE), {"Authorization": f"bearer {ALICE}"}, {"X-API-Key": BOB}):
            self.assertEqual(self.ask("GET", "/items/1", **headers).status, 404)
        for headers in (bearer(ALICE[:-1]), bearer(ALICE + "x"), {"X-API-Key": "x"}, {"X-API-Key": ""}, {"Authorization": "Bearer "},
                        {"Authorization": ALICE}, {"Authorization": "Basic " + base64.b64encode(ALICE.encode()).decode()},
                        {**bearer(ALICE), "X-API-Key": ALICE}, bearer("alice"),
                        bearer(hashlib.sha256(ALICE.encode()).hexdigest())):
            with self.subTest(headers=headers):
                self.assertUnknown(self.ask("GET", "/items/1", **headers))

    def test_two_credentials_are_none(self):
        client = http.client.HTTPConnection("127.0.0.1", self.cluster.port())
        self.addCleanup(client.close)
        client.putrequest("GET", "/items/1")
        client.putheader("Authorization", f"Bearer {ALICE}")
        client.putheader("Authorization", f"Bearer {BOB}")
        client.endheaders()
        self.assertEqual(client.getresponse().status, 401)

    def test_tokens(self):
        now = int(time.time())
        for token in (self.token(), self.token(aud=["x", "roundtrip"]), self.token(nbf=now - 5), self.token(exp=now + 0.5),
                      self.token(header={"typ": None})):
            self.assertEqual(self.ask("GET", "/items/1", **bearer(token)).status, 404)
        for why, token in (("expired", self.token(exp=now - 100)), ("exp", self.token(exp=None)), ("exp", self.token(exp="soon")),
                           ("nbf", self.token(nbf=now + 100)), ("iss", self.token(iss="https://other.example")),
                           ("iss", self.token(iss=None)), ("aud", self.token(aud="x")), ("aud", self.token(aud=[])),
                           ("aud", self.token(aud=None)), ("sub", self.token(sub=None)), ("sub", self.token("")),
                           ("sub", self.token("x" * 125)), ("sub", self.token("a\nb")), ("sub", self.token(7))):
            with self.subTest(why=why):
                self.assertIn(why, self.assertUnknown(self.ask("GET", "/items/1", **bearer(token))))
        self.assertUnknown(self.ask("GET", "/items/1", X_API_Key=self.token()))  # that is for keys

    def test_only_what_the_key_signed(self):
        head, body, signature = self.token().split(".")
        other = b64url(json.dumps({"sub": "root", "exp": 9999999999, "iss": "https://id.example", "aud": "roundtrip"}).encode())
        none = b64url(b'{"alg":"none","typ":"JWT"}')
        longer = b64url(b'{"alg":"HS512","typ":"JWT"}')
        strong = b64url(hmac.new(self.issuer.secret.encode(), f"{longer}.{body}".encode(), hashlib.sha512).digest())
        wrong = Issuer(self.scratch.name, secret="another secret of thirty-two bytes!!", name="other").token(
            iss="https://id.example", aud="roundtrip")
        for token in (f"{head}.{other}.{signature}", f"{none}.{body}.", f"{none}.{body}.{signature}", f"{head}.{body}.",
                      f"{head}.{body}", f"{longer}.{body}.{strong}", wrong, self.token(header={"crit": ["x"], "x": 1}), "..", "a.b.c", "x" * 9000):
            with self.subTest(token=token[:60]):
                self.assertUnknown(self.ask("GET", "/items/1", **bearer(token)))

    def test_each_principal_has_its_own_keys(self):
        key = {"Idempotency-Key": "same-for-all"}
        created = self.ask("POST", "/items/", item(9_500_001), **key, **bearer(ALICE))
        self.assertEqual((created.status, created.header("Idempotency-Replayed")), (200, None))
        # bob's request with that key is another command, with an outcome of its own, also about another item
        self.assertProblem(self.ask("POST", "/items/", item(9_500_001), **key, **bearer(BOB)), 400, "Item already exists")
        self.assertEqual(self.ask("POST", "/items/", item(9_500_002), **key, **bearer(self.token("alice"))).status, 200)
        for gateway in (0, 1):
            again = self.ask("POST", "/items/", item(9_500_001), gateway=gateway, **key, **bearer(ALICE))
            self.assertEqual((again.status, again.header("Idempotency-Replayed")), (200, "true"))
            again = self.ask("POST", "/items/", item(9_500_001), gateway=gateway, **key, **bearer(BOB))
            self.assertEqual((again.status, again.header("Idempotency-Replayed")), (400, "true"))
        # one key for two items is still refused, to each principal by its own, also through the other gateway
        self.assertProblem(self.ask("POST", "/items/", item(9_500_003), **key, **bearer(ALICE)), 422)
        self.wait_for("the other gateway to see it", lambda: self.ask(
            "POST", "/items/", item(9_500_003), gateway=1, **key, **bearer(BOB)).status == 422)
        computed = [self.ask("POST", "/items/", item(9_500_004 + n), Idempotency_Key="mine", **bearer(who)).status
                    for n, who in enumerate((ALICE, BOB))]
        self.assertEqual(computed, [200, 200])

    def test_operations_of_others_are_not_told_about(self):
        accepted = self.ask("POST", "/items/", item(9_500_010), Idempotency_Key="op", Prefer="respond-async", **bearer(ALICE))
        self.assertEqual(accepted.status, 202)
        where = accepted.header("location")
        done = self.ask("GET", where, Prefer="wait=10", **bearer(ALICE))
        self.assertEqual((done.status, done.json()["state"]), (200, "succeeded"))
        for method in ("GET", "DELETE"):
            for credential in (BOB, self.token("alice")):
                self.assertProblem(self.ask(method, where, **bearer(credential)), 404)
        self.assertProblem(self.ask("GET", where + "/events", **bearer(BOB)), 404)
        nobodys = b64url(b"item\nidem:POST:/items:op\n9500010")
        self.assertProblem(self.ask("GET", f"/operations/{nobodys}", **bearer(ALICE)), 404)

    def test_the_command_says_who_asked(self):
        watch = Watch(self.cluster.bootstrap, "item.commands")
        self.addCleanup(watch.close)
        for id, credential, kind, who in ((9_500_020, ALICE, "api_key", "alice"), (9_500_021, BOB, "api_key", "bob"),
                                          (9_500_022, self.token("alice"), "unknown", "jwt:alice"),
                                          (9_500_023, self.token("J\u00f6rg"), "unknown", "jwt:J\u00f6rg")):
            self.assertEqual(self.ask("POST", "/items/", item(id), Idempotency_Key="who", ce_authid="root", **bearer(credential)).status, 200)
            cmd = watch.find(lambda r, id=id: r.key == str(id).encode() and r.text("ce_type") == "item.create")
            self.assertEqual((cmd.text("ce_authtype"), cmd.text("ce_authid")), (kind, who))
            self.assertEqual(cmd.text("ce_id"), f"idem:{len(who.encode())}:{who}:POST:/items:who")

    def test_secrets_are_in_no_log(self):
        token = self.token()
        self.ask("GET", "/items/1", **bearer(ALICE))
        self.ask("GET", "/items/1", **bearer(token))
        self.ask("GET", "/items/1", **bearer("wrong-" + ALICE))
        log = self.logs()
        self.assertIn('msg="received"', log)  # it is a log of all that happens
        for secret in (ALICE, BOB, token, token.split(".")[2], self.issuer.secret, hashlib.sha256(ALICE.encode()).hexdigest()):
            self.assertNotIn(secret, log)


class PublicKeys(WithFiles):
    """Tokens by RS256 at the first gateway, by ES256 at the second."""

    options = {"gateways": 0, "item_workers": 1, "compute_workers": 0}

    @classmethod
    def flags(cls, folder):
        cls.issuers = [Issuer(folder, "RS256"), Issuer(folder, "ES256")]
        return []

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for issuer in cls.issuers:
            cls.cluster.add_gateway(flags=["--jwt-key", str(issuer.public)])

    def status(self, gateway, token):
        return self.ask("GET", "/items/1", gateway=gateway, **bearer(token)).status

    def test_signed_by_the_private_key(self):
        for gateway, issuer in enumerate(self.issuers):
            with self.subTest(algorithm=issuer.algorithm):
                good = issuer.token()
                self.assertEqual(self.status(gateway, good), 404)
                self.assertEqual(self.status(1 - gateway, good), 401)
                self.assertEqual(self.status(gateway, good[:-8] + "AAAAAAAA"), 401)
                self.assertEqual(self.status(gateway, issuer.token(aud="somebody")), 401)  # and not for this one

    def test_the_public_key_is_no_secret(self):
        """The confusion of algorithms: HS256 with what everybody may know as the secret."""
        for gateway, issuer in enumerate(self.issuers):
            pem = issuer.public.read_text()
            for secret in (pem, pem.rstrip("\n")):
                forger = Issuer(self.scratch.name, secret=secret, name="forger")
                self.assertEqual(self.status(gateway, forger.token()), 401)
            self.assertEqual(self.status(gateway, b64url(b'{"alg":"none"}') + "." + issuer.token().split(".")[1] + "."), 401)
            self.assertEqual(self.status(gateway, issuer.token(header={"alg": "RS512"})), 401)


class Off(ClusterTest):
    """As it comes: nobody is asked who they are, and pages get nothing."""

    options = {"compute_workers": 0}

    def test_credentials_are_not_looked_at(self):
        watch = Watch(self.cluster.bootstrap, "item.commands")
        self.addCleanup(watch.close)
        response = self.http().request("POST", "/items/", item(9_510_001), {"Authorization": "Bearer x", "Idempotency-Key": "off",
                                                                            "Origin": "https://app.example"})
        self.assertEqual(response.status, 200)
        self.assertIsNone(response.header("access-control-allow-origin"))
        self.assertIsNone(response.header("vary"))
        cmd = watch.find(lambda r: r.key == b"9510001")
        self.assertEqual(cmd.text("ce_id"), "idem:POST:/items:off")
        self.assertIsNone(cmd.text("ce_authid"))
        self.assertIsNone(cmd.text("ce_authtype"))
        self.assertNotIn("listening beyond", self.cluster.gateways[0].log())


class Tls(WithFiles):
    options = {"gateways": 1, "item_workers": 1, "compute_workers": 1}

    @classmethod
    def flags(cls, folder):
        cls.cert, cls.key = certificate(folder)
        keys = write_private(os.path.join(folder, "keys"), key_line("alice", ALICE))
        return ["--tls-cert", cls.cert, "--tls-key", cls.key, "--api-keys", keys, "--max-connections", "80", "--idle-timeout", "3s"]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.tls = trusting(cls.cert)

    def ask(self, method, path, body=None, **headers):
        return super().ask(method, path, body, **{**bearer(ALICE), **headers})

    def test_curl(self):
        url = self.cluster.gateways[0].ready_path.read_text().split()[0]
        self.assertTrue(url.startswith("https://127.0.0.1:"), url)
        for flags, codes in ((["--cacert", str(self.cert)], (0,)), ([], (60, 77))):  # not trusted; no list of whom to trust
            done = subprocess.run(["curl", "-sS", *flags, url + "/health/ready"], capture_output=True, timeout=30 * SLACK)
            self.assertIn(done.returncode, codes, done.stderr)
        done = subprocess.run(["curl", "-sS", "--cacert", str(self.cert), "-H", f"Authorization: Bearer {ALICE}", "-w", "%{http_code}",
                               url + "/items/1"], capture_output=True, timeout=30 * SLACK)
        self.assertTrue(done.stdout.endswith(b"404"), done)

    def test_many_over_one_connection(self):
        client = self.http()
        for n in range(300):
            response = client.request("POST", "/items/", item(9_520_000 + n, "n" * (n % 200 + 1)), bearer(ALICE))
            self.assertEqual(response.status, 200, response.body)
        for n in range(300):
            self.assertEqual(client.get(f"/items/{9_520_000 + n}", **bearer(ALICE)).json()["name"], "n" * (n % 200 + 1))

    def test_pipelined_in_one_record(self):
        """Several requests in one record of TLS: what GnuTLS has read already makes no socket readable."""
        with self.cluster.tls.wrap_socket(socket.create_connection(("127.0.0.1", self.cluster.port()), 20), server_hostname="localhost") as s:
            request = f"GET /items/1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ALICE}\r\n\r\n".encode()
            s.sendall(request * 40)
            received = b""
            while received.count(b"HTTP/1.1 404") < 40:
                chunk = s.recv(65536)
                self.assertTrue(chunk, received[-500:])
                received += chunk

    def test_large_bodies(self):
        """Around the size of TLS's records, and beyond what a socket takes at once."""
        self.assertEqual(self.ask("POST", "/items/", item(9_520_500)).status, 200)
        for size in (16_000, 16_384, 16_385, 33_000, 65_536, 250_000):
            body = json.dumps(item(9_520_500, str(size))).encode().ljust(size)
            self.assertEqual(self.ask("PUT", "/items/9520500", body, Content_Type="application/json").status, 200, size)
            self.assertEqual(self.ask("GET", "/items/9520500").json()["name"], str(size))
        self.assertProblem(self.ask("POST", "/items/", b"x" * 300_000, Content_Type="application/json"), 413)

    def test_a_large_body_in_drips(self):
        body = json.dumps(item(9_520_501)).encode() + b" " * 50_000
        head = (f"POST /items/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer {ALICE}\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n").encode()
        with self.cluster.tls.wrap_socket(socket.create_connection(("127.0.0.1", self.cluster.port()), 20), server_hostname="localhost") as s:
            s.settimeout(20 * SLACK)
            for at in range(0, len(head + body), 1009):
                s.sendall((head + body)[at:at + 1009])
            received = b""
            while chunk := s.recv(65536):
                received += chunk
        self.assertTrue(received.startswith(b"HTTP/1.1 200"), received[:300])

    def test_requests_that_wait(self):
        """Suspended ones end in time, and the connection goes on."""
        worker, clients = self.cluster.item_workers[0], [self.http() for _ in range(40)]
        for client in clients:
            self.assertEqual(client.get("/health/live").status, 200)
        answers = [None] * len(clients)
        worker.signal(signal.SIGSTOP)
        self.addCleanup(worker.signal, signal.SIGCONT)

        def call(n, headers, key):
            answers[n] = clients[n].request("GET", f"/items/{9_520_600 + n}", headers={**bearer(ALICE), **headers}).status

        def all_call(headers):
            threads = [threading.Thread(target=call, args=(n, headers, None)) for n in range(len(clients))]
            for thread in threads:
                thread.start()
            return threads
        began = time.monotonic()
        for thread in all_call({"Request-Timeout": "0.5"}):
            thread.join(60)
        self.assertEqual(set(answers), {504})
        self.assertLess(time.monotonic() - began, 2 * SLACK)
        threads = all_call({"Request-Timeout": "30"})
        time.sleep(0.5)
        worker.signal(signal.SIGCONT)
        for thread in threads:
            thread.join(60)
        self.assertEqual(set(answers), {404})

    def test_a_stream(self):
        started = self.ask("POST", "/computations/", {"kind": "primes", "params": {"n": 2_000_000_000}}, Prefer="respond-async")
        self.assertEqual(started.status, 202)
        client = http.client.HTTPSConnection("127.0.0.1", self.cluster.port(), timeout=60, context=self.cluster.tls)
        self.addCleanup(client.close)
        client.request("GET", started.header("location") + "/events", headers=bearer(ALICE))
        response = client.getresponse()
        self.assertEqual((response.status, response.getheader("content-type")), (200, "text/event-stream"))
        self.assertEqual(self.ask("DELETE", started.header("location")).status, 202)
        states = [json.loads(line[6:])["state"] for line in response.read().decode().splitlines() if line.startswith("data: ")]
        self.assertEqual(states[-1], "failed")

    def test_old_and_plain_are_refused(self):
        port = self.cluster.port()
        with socket.create_connection(("127.0.0.1", port), 10) as s:
            s.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            s.settimeout(10 * SLACK)
            try:
                received = s.recv(1000)
            except ConnectionResetError:
                received = b""
            self.assertNotIn(b"HTTP/1.1 200", received)
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            context = trusting(self.cert)
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
            with self.assertRaises((ssl.SSLError, ConnectionResetError)):
                context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10), server_hostname="localhost")
        for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
            context = trusting(self.cert)
            context.minimum_version = context.maximum_version = version
            with context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10), server_hostname="localhost") as s:
                self.assertEqual(s.version(), name)
                self.assertIn("GCM", s.cipher()[0] + "GCM" * ("CHACHA20" in s.cipher()[0]))

    def test_who_does_not_shake_hands_does_not_disturb(self):
        port = self.cluster.port()
        silent = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(20)]
        for n, s in enumerate(silent):
            self.addCleanup(s.close)
            if n % 2:
                s.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a hello
        self.assertEqual(self.ask("GET", "/items/1").status, 404)
        for s in silent:  # and is cut off after the idle time
            s.settimeout(20 * SLACK)
            try:
                while s.recv(100):  # an alert of TLS, that it closes
                    pass
            except ConnectionResetError:
                pass

    def test_too_many_are_closed(self):
        port, kept = self.cluster.port(), []
        try:
            for _ in range(100):
                kept.append(socket.create_connection(("127.0.0.1", port), 10))
            closed = 0
            for s in kept:
                s.settimeout(0.05)
                try:
                    closed += s.recv(10) == b""
                except TimeoutError:
                    pass
                except ConnectionResetError:
                    closed += 1
            self.assertGreaterEqual(closed, 20)
        finally:
            for s in kept:
                s.close()
        self.wait_for("room for another", lambda: self.status_or_nothing() == 404)

    def status_or_nothing(self):
        try:
            return self.ask("GET", "/items/1").status
        except (OSError, http.client.HTTPException):
            return 0


class Pages(WithFiles):
    """CORS, beside API keys: a browser asks for leave before it has a key."""

    options = {"gateways": 1, "compute_workers": 0}
    EXPOSED = {"etag", "location", "retry-after", "idempotency-replayed", "preference-applied", "ratelimit"}

    @classmethod
    def flags(cls, folder):
        keys = write_private(os.path.join(folder, "keys"), key_line("alice", ALICE))
        return ["--cors-origins", "https://app.example, http://localhost:3000", "--api-keys", keys]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.add_gateway(flags=["--cors-origins", "*"])

    def preflight(self, path, origin, method, gateway=0):
        return self.ask("OPTIONS", path, gateway=gateway, Origin=origin, Access_Control_Request_Method=method,
                        Access_Control_Request_Headers="authorization,content-type,idempotency-key")

    def test_preflight(self):
        for origin in ("https://app.example", "http://localhost:3000"):
            response = self.preflight("/items/1", origin, "PUT")
            self.assertEqual((response.status, response.body), (204, b""))
            self.assertEqual(response.header("access-control-allow-origin"), origin)
            self.assertTrue({"GET", "PUT", "DELETE"} <= set(response.header("access-control-allow-methods").split(", ")))
            allowed = {h.lower() for h in response.header("access-control-allow-headers").split(", ")}
            self.assertTrue({"authorization", "content-type", "idempotency-key", "if-match", "prefer", "x-api-key"} <= allowed)
            self.assertGreater(int(response.header("access-control-max-age")), 0)
            self.assertIn("Origin", response.header("vary"))
            self.assertIsNone(response.header("access-control-allow-credentials"))

    def test_other_origins_get_nothing(self):
        for origin in ("https://evil.example", "https://app.example.evil.example", "http://app.example", "https://app.example:8443", "null"):
            response = self.preflight("/items/1", origin, "PUT")
            self.assertEqual([k for k, _ in response.headers if k.lower().startswith("access-control")], [])
            self.assertIn("Origin", response.header("vary"))
            response = self.ask("GET", "/items/1", Origin=origin, **bearer(ALICE))
            self.assertEqual([k for k, _ in response.headers if k.lower().startswith("access-control")], [])
            self.assertEqual(response.header("vary"), "Origin")

    def test_answers_and_errors(self):
        created = self.ask("POST", "/items/", item(9_530_001), Origin="https://app.example", **bearer(ALICE))
        self.assertEqual(created.status, 200)
        for response in (created, self.ask("GET", "/items/x", Origin="https://app.example", **bearer(ALICE)),
                         self.ask("GET", "/items/1", Origin="https://app.example"),
                         self.ask("GET", "/nope", Origin="https://app.example", **bearer(ALICE)),
                         self.ask("POST", "/items/", b"x" * 300_000, Origin="https://app.example", Content_Type="application/json", **bearer(ALICE))):
            self.assertEqual(response.header("access-control-allow-origin"), "https://app.example", response.status)
            self.assertTrue(self.EXPOSED <= {h.lower() for h in response.header("access-control-expose-headers").split(", ")})
            self.assertEqual(response.header("vary"), "Origin")

    def test_options_that_is_no_preflight_needs_a_key(self):
        self.assertEqual(self.ask("OPTIONS", "/items/1", Origin="https://app.example").status, 401)
        self.assertEqual(self.ask("OPTIONS", "/items/1", Access_Control_Request_Method="PUT").status, 401)
        self.assertEqual(self.ask("OPTIONS", "/items/1", **bearer(ALICE)).status, 204)
        self.assertEqual(self.preflight("/nope", "https://app.example", "PUT").status, 404)

    def test_all_origins(self):
        response = self.preflight("/items/", "https://any.example", "POST", gateway=1)
        self.assertEqual((response.status, response.header("access-control-allow-origin")), (204, "*"))
        self.assertIn("POST", response.header("access-control-allow-methods"))
        self.assertEqual(self.ask("GET", "/items/1", gateway=1, Origin="null").header("access-control-allow-origin"), "*")
        self.assertIsNone(self.ask("GET", "/items/1", gateway=1).header("access-control-allow-origin"))


class Guessing(WithFiles):
    """Who has no credential is a client, too: of its address."""

    options = {"gateways": 1, "compute_workers": 0}

    @classmethod
    def flags(cls, folder):
        keys = write_private(os.path.join(folder, "keys"), key_line("alice", ALICE))
        return ["--api-keys", keys, "--client-rate", "2", "--client-burst", "5"]

    def test_keys_cannot_be_tried_as_often_as_one_likes(self):
        answers = [self.ask("GET", "/items/1", **bearer(f"guess-{n}")) for n in range(10)]
        self.assertEqual([answer.status for answer in answers[:5]], [401] * 5)
        self.assertIn(429, [answer.status for answer in answers[5:]])
        self.assertEqual(self.ask("GET", "/nowhere", **bearer("guess")).status, 429)
        self.assertEqual(self.ask("GET", "/items/1", **bearer(ALICE)).status, 404, "who has a key is another client")


class Settings(ClusterTest):
    """A wrong setting ends the gateway at once, with a sentence; and what is missing beyond this machine is said."""

    options = {"gateways": 0, "item_workers": 0, "compute_workers": 0}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.scratch = scratch_folder()
        cls.cert, cls.key = certificate(cls.scratch.name)
        cls.other_cert, cls.other_key = certificate(cls.scratch.name, "other")
        cls.keys = write_private(os.path.join(cls.scratch.name, "keys"), key_line("alice", ALICE))

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.scratch.cleanup()

    def file(self, text):
        return write_private(os.path.join(self.scratch.name, f"file-{next(NUMBERS)}"), text)

    def refused(self, *flags):
        done = subprocess.run([str(BUILD / "gateway/roundtrip-gateway"), "--kafka", self.cluster.bootstrap, "--port", "0", *map(str, flags)],
                              capture_output=True, text=True, timeout=30 * SLACK)
        self.assertEqual(done.returncode, 1, done.stderr)
        return done.stderr

    def test_wrong_files(self):
        other = Issuer(self.scratch.name, "RS256")
        for says, flags in (
                ("cannot be read", ["--api-keys", "/nonexistent/keys"]),
                ("is empty", ["--api-keys", self.file("")]),
                ("has no key", ["--api-keys", self.file("# nobody\n")]),
                ("line 2 must be a principal and", ["--api-keys", self.file(key_line("alice", ALICE) + "bob secret\n")]),
                ("line 1 must begin with a principal", ["--api-keys", self.file(key_line("jwt:bob", BOB))]),
                ("digest of nothing", ["--api-keys", self.file(key_line("bob", ""))]),
                ("line 2 has the key of a line before", ["--api-keys", self.file(key_line("alice", ALICE) + key_line("bob", ALICE))]),
                ("needs at least 32 bytes", ["--jwt-key", self.file("short\n")]),
                ("private key", ["--jwt-key", other.private]),
                ("not a public key", ["--jwt-key", self.cert]),
                ("need jwt-key", ["--jwt-issuer", "x"]),
                ("tls-cert is set without tls-key", ["--tls-cert", self.cert]),
                ("tls-key is set without tls-cert", ["--tls-key", self.key]),
                ("cannot be used together", ["--tls-cert", self.cert, "--tls-key", self.other_key]),
                ("cannot be used together", ["--tls-cert", self.key, "--tls-key", self.key]),
                ("cors-origins must be", ["--cors-origins", "https://app.example/"])):
            with self.subTest(says=says, flags=flags):
                said = self.refused(*flags)
                self.assertIn(says, said)
                self.assertNotIn("secret", said.replace("a secret needs", ""))

    def run_gateway(self, *flags):
        gateway = Process(f"gateway-{next(NUMBERS)}", [BUILD / "gateway/roundtrip-gateway", "--kafka", self.cluster.bootstrap, "--port", "0",
                                               *flags], self.scratch.name).start()
        try:
            wait_for("the gateway to listen", lambda: 'msg="listening"' in gateway.log() or not gateway.running())
            time.sleep(0.2)
            return gateway.log()
        finally:
            gateway.stop()

    def test_what_is_missing_beyond_this_machine_is_said(self):
        tls, keys = ["--tls-cert", self.cert, "--tls-key", self.key], ["--api-keys", self.keys]
        beyond = ["--listen", "0.0.0.0"]
        self.assertIn("without access control and without TLS: set api-keys or jwt-key, and tls-cert and tls-key", self.run_gateway(*beyond))
        self.assertIn("without access control: set api-keys or jwt-key", self.run_gateway(*beyond, *tls))
        self.assertIn("without TLS, so keys and tokens can be read", self.run_gateway(*beyond, *keys))
        self.assertNotIn("listening beyond", self.run_gateway(*beyond, *tls, *keys))
        self.assertNotIn("listening beyond", self.run_gateway())

    def test_keys_that_others_can_read(self):
        self.key.chmod(0o644)
        self.addCleanup(self.key.chmod, 0o600)
        self.assertIn("chmod 600 it", self.run_gateway("--tls-cert", self.cert, "--tls-key", self.key))
        self.key.chmod(0o600)
        self.assertNotIn("chmod 600 it", self.run_gateway("--tls-cert", self.cert, "--tls-key", self.key))
