# SPDX-License-Identifier: Apache-2.0
"""Every program alone: its help, its settings by flag and by variable, and what it says when it is used wrongly."""

import os
import socket
import subprocess
import unittest

from processes import BUILD, sanitizer_env

PROGRAMS = {
    "roundtrip-gateway": ("gateway", ["kafka", "port", "deadline", "max-pending", "reply-topic", "admin-port"]),
    "roundtrip-item-worker": ("item-worker", ["kafka", "group", "state-dir", "reply-topics", "dedupe-window"]),
    "roundtrip-compute-worker": ("compute-worker", ["kafka", "group", "state-dir", "pool-threads"]),
    "roundtrip-topics": ("deploy", ["kafka", "services", "partitions", "dedupe-window", "reply-topics"]),
    "roundtrip-dead-letters": ("deploy", ["kafka", "service", "since", "rate", "max-rounds", "control-topic"]),
    "roundtrip-embedded-broker": ("deploy", ["services", "partitions", "reply-topics"]),
}


def run(name, *arguments, **variables):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("ROUNDTRIP_")}
    return subprocess.run([str(BUILD / PROGRAMS[name][0] / name), *arguments], env={**clean, **sanitizer_env(), **variables},
                          capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False)


class Programs(unittest.TestCase):
    def test_help_lists_every_setting(self):
        for name, (_, settings) in PROGRAMS.items():
            with self.subTest(name):
                shown = run(name, "--help")
                self.assertEqual((shown.returncode, shown.stderr), (0, ""))
                for setting in settings:
                    self.assertIn(f"--{setting} ", shown.stdout)
                    self.assertIn("ROUNDTRIP_" + setting.upper().replace("-", "_"), shown.stdout)

    def test_check_prints_what_is_in_force(self):
        for name in PROGRAMS:
            with self.subTest(name):
                shown = run(name, "--check", ROUNDTRIP_LOG_LEVEL="debug")
                self.assertEqual((shown.returncode, shown.stderr), (0, ""))
                self.assertIn("log-level=debug\n", shown.stdout)
                self.assertIn("log-level=warn\n", run(name, "--check", "--log-level", "warn", ROUNDTRIP_LOG_LEVEL="debug").stdout)

    def test_secrets_are_masked(self):
        shown = run("roundtrip-gateway", "--check", "--kafka.sasl.password", "hunter2", ROUNDTRIP_KAFKA_SSL_KEY_PASSWORD="hunter3")
        self.assertEqual(shown.returncode, 0)
        self.assertIn("sasl.password", shown.stdout)
        self.assertNotIn("hunter", shown.stdout + shown.stderr)

    def test_mistakes_are_named(self):
        for name in PROGRAMS:
            for arguments, variables, word in ((["--nonsense", "1"], {}, "--nonsense"), (["--log-level", "loud"], {}, "loud"),
                                               (["--log-level"], {}, "log-level"), ([], {"ROUNDTRIP_LOG_LEVEL": "loud"}, "ROUNDTRIP_LOG_LEVEL"),
                                               (["stray"], {}, "stray")):
                with self.subTest(name, arguments=arguments, variables=variables):
                    wrong = run(name, "--check", *arguments, **variables)
                    self.assertEqual(wrong.returncode, 2, wrong.stdout + wrong.stderr)
                    self.assertIn(word, wrong.stderr)

    def test_topics_dry_run_needs_no_broker(self):
        shown = run("roundtrip-topics", "--dry-run", "true", "--kafka", "127.0.0.1:1")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        for topic in ("item.commands", "item.events", "dlq.item.commands", "compute.commands", "compute.events",
                      "dlq.compute.commands", "replies"):
            self.assertIn(topic, shown.stdout)

    def test_topics_without_a_broker_says_so(self):
        failed = run("roundtrip-topics", "--kafka", "127.0.0.1:1", "--timeout", "1s")
        self.assertEqual(failed.returncode, 1)
        self.assertIn("127.0.0.1:1", failed.stdout + failed.stderr)

    def test_a_taken_port_is_named(self):
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            holder.listen()
            port = str(holder.getsockname()[1])
            failed = run("roundtrip-gateway", "--kafka", "127.0.0.1:1", "--port", port)
        self.assertEqual(failed.returncode, 1)
        self.assertIn(port, failed.stderr)
