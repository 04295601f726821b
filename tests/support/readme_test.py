# SPDX-License-Identifier: Apache-2.0
"""Runs the console blocks of README.md against a fresh run-local and compares what they print with what they say.

A block is fenced as ```console; a line that begins with "$ " is a command, the lines up to the next one are its output.
Port 8080 is replaced by a free one, and $KAFKA is the broker's address.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = os.environ.get("ROUNDTRIP_TEST_BUILD", str(ROOT / "build" / "dev"))


def steps(text):
    """Pairs of a command and the output it should print."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output.strip()))
    return found


def run(command, environment):
    return subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=120,
                          stdin=subprocess.DEVNULL).stdout.strip()


def main():
    commands = steps((ROOT / "README.md").read_text())
    if len(commands) < 6:
        sys.exit(f"README.md has {len(commands)} console commands; it should show more")
    failed = 0
    with tempfile.TemporaryDirectory(prefix="roundtrip-readme-") as folder:
        started = subprocess.run([str(ROOT / "deploy/run-local"), "--detach", "--port", "0", "--run-dir", folder, "--no-install",
                                  "--no-build", "--build-dir", BUILD], stdin=subprocess.DEVNULL, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=180,
                                 env={**os.environ, "ROUNDTRIP_DEADLINE": "60s"})
        try:
            if started.returncode != 0:
                sys.exit(f"run-local failed:\n{started.stdout}")
            port = re.search(r"127\.0\.0\.1:(\d+)", (pathlib.Path(folder) / "ready" / "gateway-1").read_text()).group(1)
            bootstrap = (pathlib.Path(folder) / "bootstrap").read_text().strip()
            for command, wanted in commands:
                printed = run(command.replace("localhost:8080", f"localhost:{port}"), {**os.environ, "KAFKA": bootstrap})
                ok = printed == wanted
                failed += not ok
                print(f"{'ok  ' if ok else 'FAIL'} {command}")
                if not ok:
                    print(f"  wanted: {wanted}\n  printed: {printed}")
        finally:
            subprocess.run([str(ROOT / "deploy/stop-local"), "--run-dir", folder], stdin=subprocess.DEVNULL, timeout=120,
                           capture_output=True, check=False)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
