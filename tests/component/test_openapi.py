# SPDX-License-Identifier: Apache-2.0
"""What describes the API: valid by public validators, true of a live gateway, and the same as the sources."""

import json
import os
import re
import subprocess
import unittest

from cluster import ClusterTest
from credentials import key_line, write_private
from processes import ROOT, SLACK, scratch_folder

WEB = ROOT / "gateway/web"
TOOLS = ROOT / "build/api-tools"
ASYNCAPI_SCHEMA = TOOLS / "package/schemas/3.0.0-without-$id.json"
METHODS = ("get", "post", "put", "delete")

# Where a status is written as a number. Those of operators are in no document.
STATUS = re.compile(r"(?:answer_problem|refuse_and_close|decide_problem|settle_problem|decide_status|decide_put|decide_delete|answer_json)"
                    r"\([^,()]*(?:\([^()]*\))?[^,()]*,\s*(\d{3})\b|problem\(answer, (\d{3})|->status = (\d{3});")
NO_OPERATION = {405}  # of methods that no operation has: the document says so in words


def document(name):
    return json.loads((WEB / name).read_text())


def described_statuses():
    return {int(status) for item in document("openapi.json")["paths"].values() for method in METHODS if method in item
            for status in item[method]["responses"]}


def needs_tools(test):
    """They are from package registries. CI has them, or fails."""
    if not (TOOLS / "bin/schemathesis").exists() or not ASYNCAPI_SCHEMA.exists():
        if os.environ.get("CI") == "true":
            test.fail("build/api-tools is not there: tests/run installs it")
        test.skipTest("the validators are not installed: run tests/run without --no-install where PyPI and npm can be reached")


