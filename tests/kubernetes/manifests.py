# SPDX-License-Identifier: Apache-2.0
"""What kustomize built, as values: workloads, their containers, and the environment a container would have."""

import math
import re

import yaml

WORKLOADS = ("Deployment", "StatefulSet", "Job")
SERVING = ("Deployment", "StatefulSet")
UNITS = {"": 1, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
SIZES = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
SECONDS = {"": 1e-3, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}


def load(path):
    return [doc for doc in yaml.safe_load_all(path.read_text(encoding="utf-8")) if doc]


def name_of(doc):
    return doc["metadata"]["name"]


def find(docs, kind, name):
    """None where there is none."""
    return next((doc for doc in docs if doc["kind"] == kind and name_of(doc) == name), None)


def of_kind(docs, *kinds):
    return [doc for doc in docs if doc["kind"] in kinds]


def pod_of(workload):
    return workload["spec"]["template"]["spec"]


def labels_of(workload):
    return workload["spec"]["template"]["metadata"]["labels"]


def container_of(workload):
    containers = pod_of(workload)["containers"]
    assert len(containers) == 1, f"{name_of(workload)}: these checks know pods of one container"
    return containers[0]


def selects(selector, labels):
    """Whether a label selector matches labels; an empty one matches all."""
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for term in selector.get("matchExpressions", []):
        assert term["operator"] == "In", term
        if labels.get(term["key"]) not in term["values"]:
            return False
    return True


def number(text, units):
    match = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text))
    assert match and match[2] in units, f"no such quantity: {text}"
    return float(match[1]) * units[match[2]]


def quantity(text):
    return number(text, UNITS)


def pod_name(workload):
    """One that Kubernetes could give."""
    return name_of(workload) + {"StatefulSet": "-0", "Deployment": "-5d9c7b8f6d-x2k4v", "Job": "-x2k4v"}[workload["kind"]]


def value_from(workload, source):
    if "fieldRef" in source:
        assert source["fieldRef"]["fieldPath"] == "metadata.name", source
        return pod_name(workload)
    reference = source["resourceFieldRef"]
    which, resource = reference["resource"].split(".")
    amount = quantity(container_of(workload)["resources"][which][resource])
    return str(math.ceil(amount / quantity(reference.get("divisor", "1"))))


def environment(docs, workload):
    """As the kubelet would make it."""
    container, values = container_of(workload), {}
    for source in container.get("envFrom", []):
        values.update((find(docs, "ConfigMap", source["configMapRef"]["name"]) or {"data": {}})["data"])
    for variable in container.get("env", []):
        values[variable["name"]] = variable["value"] if "value" in variable else value_from(workload, variable["valueFrom"])
    return values


def secret_files(workload):
    """The files that come from secrets: path -> (secret, key). A secret without items gives "FOLDER/*" -> (secret, "*")."""
    files = {}
    for mount in container_of(workload).get("volumeMounts", []):
        volume = next((v for v in pod_of(workload).get("volumes", []) if v["name"] == mount["name"]), {})
        sources = [volume["secret"]] if "secret" in volume else [s["secret"] for s in volume.get("projected", {}).get("sources", [])]
        for source in sources:
            secret = source.get("secretName") or source["name"]
            for item in source.get("items", [{"key": "*", "path": "*"}]):
                files[f"{mount['mountPath']}/{item['path']}"] = (secret, item["key"])
    return files


def secret_of(workload, path):
    """(secret, key) that a file in the container comes from, or None."""
    files, folder, _, name = secret_files(workload), *path.rpartition("/")
    if path in files:
        return files[path]
    return (files[f"{folder}/*"][0], name) if f"{folder}/*" in files else None
