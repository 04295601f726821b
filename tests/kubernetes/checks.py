# SPDX-License-Identifier: Apache-2.0
"""Checks what kustomize built: checks.py BUILT... with one file for each overlay, named after it. One line a check."""

import argparse
import copy
import pathlib
import re
import subprocess
import sys
import types

import yaml

import manifests
import programs
import rules_cluster
import rules_pods
import schemas
from spoil import SPOILS

REPO = pathlib.Path(__file__).resolve().parents[2]
RULES = (rules_pods.images, rules_pods.hardened, rules_pods.settings, rules_pods.probes, rules_pods.memory, rules_pods.references,
         rules_cluster.network, rules_cluster.disruption, rules_cluster.numbers, rules_cluster.endings)
BY_LAG = ("autoscaled",)  # overlays with KEDA
ALONE = ("single",)  # overlays that have one of each and one copy of everything, and say so


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True, help="a build folder with the programs")
    parser.add_argument("--tools", type=pathlib.Path, required=True, help="a folder with crds/ and keda-words")
    parser.add_argument("built", type=pathlib.Path, nargs="+", help="what kustomize built")
    return parser.parse_args()


def facts_of(options, overlay):
    """What rules need to know that does not stand in the manifests."""
    project = (REPO / "CMakeLists.txt").read_text(encoding="utf-8")
    gateway = (REPO / "gateway/README.md").read_text(encoding="utf-8")
    return types.SimpleNamespace(
        repo=REPO, programs=programs.Programs(REPO, options.build), wrong_settings=programs.wrong_settings, pod_name=manifests.pod_name,
        version=re.search(r"^project\(roundtrip VERSION ([0-9.]+)", project, re.M)[1],
        drain_s=int(re.search(r"Altogether less than `drain-delay` \+ (\d+) s", gateway)[1]),
        readme=(REPO / "deploy/README.md").read_text(encoding="utf-8"), several=overlay not in ALONE, lag=overlay in BY_LAG,
        keda_words=set((options.tools / "keda-words").read_text(encoding="utf-8").split()))


def checks_of(docs, facts, customs):
    """name -> what is wrong, done when it is asked for."""
    found = {"schemas": lambda: schemas.wrong_in(docs, customs)}
    rules = RULES + ((rules_cluster.keda,) if facts.lag else ()) + ((rules_cluster.durable,) if facts.several else ())
    for rule in rules:
        found[rule.__name__] = lambda rule=rule: rule(docs, facts)
    return found


def say(name, wrong):
    print(f"FAIL {name}: {'; '.join(wrong[:5])}" if wrong else f"ok   {name}", flush=True)
    return not wrong


def is_found(docs, facts, customs, spoil):
    """Nothing, or why the mistake went by."""
    what, check, change = spoil
    broken = copy.deepcopy(docs)
    change(broken)
    if broken == docs:
        return [f"{what}: nothing was changed"]
    more = set(checks_of(broken, facts, customs)[check]()) - set(checks_of(docs, facts, customs)[check]())
    return [] if more else [f"{check} did not find it"]


def alerts(customs):
    """deploy/README.md's command for the alerts, as far as kubectl: it must print an object that the operator takes."""
    command = re.search(r"^(\{ printf 'apiVersion: monitoring.*\}) \| kubectl apply -f -$", (REPO / "deploy/README.md").read_text(encoding="utf-8"), re.M)[1]
    text = subprocess.run(["bash", "-c", command], cwd=REPO, capture_output=True, text=True, check=True, timeout=10).stdout
    doc = yaml.safe_load(text)
    return [] if doc["spec"]["groups"] and not schemas.wrong_in([doc], customs) else schemas.wrong_in([doc], customs) or ["no groups of rules"]


def main():
    options = parse()
    customs = schemas.custom(options.tools / "crds")
    good, docs, facts = True, None, None
    for path in options.built:
        overlay = path.stem
        docs, facts = manifests.load(path), facts_of(options, overlay)
        for name, check in checks_of(docs, facts, customs).items():
            good &= say(f"{overlay}: {name}", check())
    good &= say("deploy/README.md: alerts for Prometheus' operator", alerts(customs))
    for spoil in SPOILS:  # of the last overlay: it has everything
        good &= say(f"found: {spoil[0]}", is_found(docs, facts, customs, spoil))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