class Documents(ClusterTest):
    options = {"item_workers": 1, "compute_workers": 1}

    def test_served_as_they_are(self):
        client = self.http()
        for name in ("openapi.json", "asyncapi.json"):
            got = client.get("/" + name)
            self.assertEqual((got.status, got.header("content-type"), got.header("cache-control")), (200, "application/json", "no-cache"))
            self.assertEqual(got.body, (WEB / name).read_bytes())
            again = client.get("/" + name, If_None_Match=got.header("etag"))
            self.assertEqual((again.status, again.body, again.header("etag")), (304, b"", got.header("etag")))
            self.assertEqual(client.request("HEAD", "/" + name).header("content-length"), str(len(got.body)))

    def test_the_page_has_all_its_parts(self):
        client = self.http()
        page = client.get("/docs/")
        self.assertEqual((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"))
        self.assertIn("default-src 'none'", page.header("content-security-policy"))
        self.assertNotIn("unsafe", page.header("content-security-policy"))
        parts = re.findall(r'(?:src|href)="(/[^"#]*)"', page.body.decode())
        self.assertGreater(len(parts), 4)
        scripts = [part for part in parts if part.endswith(".js")]
        for script in scripts:  # what a script imports is a part, too
            parts += ["/docs/" + name for name in re.findall(r'from "\./([^"]+)"', client.get(script).body.decode())]
        for part in parts:
            self.assertEqual(client.get(part).status, 200, part)
        self.assertProblem(client.get("/docs/console.js"), 404)
        self.assertProblem(client.get("/docs/nothing"), 404)

    def test_methods_are_those_described(self):
        client = self.http()
        for path, item in document("openapi.json")["paths"].items():
            allow = client.request("OPTIONS", path.replace("{id}", "1")).header("allow").split(", ")
            wanted = {method.upper() for method in METHODS if method in item}
            self.assertEqual(set(allow) - {"HEAD", "OPTIONS"}, wanted, path)

    def test_every_status_in_the_sources_is_described(self):
        described, found = described_statuses(), set()
        for folder in ("gateway", "item-worker", "compute-worker", "shared/worker"):
            for path in sorted((ROOT / folder).glob("*.c")):
                if path.name in ("admin.c", "dead_letters.c"):
                    continue
                for numbers in STATUS.findall(path.read_text()):
                    status = int("".join(numbers))
                    found.add(status)
                    self.assertIn(status, described | NO_OPERATION, f"{path.name} answers {status}, which openapi.json does not tell")
        self.assertLessEqual({200, 204, 400, 404, 409, 412, 413, 422, 429, 503, 504}, found, "the search finds what there is")
        self.assertEqual(described - found - {202, 304}, set(), "described, but in no source")

    def test_both_documents_mean_the_same(self):
        http, kafka = (document(name)["components"]["schemas"] for name in ("openapi.json", "asyncapi.json"))
        both = (http.keys() & kafka.keys()) - {"ComputationStart"}  # its discriminator is written otherwise
        self.assertGreaterEqual(len(both), 14)
        for name in both:
            self.assertEqual(http[name], kafka[name], name)
        self.assertEqual(http["ComputationStart"]["oneOf"], kafka["ComputationStart"]["oneOf"])

    def test_contract_headers_are_those_of_the_readme(self):
        """Every header of asyncapi.json stands in the tables of shared/README.md, and those of commands all stand here."""
        text = (ROOT / "shared/README.md").read_text()
        components = document("asyncapi.json")["components"]
        traits = components["messageTraits"]["command"]["headers"]["properties"]
        told = set(traits).union(*(message["headers"]["properties"] for message in components["messages"].values()))
        names = set(re.findall(r"`([^`\s]+)`", text))
        short = {"__dlq.errors" + name for name in (".topic", ".partition", ".offset", ".group", ".delivery.count")}
        self.assertEqual({name for name in told if name not in names} - short, set())
        rows = re.findall(r"^\| (`[^|]+) \|", text.split("### Commands")[1].split("###")[0], re.M)
        wanted = {name for row in rows for name in re.findall(r"`([^`]+)`", row)} - {"<service>.operation", "<service>.result", "<service>.cancel"}
        self.assertEqual(wanted - told, set())


class OpenToAll(ClusterTest):
    """With access control on, too: a browser has no key before it has the page, and the documents tell no secrets."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = scratch_folder()
        keys = write_private(os.path.join(cls.scratch.name, "keys"), key_line("alice", "alice-key-0123456789abcdef"))
        cls.options = {"item_workers": 0, "compute_workers": 0, "gateway_flags": ["--api-keys", keys]}
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.scratch.cleanup()

    def test_open(self):
        client = self.http()
        self.assertEqual(client.get("/items/1").status, 401)
        for path in ("/docs", "/docs/docs.js", "/openapi.json", "/asyncapi.json"):
            self.assertEqual(client.get(path).status, 200)


class Validators(ClusterTest):
    once = "public validators, and schemathesis for a minute"
    options = {"gateway_flags": ["--deadline", "30s"]}  # a machine that stands still is no server error
    weight = 60

    def setUp(self):
        super().setUp()
        needs_tools(self)

    def run_tool(self, *command, seconds=60, **environment):
        with scratch_folder() as folder:  # tools leave caches where they run
            done = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True, check=False,
                                  timeout=seconds * SLACK, env={**os.environ, "NO_COLOR": "1", **environment})
        self.assertEqual(done.returncode, 0, done.stdout[-12000:] + done.stderr[-4000:])
        return done.stdout

    def test_openapi_is_valid(self):
        self.run_tool(TOOLS / "bin/openapi-spec-validator", "--schema", "3.1", WEB / "openapi.json")

    def test_asyncapi_is_valid(self):
        program = ("import json, sys, jsonschema\n"
                   "schema, document = (json.load(open(name)) for name in sys.argv[1:])\n"
                   "errors = [f'{list(e.absolute_path)}: {e.message[:300]}' for e in jsonschema.Draft7Validator(schema).iter_errors(document)]\n"
                   "sys.exit('\\n'.join(errors) or 0)")
        self.run_tool(TOOLS / "bin/python", "-c", program, ASYNCAPI_SCHEMA, WEB / "asyncapi.json")

    def test_a_gateway_is_as_described(self):
        """Some 2000 requests that fit the document or do not, alone and along its links. SCHEMATHESIS_SEED=N makes others."""
        said = self.run_tool(TOOLS / "bin/schemathesis", "--no-color", "--config-file", ROOT / "tests/support/schemathesis.toml", "run",
                             f"http://127.0.0.1:{self.cluster.port()}/openapi.json", "--max-examples", "60", "--seed",
                             os.environ.get("SCHEMATHESIS_SEED", "1"), "--exclude-operation-id", "followOperation", seconds=180,
                             SCHEMATHESIS_HOOKS="schemathesis_hooks", PYTHONPATH=str(ROOT / "tests/support"))
        made = int(re.search(r"(\d+) generated, \1 passed", said).group(1))
        self.assertGreater(made, 1000)
        print(f"schemathesis: {made} requests", flush=True)


if __name__ == "__main__":
    unittest.main()
