# SPDX-License-Identifier: Apache-2.0
"""What processes say of themselves: metrics in both formats, health, and who may ask."""

import subprocess
import unittest

import metrics
from cluster import BreakingTest, Cluster, ClusterTest
from kafka_client import Direct
from metrics import admin_of
from processes import BUILD, wait_for

KINDS = {"gateway": "gateway", "item-worker": "workers", "compute-worker": "workers"}
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


class Metrics(ClusterTest):
    options = {"gateway_flags": ["--admin-port", "0", "--lag-interval", "200ms"], "worker_flags": ["--admin-port", "0"]}
    weight = 20

    def processes(self):
        return {"gateway": self.cluster.gateways[0], "item-worker": self.cluster.item_workers[0],
                "compute-worker": self.cluster.compute_workers[0]}

    def page(self, kind):
        http = admin_of(self.processes()[kind])
        try:
            return metrics.scrape(http)
        finally:
            http.close()

    def use(self):
        """Something of everything."""
        http = self.http()
        self.assertEqual(http.post("/items/", {"id": 1, "name": "n", "description": "d"}).status in (200, 201, 400), True)
        http.get("/items/1")
        http.get("/items/")
        http.get("/items/987654")
        http.get("/nothing")
        http.get("/heavy_computation/?n=100")
        Direct(self.cluster.bootstrap).send("compute.commands", "k", b"\xff", {"ce_type": "unknown"})

    @unittest.skipUnless(metrics.promtool(), "promtool is missing: tests/run fetches it")
    def test_promtool_has_nothing_to_say(self):
        self.use()
        for kind in KINDS:
            with self.subTest(kind):
                self.assertEqual(metrics.run_promtool("check", "metrics", text=self.page(kind).text), (0, ""))

    def test_openmetrics_by_a_strict_reader(self):
        from prometheus_client.openmetrics.parser import text_string_to_metric_families
        self.use()
        for kind, process in self.processes().items():
            with self.subTest(kind):
                http = admin_of(process)
                response = http.get("/metrics", Accept=OPENMETRICS)
                self.assertEqual(response.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8")
                families = {family.name: family.type for family in text_string_to_metric_families(response.body.decode())}
                self.assertEqual(families["process_cpu_seconds"], "counter")
                self.assertIn("histogram", families.values())
                plain = http.get("/metrics", Accept="*/*")
                self.assertEqual(plain.header("content-type"), "text/plain; version=0.0.4; charset=utf-8")
                self.assertEqual(plain.header("cache-control"), "no-store")
                self.assertNotIn(b"# EOF", plain.body)
                http.close()

    def test_the_table_is_the_truth(self):
        """deploy/monitoring/METRICS.md has each family of the code with its type, its meaning and its labels, and no other."""
        self.use()
        rows = metrics.documented()
        for kind, group in KINDS.items():
            page = self.page(kind)
            expected = {name for name, row in rows.items() if row[2] & {kind, group}}
            self.assertEqual(set(page.types), expected, kind)
            for name in page.types:
                with self.subTest(kind, metric=name):
                    self.assertEqual((page.types[name], page.helps[name]), (rows[name][0], rows[name][3]))
                    self.assertLessEqual(page.labels_of(name), rows[name][1])

    def test_requests_are_counted_by_route_method_and_status(self):
        name = "http_server_request_duration_seconds_count"
        before = self.page("gateway")
        http = self.http()
        for i in range(5):
            http.post("/items/", {"id": 500 + i, "name": "n", "description": "d"})
            http.get("/items/987655")
        http.request("HEAD", "/items/500")
        http.get("/no/such/path")
        http.request("BREW", "/items/500")

        def grown(count, **labels):
            return lambda: self.page("gateway").sum(name, **labels) - before.sum(name, **labels) == count
        self.wait_for("five creations", grown(5, http_route="/items", http_request_method="POST"))
        self.wait_for("five not found", grown(5, http_route="/items/{id}", http_response_status_code="404"))
        self.wait_for("one HEAD", grown(1, http_route="/items/{id}", http_request_method="HEAD", http_response_status_code="200"))
        self.wait_for("a path that nobody knows", lambda: len(self.page("gateway").all(name, http_request_method="GET", http_response_status_code="404")) == 2)
        self.assertNotIn("/no/such", self.page("gateway").text)
        self.wait_for("a method that nobody knows", grown(1, http_request_method="_OTHER"))
        page = self.page("gateway")
        self.assertGreaterEqual(page.sum("roundtrip_request_hop_duration_seconds_count", roundtrip_service="item", roundtrip_hop="round_trip"), 11)
        whole = page.sum("http_server_request_duration_seconds_sum", http_route="/items")
        self.assertGreater(whole, 0)
        self.assertLess(whole, 60)

    def test_commands_are_counted_by_type_and_outcome(self):
        name = "messaging_process_duration_seconds_count"
        http = self.http()
        http.post("/items/", {"id": 700, "name": "n", "description": "d"}, Idempotency_Key="once")
        before = self.page("item-worker")
        for _ in range(3):
            http.post("/items/", {"id": 700, "name": "n", "description": "d"}, Idempotency_Key="once")
            http.get("/items/700")
            http.post("/items/", {"id": 700, "name": "n", "description": "d"})
        for what, outcome in (("item.create", "replayed"), ("item.get", "ok"), ("item.create", "refused")):
            with self.subTest(what, outcome=outcome):
                labels = {"roundtrip_command_type": what, "roundtrip_outcome": outcome, "messaging_destination_name": "item.commands"}
                self.wait_for(f"three {what} {outcome}", lambda: self.page("item-worker").sum(name, **labels) - before.sum(name, **labels) == 3)
        page = self.page("item-worker")
        self.assertGreaterEqual(page.sum("roundtrip_handler_duration_seconds_count", roundtrip_command_type="item.get"), 3)
        self.assertGreaterEqual(page.sum("roundtrip_command_wait_duration_seconds_count", roundtrip_command_type="item.get"), 3)
        self.assertGreaterEqual(page.sum("messaging_client_operation_duration_seconds_count", messaging_destination_name="item.events"), 1)
        self.assertEqual(page.sum("messaging_client_operation_duration_seconds_count", error_type="_OTHER"), 0)
        self.assertEqual(page.sum("roundtrip_partition_serving"), 6)

    def test_dead_letters_by_class(self):
        labels = {"messaging_destination_name": "item.commands", "roundtrip_dead_class": "poison"}
        before = self.page("item-worker").one("roundtrip_dead_letters_total", **labels)
        for i in range(2):
            Direct(self.cluster.bootstrap).send("item.commands", str(i), b"{}", {"ce_type": "nobody.knows"})
        self.wait_for("both", lambda: self.page("item-worker").one("roundtrip_dead_letters_total", **labels) == before + 2)

    def test_librdkafka_speaks(self):
        page = self.wait_for("statistics of all clients", lambda: (lambda p: p if len(p.all("roundtrip_kafka_client_requests_total")) == 4 else None)(
            self.page("item-worker")), 15)
        self.assertGreater(page.one("roundtrip_kafka_client_requests_total", roundtrip_client="commands"), 0)
        self.assertEqual(page.one("roundtrip_kafka_client_connected_brokers", roundtrip_client="events"), 1)
        self.assertEqual(page.one("roundtrip_kafka_client_rebalances_total", roundtrip_client="commands") >= 1, True)

    def test_the_process_itself(self):
        for kind, process in self.processes().items():
            with self.subTest(kind):
                page = self.page(kind)
                self.assertEqual(page.one("roundtrip_build_info", service_instance_id=process.name), 1)
                self.assertAlmostEqual(page.one("process_cpu_seconds_total"), process.cpu_seconds(), delta=1)
                self.assertGreater(page.one("process_resident_memory_bytes"), 2 ** 20)
                self.assertGreater(page.one("process_open_fds"), 5)
                self.assertGreater(page.one("process_threads"), 3)
                age = page.one("process_start_time_seconds") - process.ready_path.stat().st_mtime
                self.assertLess(abs(age), 120)
                self.assertGreater(page.one("roundtrip_log_lines_total", level="info"), 0)

    def test_health(self):
        for kind, process in self.processes().items():
            with self.subTest(kind):
                http = admin_of(process)
                self.assertEqual(http.get("/health/live").status, 200)
                self.assertEqual(http.get("/health/ready").status, 200)
                self.assertEqual(self.page(kind).one("roundtrip_ready"), 1)
                http.close()

    def test_who_may_ask_a_worker(self):
        http = admin_of(self.cluster.item_workers[0])
        self.addCleanup(http.close)
        self.assertProblem(http.get("/metrics", Host="evil.example"), 403)
        self.assertProblem(http.get("/metrics", Origin="http://evil.example"), 403)
        self.assertEqual(http.get("/health/live", Host="evil.example").status, 200)
        self.assertProblem(http.get("/nothing"), 404)
        self.assertProblem(http.post("/metrics", {}), 405)
        self.assertProblem(http.put("/log-levels", "x" * 20000), 413)
        self.assertEqual(http.request("HEAD", "/metrics").status, 200)


class Outages(BreakingTest):
    weight = 20

    def start(self, **options):
        return super().start(compute_workers=0, gateway_flags=["--admin-port", "0", "--lag-interval", "200ms"],
                             worker_flags=["--admin-port", "0"], **options)

    def test_lag_shows_although_no_worker_runs(self):
        cluster = self.start()
        gateway = admin_of(cluster.gateways[0])
        self.addCleanup(gateway.close)

        def lag():
            return metrics.scrape(gateway).sum("roundtrip_consumer_group_lag_records", messaging_destination_name="item.commands")
        wait_for("all done", lambda: len(metrics.scrape(gateway).all("roundtrip_consumer_group_lag_records")) == 12 and lag() == 0)
        cluster.item_workers[0].stop()
        direct = Direct(cluster.bootstrap)
        for i in range(30):
            direct.send("item.commands", str(i), {"id": i, "name": "n", "description": "d"}, {"ce_type": "item.create"})
        wait_for("a lag of 30", lambda: lag() == 30)
        cluster.item_workers[0].start().wait_ready()
        wait_for("all done again", lambda: lag() == 0)

    def test_ready_until_kafka_is_gone(self):
        cluster = self.start()
        clients = [admin_of(cluster.gateways[0]), admin_of(cluster.item_workers[0])]
        for http in clients:
            self.addCleanup(http.close)
            self.assertEqual(http.get("/health/ready").status, 200)
        cluster.broker.stop()
        for http in clients:
            wait_for("not ready", lambda http=http: http.get("/health/ready").status == 503, 20)
            self.assertEqual(http.get("/health/live").status, 200)
            self.assertEqual(metrics.scrape(http).one("roundtrip_ready"), 0)
        for process in cluster.everything:
            process.kill()


class Access(BreakingTest):
    def test_beyond_this_machine_only_with_a_token(self):
        cluster = self.start(gateways=0, item_workers=0, compute_workers=0)
        flags = cluster.common("worker") + ["--admin-port", "0", "--admin-listen", "0.0.0.0", "--state-dir", str(cluster.folder / "s")]
        program = BUILD / "item-worker/roundtrip-item-worker"
        done = subprocess.run([program, *flags], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("has no admin-token: set one, or admin-listen to 127.0.0.1", done.stderr)
        cluster.worker_flags = ["--admin-port", "0", "--admin-listen", "0.0.0.0", "--admin-token", "secret-of-this-test"]
        worker = cluster.add_item_worker()
        http = admin_of(worker)
        self.addCleanup(http.close)
        refused = http.get("/metrics")
        self.assertEqual((refused.status, refused.header("www-authenticate")), (401, "Bearer"))
        self.assertEqual(http.get("/metrics", Authorization="Bearer secret-of-this-tesT").status, 401)
        self.assertEqual(http.get("/metrics", Authorization="Bearer secret-of-this-test").status, 200)
        self.assertEqual(http.get("/health/ready").status, 200)
        self.assertNotIn("secret-of-this-test", worker.log())

    def test_none_by_default(self):
        cluster = self.start(gateways=0, compute_workers=0)
        self.assertEqual(cluster.item_workers[0].ready_path.read_text(), "ready\n")
        self.assertNotIn("listening for operators", cluster.item_workers[0].log())
