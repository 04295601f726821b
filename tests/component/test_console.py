# SPDX-License-Identifier: Apache-2.0
"""The operators' page in a real Chromium, and what it asks the gateway for."""

import json
import os
import threading
import time

from browser import Browser, needs_browser
from cluster import BreakingTest, ClusterTest
from credentials import key_line, write_private
from http_client import Http
from kafka_client import Direct
from processes import SLACK, scratch_folder

LONG = {"kind": "primes", "params": {"n": 9_000_000_000}}


class Asking(ClusterTest):
    """Operators ask workers through their own listener: other routes than clients', and everybody's operations."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = scratch_folder()
        keys = write_private(os.path.join(cls.scratch.name, "keys"), key_line("alice", "alice-key-0123456789abcdef"))
        cls.options = {"item_workers": 0, "gateway_flags": ["--admin-port", "0", "--api-keys", keys, "--client-rate", "20"]}
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.scratch.cleanup()

    def setUp(self):
        super().setUp()
        self.admin = Http(self.cluster.admin_port(), 30.0 * SLACK)
        self.addCleanup(self.admin.close)

    def start(self, key):
        made = self.http().request("POST", "/computations/", LONG, {
            "X-API-Key": "alice-key-0123456789abcdef", "Idempotency-Key": key, "Prefer": "respond-async"})
        self.assertEqual(made.status, 202, made.body)
        return made.header("location")

    def test_operators_see_and_cancel_what_others_must_not(self):
        where = self.start("console-1")
        self.assertEqual(self.http().get(where).status, 401)
        seen = self.admin.get(where)
        self.assertIn(seen.json()["state"], ("pending", "running"), seen.body)
        self.assertEqual(self.admin.delete(where).status, 202)
        ended = self.admin.get(where, Prefer="wait=20")
        self.assertEqual((ended.json()["state"], ended.json()["status"]), ("failed", 409))

    def test_only_what_the_console_uses(self):
        for method, path, status in (("GET", "/items/1", 404), ("POST", "/computations", 405 if self.lists() else 404), ("GET", "/docs", 404),
                                     ("GET", "/openapi.json", 404), ("GET", "/console/docs.js", 404), ("PUT", "/operations/x", 405)):
            self.assertEqual(self.admin.request(method, path).status, status, path)
        self.assertEqual(self.http().get("/console").status, 401)

    def lists(self):
        return self.admin.get("/computations?state=running").status == 200

    def test_operators_are_not_limited_as_clients(self):
        for _ in range(100):
            self.assertEqual(self.admin.get("/operations/x").status, 404)

    def test_pages_of_others_may_not(self):
        for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
            self.assertProblem(self.admin.request("DELETE", "/operations/x", None, headers), 403)


class Ending(BreakingTest):
    def test_an_operator_who_waits_is_answered(self):
        cluster = self.start(item_workers=0, gateway_flags=["--admin-port", "0"])
        where = cluster.http().post("/computations/", LONG, Prefer="respond-async").header("location")
        answers = []
        admin = Http(cluster.admin_port(), 60.0 * SLACK)
        self.addCleanup(admin.close)
        waiter = threading.Thread(target=lambda: answers.append(admin.get(where, Prefer="wait=50").status))
        waiter.start()
        time.sleep(0.5 * SLACK)
        self.assertEqual(cluster.gateways[0].stop(), 0)
        waiter.join(30 * SLACK)
        self.assertEqual(answers, [200], "how it stands by then")
        cluster.compute_workers[0].kill()


class WithBrowser(ClusterTest):
    once = "a browser does not care which broker it is"

    def setUp(self):
        super().setUp()
        needs_browser(self)

    def browser(self, path="/console", **window):
        browser = Browser(**window)
        self.addCleanup(browser.close)
        return browser.open(f"http://127.0.0.1:{self.cluster.admin_port()}{path}")


class Console(WithBrowser):
    options = {"gateway_flags": ["--admin-port", "0"]}
    weight = 60

    def load(self):
        """A few clients until the test ends; some of what they ask is not there."""
        over = threading.Event()

        def ask():
            client, n = self.cluster.http(), 0
            while not over.is_set():
                n += 1
                client.post("/items/", {"id": 50_000 + n // 5 % 40, "name": "n", "description": "d"}) if n % 5 == 0 else client.get(f"/items/{50_000 + n % 40}")
                time.sleep(0.01)
            client.close()
        for _ in range(3):
            thread = threading.Thread(target=ask)
            thread.start()
            self.addCleanup(thread.join)
        self.addCleanup(over.set)

    def letters(self, prefix, count):
        direct = Direct(self.cluster.bootstrap)
        for i in range(count):
            direct.send("item.commands", f"{prefix}{i}", b'{"colour":"red"}', {"ce_type": "item.paint", "ce_id": f"{prefix}{i}"})
        admin = Http(self.cluster.admin_port())
        self.addCleanup(admin.close)
        self.wait_for("the letters", lambda: len(admin.get(f"/dead-letters?reason_contains=ce_type&type=item.paint&limit=1000&key={prefix}{count - 1}").json()["dead_letters"]))

    def test_at_rest(self):
        b = self.browser()
        b.wait_text("#ready", "ready")
        b.wait_text("#instance", "gateway-1")
        b.wait_text("#cards", "item", "compute", "circuit closed", "0 commands in 6 partitions", seconds=30)
        b.wait_text("#tiles", "requests a second", "99 of 100 faster than")
        self.assertEqual(len(b.all("#plots figure")), 4)
        self.assertEqual(len(b.all("#cards .partitions li")), 12)
        b.wait_text("#breakers", "No worker holds")
        b.shot("rest")
        self.assertEqual(b.complaints(but=["/computations?"]), [])

    def test_under_load(self):
        b = self.browser()
        self.load()
        b.wait_text("#routes", "GET /items/{id}", "POST /items", seconds=30)
        self.wait_for("a rate", lambda: float(b.text("#tiles .tile:first-child b") or 0) > 5, 20)
        self.wait_for("curves", lambda: "L" in b.script("return document.querySelector('#plots .curve')?.getAttribute('d') || ''"), 20)
        self.assertRegex(b.text("#tiles .tile:nth-child(3) b"), r"^\d+(\.\d)? (ms|s)$")
        b.wait_text("#plots", "refused (4xx)")
        b.shot("load")
        for name, window in (("load-dark", {"dark": True}), ("load-390", {"width": 390}), ("load-390-dark", {"width": 390, "dark": True})):
            other = self.browser(**window)
            other.wait_text("#routes", "GET /items/{id}", seconds=30)
            self.wait_for("curves", lambda: "L" in other.script("return document.querySelector('#plots .c1.curve')?.getAttribute('d') || ''"), 20)
            wide = other.script("return document.documentElement.scrollWidth")
            self.assertLessEqual(wide, window.get("width", 1280), "nothing sticks out")
            ground = other.script("return getComputedStyle(document.documentElement).backgroundColor")
            self.assertEqual(sum(int(n) for n in ground[4:-1].split(",")) < 200, "dark" in window, ground)
            other.shot(name)

    def test_dead_letters(self):
        self.letters("seek", 4)
        b = self.browser()
        b.fill("#search [name=type]", "item.paint")
        b.fill("#search [name=reason_contains]", "nobody says this")
        b.button("#search", "Search")
        b.wait_text("#found", "no such dead letter")
        b.fill("#search [name=reason_contains]", "")
        b.fill("#search [name=key]", "seek2")
        b.button("#search", "Search")
        b.wait_text("#found", "seek2", "item.paint", "poison")
        self.assertNotIn("seek1", b.text("#found"))
        b.shot("letters", "#letters")
        b.click("#found tbody button.link")
        b.wait_text("#dialog", "seek2", '"colour": "red"', "__dlq.errors.topic", "item.commands")
        b.shot("letter")
        b.button("#dialog", "Close")
        b.button("#found", "Redrive…")
        b.wait_text("#dialog", "key seek2")
        self.assertFalse(b.one("#dialog button.main").is_enabled(), "not before the dry run")
        b.button("#dialog", "Dry run")
        b.wait_text("#dialog", " 1 would be redriven", "seek2")
        b.shot("dry-run")
        b.button("#dialog", "Redrive")
        b.wait_text("#jobs tbody tr:first-child", "redrive", "done", "1 done", seconds=30)
        b.shot("job", "#letters")

    def test_chosen_letters_are_discarded(self):
        self.letters("drop", 3)
        b = self.browser()
        b.fill("#search [name=type]", "item.paint")
        b.button("#search", "Search")
        b.wait_text("#found", "drop0", "drop1", "drop2")
        row = next(r for r in b.all("#found tbody tr") if "drop1" in r.text)
        row.find_element("css selector", "input").click()
        b.wait_text("#found", "the 1 chosen")
        b.button("#found", "Discard…")
        b.fill("#job-reason", "nobody paints")
        b.button("#dialog", "Dry run")
        b.wait_text("#dialog", "1 would be discarded", "drop1")
        b.fill("#job-reason", "nobody paints any more")
        self.assertFalse(b.one("#dialog button.main").is_enabled(), "what was rehearsed is what is done")
        b.button("#dialog", "Dry run")
        b.button("#dialog", "Discard")
        b.wait_text("#jobs tbody tr:first-child", "discard", "1 done", seconds=30)
        b.script("document.querySelector('#search [name=state]').value = 'discarded'")
        b.fill("#search [name=key]", "drop1")
        b.button("#search", "Search")
        b.wait_text("#found", "drop1", "discarded")
        b.click("#found tbody button.link")
        b.wait_text("#dialog", "nobody paints any more")

    def test_what_is_wrong_is_said(self):
        b = self.browser()
        b.fill("#search [name=since]", "yesterday")
        b.button("#search", "Search")
        b.wait_text("#found", "since")
        b.fill("#operation-id", "/operations/x")
        b.button("#lookup", "Look")
        b.wait_text("#lookup", "no operation of that id")

    def test_an_operation_is_cancelled(self):
        where = self.http().post("/computations/", LONG, Prefer="respond-async").header("location")
        self.wait_for("it to run", lambda: self.http().get(where).json()["state"] == "running")
        b = self.browser()
        b.fill("#operation-id", where)
        b.button("#lookup", "Look")
        b.wait_text("#lookup", "It is running")
        admin = Http(self.cluster.admin_port())
        self.addCleanup(admin.close)
        if admin.get("/computations?state=running").status == 200:
            b.wait_text("#running", "%", "Cancel")
            b.shot("running", "#operations")
            place = "#running"
        else:
            b.wait_text("#running", "does not list computations")
            place = "#lookup"
        b.button(place, "Cancel")
        b.button(place, "Really cancel?")
        self.assertEqual(self.http().get(where, Prefer="wait=20").json()["status"], 409)
        b.button("#lookup", "Look")
        b.wait_text("#lookup", "It is failed")

    def test_by_keyboard(self):
        from selenium.webdriver.common.keys import Keys
        self.letters("keys", 1)
        b = self.browser()
        b.wait_text("#cards", "circuit closed", seconds=30)

        def focused():
            return b.script("const e = document.activeElement; return e.id || e.name || e.textContent || e.getAttribute('aria-label')")

        def press(*keys):
            b.driver.switch_to.active_element.send_keys(*keys)
        b.one("body").send_keys(Keys.TAB)
        self.assertEqual(focused(), "To the content")
        for _ in range(40):  # everything there is can be reached
            press(Keys.TAB)
            if focused() == "key":
                break
        press("keys0", Keys.ENTER)
        b.wait_text("#found", "keys0")
        for _ in range(12):
            press(Keys.TAB)
            if focused().startswith("item-"):
                break
        press(Keys.ENTER)
        b.wait_text("#dialog", "keys0")
        self.assertEqual(focused(), "Close")
        press(Keys.ESCAPE)
        self.wait_for("the dialog to close", lambda: not b.script("return document.getElementById('dialog').open"))
        b.one("#plots svg", 20)
        b.script("document.querySelector('#plots svg').focus()")
        press(Keys.ARROW_LEFT)
        self.assertRegex(b.text("#plots figure:first-child .legend"), r"\d:\d\d:\d\d")
        b.script("document.getElementById('pause').focus()")
        press(Keys.ENTER)
        self.assertEqual(b.one("#pause").get_attribute("aria-pressed"), "true")

    def test_arithmetic(self):
        """What the numbers on the page are made by."""
        b = self.browser()
        text = ('# HELP x y\nx_total{a="1\\"2\\\\",b=""} 5\nx_total{a="z"} 1e1 # {trace_id="q"} 1\nplain 0.5 1700000000\n\n'
                'http_server_request_duration_seconds_count{http_route="/r",http_request_method="GET",http_response_status_code="200"} %d\n'
                'http_server_request_duration_seconds_bucket{http_route="/r",http_request_method="GET",http_response_status_code="200",le="0.1"} %d\n'
                'http_server_request_duration_seconds_bucket{http_route="/r",http_request_method="GET",http_response_status_code="200",le="+Inf"} %d\n# EOF\n')
        found = b.module("/console/console.metrics.js", """
            const [one, two, three] = a.map(m.parse), rows = [one, two, three].map(m.requests);
            const next = m.between(rows[0], rows[1]), anew = m.between(rows[1], rows[2]);
            return {label: one.get('x_total')[0].labels.a, sum: m.sum(one, 'x_total'), some: m.sum(one, 'x_total', {a: 'z'}), none: m.sum(one, 'y'), plain: m.sum(one, 'plain'),
                    count: next[0].count, p50: m.quantile(m.together(next), 0.5), p100: m.quantile(m.together(next), 1), anew: anew[0].count,
                    empty: m.quantile(new Map(), 0.5), middle: m.quantile(new Map([[1, 10], [2, 30], [Infinity, 30]]), 0.5),
                    kinds: [200, 304, 404, 503, 0].map(m.kindOf)};""", text % (10, 10, 10), text % (30, 28, 30), text % (4, 4, 4))
        self.assertEqual(found["label"], '1"2\\')
        self.assertEqual((found["sum"], found["some"], found["none"], found["plain"]), (15, 10, None, 0.5))
        self.assertEqual((found["count"], found["anew"], found["empty"]), (20, 4, None))
        self.assertAlmostEqual(found["p50"], 0.1 * 10 / 18)
        self.assertAlmostEqual(found["p100"], 0.1)
        self.assertAlmostEqual(found["middle"], 1.25)
        self.assertEqual(found["kinds"], ["good", "good", "client", "server", "server"])


class WithToken(WithBrowser):
    options = {"item_workers": 0, "compute_workers": 0, "gateway_flags": ["--admin-port", "0", "--admin-token", "operators-only"]}

    def test_the_page_asks_for_it(self):
        admin = Http(self.cluster.admin_port())
        self.addCleanup(admin.close)
        for path, status in (("/console", 200), ("/console/", 200), ("/console/console.js", 200), ("/console/nothing", 404), ("/metrics", 401),
                             ("/consolex", 401), ("/console/a/b", 401), ("/", 401)):
            self.assertEqual(admin.get(path).status, status, path)
        self.assertEqual(admin.request("POST", "/console", {}).status, 401)
        b = self.browser()
        self.wait_for("the form", lambda: b.one("#login").is_displayed())
        b.wait_text("#ready", "ready")  # which needs no token
        b.shot("token")
        b.fill("#token", "wrong")
        b.button("#login", "Use it")
        time.sleep(0.5)
        self.assertTrue(b.one("#login").is_displayed())
        b.fill("#token", "operators-only")
        b.button("#login", "Use it")
        b.wait_text("#instance", "gateway-1")
        self.wait_for("the form to go", lambda: not b.one("#login").is_displayed())
        self.assertEqual(b.script("return document.getElementById('token').value + document.cookie + JSON.stringify({...localStorage})"), "{}")


class Docs(WithBrowser):
    options = {"gateway_flags": ["--admin-port", "0"]}

    def page(self, **window):
        browser = Browser(**window)
        self.addCleanup(browser.close)
        return browser.open(f"http://127.0.0.1:{self.cluster.port()}/docs")

    def test_every_operation_is_shown_and_can_be_tried(self):
        b = self.page()
        b.wait_text("#main", "Create an item", "Problem")
        self.assertEqual(len(b.all("#index a")), b.script("return fetch('/openapi.json').then((r) => r.json()).then((d) => "
                                                          "Object.values(d.paths).flatMap((p) => Object.keys(p).filter((k) => k !== 'parameters')).length)"))
        b.script("document.querySelectorAll('details.op').forEach((e) => { e.open = true; })")
        self.wait_for("all cards", lambda: len(b.all("details.op form")) == len(b.all("#index a")))
        self.assertNotIn("[object", b.text("main"))
        self.assertNotIn("undefined", b.text("main"))
        b.fill("#createItem textarea", '{"id": 61001, "name": "l\'amp", "description": "d"}')
        self.assertIn("'{\"id\":61001,\"name\":\"l'\\''amp\",\"description\":\"d\"}'", b.text("#createItem form pre"))
        b.button("#createItem", "Send")
        b.wait_text("#createItem .result", "200", '"id": 61001')
        b.button("#createItem", "Send")
        b.wait_text("#createItem .result", "400", "Item already exists")
        b.shot("docs-try", "#createItem")
        b.fill("#startComputation textarea", json.dumps({"kind": "mandelbrot", "params": {
            "width": 300, "height": 200, "center_x": -0.743644786, "center_y": 0.1318252536, "scale": 3e-5, "max_iterations": 500}}))
        b.button("#startComputation", "Send")
        picture = b.one("#startComputation img.picture", 30)
        self.wait_for("the picture", lambda: b.script("return arguments[0].naturalWidth", picture) == 300)
        b.shot("docs-picture", "#startComputation .result")
        self.assertEqual(self.http().get("/items/61001").json()["name"], "l'amp")
        self.assertEqual(b.complaints(but=["/items/"]), [])

    def test_small_and_dark(self):
        b = self.page(width=390, dark=True)
        b.wait_text("#main", "Create an item")
        b.script("document.getElementById('createItem').open = true")
        self.assertLessEqual(b.script("return document.documentElement.scrollWidth"), 390)
        b.shot("docs-390-dark")
        b.fill("#index input", "about two")
        self.assertEqual([a.text for a in b.all("#index a") if a.is_displayed()], ["Compute for about two seconds"])
