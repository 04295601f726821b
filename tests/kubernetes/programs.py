# SPDX-License-Identifier: Apache-2.0
"""The real programs, asked about the settings that containers would give them."""

import pathlib
import re
import shutil
import subprocess
import tempfile

import manifests

KAFKA = "ROUNDTRIP_KAFKA_"
FOLDERS = {"roundtrip-gateway": "gateway", "roundtrip-item-worker": "item-worker", "roundtrip-compute-worker": "compute-worker",
           "roundtrip-topics": "deploy"}


class Programs:
    """Those of one build folder; which image has which, the Dockerfile says."""

    def __init__(self, repo, build):
        self.build = build
        text = (repo / "deploy/Dockerfile").read_text(encoding="utf-8")
        services = re.search(r"for service in ([a-z -]+);", text)[1].split()
        self.of_image = {f"roundtrip-{service}": f"roundtrip-{service}" for service in services}
        self.of_image["roundtrip-tools"] = re.search(r"ln -s (\S+) /images/tools/roundtrip\b", text)[1]
        self.user = int(re.search(r"^USER ([0-9]+):", text, re.M)[1])
        self.known = {}

    def path(self, program):
        return self.build / FOLDERS[program] / program

    def of(self, workload):
        """The program that the workload's container runs."""
        container = manifests.container_of(workload)
        image = container["image"].rpartition("/")[2].partition(":")[0]
        first = container.get("args", [None])[0]
        return first if first in FOLDERS else self.of_image[image]

    def arguments(self, workload):
        arguments = manifests.container_of(workload).get("args", [])
        return arguments[1:] if arguments and arguments[0] in FOLDERS else arguments

    def settings(self, program):
        """Its environment variables with their defaults, from --help."""
        if program not in self.known:
            text = subprocess.run([self.path(program), "--help"], capture_output=True, text=True, timeout=10, check=True).stdout
            self.known[program] = {name: default for default, name in
                                   re.findall(r"Default: (\S*)\. Variable: (ROUNDTRIP_[A-Z_]+)$", text, re.M)}
        return self.known[program]


def with_files(workload, values, folder):
    """The environment with a file of ours for each that a secret would give; and what no secret gives."""
    changed, missing = dict(values), []
    for name, value in values.items():
        path = value.removeprefix("@")
        if not path.startswith("/") or name == "ROUNDTRIP_STATE_DIR":
            continue
        if manifests.secret_of(workload, path) is None:
            missing.append(f"{name}={value}: no secret is mounted there")
            continue
        file = folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        if path.endswith((".crt", ".pem")):
            shutil.copy(folder / "authority.pem", file)
        else:
            file.write_text("0123456789abcdef0123456789abcdef\n", encoding="utf-8")
        changed[name] = ("@" if value.startswith("@") else "") + str(file)
    return changed, missing


def make_authority(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                    "-subj", "/CN=test", "-keyout", folder / "key.pem", "-out", folder / "authority.pem"],
                   check=True, capture_output=True, timeout=30)


def wrong_settings(programs, docs, workload):
    """What the workload's program says against its settings."""
    program, values, wrong = programs.of(workload), manifests.environment(docs, workload), []
    known = programs.settings(program)
    for name in values:
        if name not in known and not name.startswith(KAFKA):
            wrong.append(f"{program} has no setting {name}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        make_authority(folder)
        given, missing = with_files(workload, values, folder)
        command = [programs.path(program), *programs.arguments(workload)]
        checked = subprocess.run([*command, "--check"], env=given, capture_output=True, text=True, timeout=10, check=False)
        if checked.returncode:
            wrong.append(f"{program} --check: {checked.stderr.strip()}")
        else:
            wrong += not_in_force(given, known, checked.stdout)
        wrong += unknown_properties(programs, given)
    return wrong + missing


def not_in_force(given, known, printed):
    """--check prints what counts: each that was given must be there."""
    force = dict(line.partition("=")[::2] for line in printed.splitlines())
    wrong = []
    for name, value in given.items():
        key = name.removeprefix("ROUNDTRIP_").lower()
        key = key.replace("_", "-") if name in known else key.replace("_", ".")
        if force.get(key) not in (value, "***"):
            wrong.append(f"{name}={value} is not in force: {key}={force.get(key)}")
    return wrong


def unknown_properties(programs, given):
    """librdkafka judges its properties when a client is opened: roundtrip-topics opens one, to nobody."""
    kafka = {name: value for name, value in given.items() if name.startswith(KAFKA)}
    if not kafka:
        return []
    ran = subprocess.run([programs.path("roundtrip-topics"), "--kafka", "127.0.0.1:1", "--timeout", "1s"], env=kafka,
                         capture_output=True, text=True, timeout=20, check=False)
    last = [line for line in ran.stderr.splitlines() if line.startswith("roundtrip-topics: ")]
    return [] if last and "Timed out" in last[-1] else [f"librdkafka: {last or ran.stderr[-300:]}"]
