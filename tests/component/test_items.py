# SPDX-License-Identifier: Apache-2.0
"""The item service over HTTP, as its callers use it."""

from cluster import ClusterTest

INT64_MAX, INT64_MIN = 2**63 - 1, -(2**63)


class Items(ClusterTest):
    options = {"compute_workers": 0}
    def create(self, client, id, name="lamp", description="warm"):
        response = client.post("/items/", {"id": id, "name": name, "description": description})
        self.assertEqual(response.status, 200, response.body)
        return response

    def test_create_get_duplicate_unknown(self):
        c = self.http()
        made = self.create(c, 1001)
        self.assertEqual(made.json(), {"id": 1001, "name": "lamp", "description": "warm"})
        self.assertEqual(made.header("etag"), '"1"')
        got = c.get("/items/1001")
        self.assertEqual((got.status, got.json()), (200, made.json()))
        self.assertEqual(got.header("etag"), '"1"')
        self.assertTrue(got.header("content-type").startswith("application/json"))
        self.assertProblem(c.post("/items/", {"id": 1001, "name": "x", "description": "y"}), 400, "Item already exists")
        self.assertProblem(c.get("/items/1002"), 404, "Item not found")

    def test_versions_go_on_over_put_delete_and_a_new_creation(self):
        c = self.http()
        self.create(c, 1010)
        put = c.put("/items/1010", {"name": "second", "description": ""})
        self.assertEqual((put.status, put.header("etag")), (200, '"2"'))
        self.assertEqual(put.json(), {"id": 1010, "name": "second", "description": ""})
        gone = c.delete("/items/1010")
        self.assertEqual((gone.status, gone.body), (204, b""))
        self.assertProblem(c.get("/items/1010"), 404, "Item not found")
        self.assertProblem(c.delete("/items/1010"), 404, "Item not found")
        self.assertProblem(c.put("/items/1010", {"name": "a", "description": "b"}), 404, "Item not found")
        self.assertEqual(self.create(c, 1010).header("etag"), '"4"')

    def test_refused_writes_leave_the_version(self):
        c = self.http()
        self.create(c, 1011)
        for _ in range(3):
            self.assertProblem(c.post("/items/", {"id": 1011, "name": "n", "description": "d"}), 400)
        self.assertEqual(c.get("/items/1011").header("etag"), '"1"')

    def test_if_none_match(self):
        c = self.http()
        self.create(c, 1020)
        same = c.get("/items/1020", If_None_Match='"1"')
        self.assertEqual((same.status, same.body, same.header("etag")), (304, b"", '"1"'))
        self.assertEqual(c.get("/items/1020", If_None_Match='W/"1", "9"').status, 304)
        self.assertEqual(c.get("/items/1020", If_None_Match="*").status, 304)
        self.assertEqual(c.get("/items/1020", If_None_Match='"2"').status, 200)

    def test_if_match(self):
        c = self.http()
        self.create(c, 1030)
        body = {"name": "n", "description": "d"}
        self.assertProblem(c.put("/items/1030", body, If_Match='"2"'), 412)
        self.assertEqual(c.put("/items/1030", body, If_Match='"1"').header("etag"), '"2"')
        self.assertProblem(c.delete("/items/1030", If_Match='"1"'), 412)
        self.assertEqual(c.put("/items/1030", body, If_Match='"7", "2"').header("etag"), '"3"')
        self.assertProblem(c.put("/items/1030", body, If_Match='W/"3"'), 412)
        self.assertEqual(c.delete("/items/1030", If_Match="*").status, 204)
        self.assertProblem(c.put("/items/1031", body, If_Match='"1"'), 404, "Item not found")

    def test_with_and_without_the_trailing_slash(self):
        c = self.http()
        self.assertEqual(c.post("/items", {"id": 1040, "name": "n", "description": "d"}).status, 200)
        self.assertEqual(c.get("/items/1040/").status, 200)
        self.assertEqual(c.get("/items?limit=1").status, 200)
        self.assertEqual(c.get("/items/?limit=1").status, 200)
        self.assertEqual(c.put("/items/1040/", {"name": "n", "description": "d"}).status, 200)
        self.assertEqual(c.delete("/items/1040/").status, 204)

    def test_head_and_options(self):
        c = self.http()
        self.create(c, 1050)
        get, head = c.get("/items/1050"), c.request("HEAD", "/items/1050")
        self.assertEqual((head.status, head.body), (200, b""))
        for name in ("etag", "content-type", "content-length"):
            self.assertEqual(head.header(name), get.header(name), name)
        self.assertEqual(c.request("HEAD", "/items/1051").status, 404)
        options = c.request("OPTIONS", "/items/1050")
        self.assertEqual(options.status, 204)
        self.assertEqual({m.strip() for m in options.header("allow").split(",")},
                         {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})

    def test_unicode_is_intact(self):
        c = self.http()
        name = "žluťoučký 🐎 עברית ق\u0301 e\u0301 \"quoted\" \\ / \u2028"
        self.create(c, 1060, name, "tab\tnewline\n\u0001")
        self.assertEqual(c.get("/items/1060").json(), {"id": 1060, "name": name, "description": "tab\tnewline\n\u0001"})
        escaped = c.post_json_text("/items/", r'{"id":1061,"name":"\ud83d\udc0e\u00e9","description":"\u0041"}')
        self.assertEqual(escaped.json(), {"id": 1061, "name": "🐎é", "description": "A"})

    def test_int64_to_its_edges(self):
        c = self.http()
        for id in (INT64_MAX, INT64_MIN, 0, -1, 2**53 + 1):
            with self.subTest(id=id):
                self.assertEqual(self.create(c, id).json()["id"], id)
                self.assertEqual(c.get(f"/items/{id}").json()["id"], id)
                self.assertIn(f'"id":{id},'.encode(), c.get(f"/items/{id}").body)

    def test_ids_that_are_no_int64_are_refused(self):
        c = self.http()
        for text in ("9223372036854775808", "-9223372036854775809", "1.0", "1e3", '"1"', "null", "true", "[1]",
                     "99999999999999999999999999"):
            with self.subTest(id=text):
                problem = self.assertProblem(
                    c.post_json_text("/items/", f'{{"id":{text},"name":"n","description":"d"}}'), 422)
                self.assertIn("id", problem["detail"])
        self.assertProblem(c.post_json_text("/items/", '{"id":01,"name":"n","description":"d"}'), 400)
        for path in ("9223372036854775808", "1.0", "abc", "01", "+1", "-0", "%31", "1%00"):
            with self.subTest(path=path):
                self.assertIn(c.get(f"/items/{path}").status, (400, 404, 422) if path != "%31" else (200, 404, 422))

    def test_members_are_checked(self):
        c = self.http()
        good = {"id": 1070, "name": "n", "description": "d"}
        cases = [("name", {k: v for k, v in good.items() if k != "name"}), ("description", {"id": 1070, "name": "n"}),
                 ("id", {"name": "n", "description": "d"}), ("name", {**good, "name": 5}),
                 ("description", {**good, "description": None}), ("color", {**good, "color": "red"}),
                 ("name", {**good, "name": ""}), ("name", {**good, "name": "x" * 201})]
        for member, body in cases:
            with self.subTest(member=member, body=str(body)[:60]):
                self.assertIn(member, self.assertProblem(c.post("/items/", body), 422)["detail"])
        self.assertProblem(c.get("/items/1070"), 404)

    def test_json_is_strict(self):
        c = self.http()
        for text in ("{'id':1080,'name':'n','description':'d'}", '{"id":1080,"name":"n","description":"d"} x',
                     '{"id":1080,"id":1081,"name":"n","description":"d"}', '{"id":NaN,"name":"n","description":"d"}',
                     '{"id":1080,"name":"n","description":"d",}', '{"id":1080,"name":"a\nb","description":"d"}',
                     '{"id":1080,"name":"\\ud800","description":"d"}', '{"id":1080,"name":"\\u0000","description":"d"}',
                     '{"id":1080/**/,"name":"n","description":"d"}', "", "[]", "null", '"x"', "[" * 200 + "]" * 200):
            with self.subTest(text=text[:50]):
                self.assertIn(c.post_json_text("/items/", text).status, (400, 422))
        self.assertIn(c.post_json_text("/items/", b'{"id":1080,"name":"\xff\xfe","description":"d"}').status, (400, 422))
        self.assertProblem(c.get("/items/1080"), 404)

    def test_idempotency_key(self):
        c = self.http()
        body = {"id": 1090, "name": "n", "description": "d"}
        first = c.post("/items/", body, Idempotency_Key='"key-1090"')
        again = c.post("/items/", body, Idempotency_Key='"key-1090"')
        self.assertEqual((first.status, again.status), (200, 200))
        self.assertEqual(again.body, first.body)
        self.assertEqual(again.header("etag"), '"1"')
        self.assertProblem(c.post("/items/", {**body, "name": "other"}, Idempotency_Key='"key-1090"'), 422)
        one = c.delete("/items/1090", Idempotency_Key="bare-key")
        two = c.delete("/items/1090", Idempotency_Key="bare-key")
        self.assertEqual((one.status, two.status), (204, 204))
        self.assertProblem(c.delete("/items/1090"), 404)


