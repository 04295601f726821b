# SPDX-License-Identifier: Apache-2.0
"""deploy/monitoring: rules and dashboard use what processes export, alerts are tested, and each has its paragraph in the runbook."""

import json
import re
import subprocess
import unittest

import yaml

import metrics
from cluster import ClusterTest
from processes import BUILD, ROOT, scratch_folder

FOLDER = ROOT / "deploy/monitoring"
# What stands in PromQL where a metric could: functions have their "(", labels their braces or lists.
WORDS = {"and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring", "group_left", "group_right", "inf", "nan"}
PROGRAMS = ("gateway/roundtrip-gateway", "item-worker/roundtrip-item-worker", "compute-worker/roundtrip-compute-worker",
            "deploy/roundtrip-topics", "deploy/roundtrip-dead-letters")


def names_in(expression):
    """The metrics of an expression."""
    text = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    text = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", text)
    text = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", text)
    found = set(re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?!\w|\s*\()", text))
    return {name for name in found if name.lower() not in WORDS and not re.fullmatch(r"[0-9smhdwy.e]+", name)}


def rules():
    return [rule for group in yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"] for rule in group["rules"]]


def dashboard_expressions():
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    found = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    assert len(found) > 50
    return [expr.replace("$__rate_interval", "5m").replace("$__range", "1h") for expr in found]


class Files(unittest.TestCase):
    def alerts(self):
        return [rule for rule in rules() if "alert" in rule]

    @unittest.skipUnless(metrics.promtool(), "promtool is missing: tests/run fetches it")
    def test_promtool_takes_and_tests_the_rules(self):
        for arguments in (("check", "rules", FOLDER / "rules.yml"), ("check", "config", FOLDER / "prometheus.yml"),
                          ("test", "rules", FOLDER / "rules_test.yml")):
            with self.subTest(arguments):
                code, said = metrics.run_promtool(*arguments)
                self.assertEqual(code, 0, said)
                self.assertIn("SUCCESS", said)

    @unittest.skipUnless(metrics.promtool(), "promtool is missing: tests/run fetches it")
    def test_the_dashboards_expressions_are_promql(self):
        records = [{"record": f"x:{i}", "expr": expr} for i, expr in enumerate(dashboard_expressions())]
        with scratch_folder() as folder:
            path = f"{folder}/rules.yml"
            with open(path, "w", encoding="utf-8") as file:
                json.dump({"groups": [{"name": "dashboard", "rules": records}]}, file)  # JSON is YAML
            code, said = metrics.run_promtool("check", "rules", path)
            self.assertEqual(code, 0, said)
            self.assertIn(f"{len(records)} rules found", said)

    def test_every_alert_has_its_paragraph_and_its_test(self):
        headings = set(re.findall(r"^## (\w+)$", (FOLDER / "RUNBOOK.md").read_text(), re.M))
        tested = {t["alertname"] for test in yaml.safe_load((FOLDER / "rules_test.yml").read_text())["tests"]
                  for t in test.get("alert_rule_test", []) if t.get("exp_alerts")}
        by_expression = set(re.findall(r'alertname="(\w+)",alertstate="firing"', (FOLDER / "rules_test.yml").read_text()))
        names = {alert["alert"] for alert in self.alerts()}
        self.assertEqual(headings, names)
        self.assertEqual(names - tested - by_expression, set(), "alerts that no test has seen firing")
        for alert in self.alerts():
            with self.subTest(alert["alert"]):
                self.assertIn(alert["labels"]["severity"], ("page", "ticket"))
                self.assertEqual(alert["annotations"]["runbook_url"], f"deploy/monitoring/RUNBOOK.md#{alert['alert'].lower()}")
                self.assertTrue(alert["annotations"]["summary"] and alert["annotations"]["description"])

    def test_the_runbooks_settings_exist(self):
        known = "".join(subprocess.run([BUILD / program, "--help"], capture_output=True, text=True, check=True, timeout=30).stdout
                        for program in PROGRAMS)
        for flag in re.findall(r"`--([a-z-]+)", (FOLDER / "RUNBOOK.md").read_text() + (FOLDER / "METRICS.md").read_text()):
            with self.subTest(flag):
                self.assertRegex(known, rf"--{flag}\b")

    def test_names_are_found_in_expressions(self):
        self.assertEqual(names_in('sum by (a, b) (rate(x_total{c=~"d|e"}[5m])) / on (f) group_left (g) (y:z:w > 14.4 * 1e3) unless vector(0)'),
                         {"x_total", "y:z:w"})


class Names(ClusterTest):
    options = {"gateway_flags": ["--admin-port", "0"], "worker_flags": ["--admin-port", "0"]}

    def test_what_rules_and_dashboard_use_is_exported(self):
        exported = {rule["record"] for rule in rules() if "record" in rule} | {"up", "ALERTS"}
        for process in self.cluster.everything:
            http = metrics.admin_of(process)
            page = metrics.scrape(http)
            http.close()
            for name, kind in page.types.items():
                exported |= {f"{name}_{part}" for part in ("bucket", "count", "sum")} if kind == "histogram" else {name}
        for expression in [rule["expr"] for rule in rules()] + dashboard_expressions():
            with self.subTest(expression):
                self.assertTrue(names_in(expression) or "vector" in expression)
                self.assertLessEqual(names_in(expression), exported)
        used = set().union(*(names_in(e) for e in [rule["expr"] for rule in rules()] + dashboard_expressions()))
        self.assertGreater(len(used), 40)
