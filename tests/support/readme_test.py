# SPDX-License-Identifier: Apache-2.0
"""Runs the console blocks of the READMEs against a fresh run-local and compares what they print with what they say.

A block is fenced as ```console; a line that begins with "$ " is a command, the lines up to the next one are its output, in
which "…" stands for anything within a line. Ports 8080 and 9080 are replaced by free ones, $KAFKA is the broker's address, and our
programs are in the PATH.
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


def matches(wanted, printed):
    return re.fullmatch(".*".join(re.escape(part) for part in wanted.split("…")), printed) is not None


def environment(folder):
    """For the commands: as deploy/README says to set it."""
    bootstrap = (folder / "bootstrap").read_text().strip()
    flags = (ROOT / "deploy/embedded-broker/client-flags").read_text().split()
    variables = {"KAFKA": bootstrap, "ROUNDTRIP_KAFKA": bootstrap, "PATH": f"{BUILD}/deploy:{os.environ['PATH']}"}
    for name, value in zip(flags[::2], flags[1::2]):
        variables["ROUNDTRIP_" + re.sub("[.-]", "_", name.removeprefix("--")).upper()] = value
    return {**os.environ, **variables}


def check(readme, folder):
    """The number of commands that print something else."""
    commands = steps((ROOT / readme).read_text())
    if len(commands) < 6:
        sys.exit(f"{readme} has {len(commands)} console commands; it should show more")
    failed = 0
    ports = re.findall(r"127\.0\.0\.1:(\d+)", (folder / "ready" / "gateway-1").read_text())
    variables = environment(folder)
    for command, wanted in commands:
        printed = run(command.replace("localhost:8080", f"localhost:{ports[0]}").replace("localhost:9080", f"localhost:{ports[1]}"),
                      variables)
        ok = matches(wanted, printed)
        failed += not ok
        print(f"{'ok  ' if ok else 'FAIL'} {command}")
        if not ok:
            print(f"  wanted: {wanted}\n  printed: {printed}")
    return failed


def check_fresh(readme):
    with tempfile.TemporaryDirectory(prefix="roundtrip-readme-") as name:
        folder = pathlib.Path(name)
        started = subprocess.run([str(ROOT / "deploy/run-local"), "--detach", "--port", "0", "--run-dir", name, "--no-install",
                                  "--no-build", "--build-dir", BUILD], stdin=subprocess.DEVNULL, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=180,
                                 env={**os.environ, "ROUNDTRIP_DEADLINE": "60s"})
        try:
            if started.returncode != 0:
                sys.exit(f"run-local failed:\n{started.stdout}")
            return check(readme, folder)
        finally:
            subprocess.run([str(ROOT / "deploy/stop-local"), "--run-dir", name], stdin=subprocess.DEVNULL, timeout=120,
                           capture_output=True, check=False)


def main():
    failed = sum([check_fresh(readme) for readme in ("README.md", "deploy/README.md")])
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