class ItemLists(ClusterTest):
    options = {"compute_workers": 0}
    COUNT = 1000

    def pages(self, client, limit):
        after, pages = None, []
        while True:
            path = f"/items/?limit={limit}" + (f"&after={after}" if after is not None else "")
            response = client.get(path)
            self.assertEqual(response.status, 200, response.body)
            page = response.json()
            self.assertLessEqual(len(page["items"]), limit)
            pages.append([item["id"] for item in page["items"]])
            if page["next"] is None:
                return pages
            after = page["next"]

    def test_all_items_in_id_order_by_pages(self):
        c = self.http()
        ids = [(-1) ** i * i * 7919 for i in range(self.COUNT)]
        for id in ids:
            self.assertEqual(c.post("/items/", {"id": id, "name": f"n{id}", "description": ""}).status, 200)
        for limit in (1000, 137):
            pages = self.pages(c, limit)
            self.assertEqual([id for page in pages for id in page], sorted(ids))
        for id in sorted(ids)[100:110]:
            self.assertEqual(c.delete(f"/items/{id}").status, 204)
        rest = sorted(ids)[:100] + sorted(ids)[110:]
        self.assertEqual([id for page in self.pages(c, 250) for id in page], rest)
        self.assertEqual(c.get("/items/").json()["items"][0], {"id": rest[0], "name": f"n{rest[0]}", "description": ""})

    def test_limits_and_cursors_are_checked(self):
        c = self.http()
        for query in ("limit=0", "limit=1001", "limit=x", "limit=-1", "limit=1&limit=2", "after=zz", "limit="):
            with self.subTest(query=query):
                self.assertIn(c.get("/items/?" + query).status, (400, 422))
